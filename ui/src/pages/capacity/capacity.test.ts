import { describe, expect, test } from 'vitest';
import type { CapacityItem, CapacityReport } from '../../api/capacity';
import { barOf, barText, choose, linksOf, summary, valueText, weekOf, type Filter } from './capacity';

const item = (changes: Partial<CapacityItem>): CapacityItem => ({
  kind: 'container',
  name: 'feed',
  labels: { name: 'feed', instance: 'app1' },
  resource: 'cpu',
  unit: 'cores',
  firstSeen: '2026-05-04T00:00:00Z',
  lastSeen: '2026-05-10T23:59:00Z',
  seenSeconds: 604_800,
  usual: 1,
  p95: 2,
  p99: 3,
  peak: { value: 4, at: '2026-05-04T13:30:00Z', seconds: 900 },
  week: [],
  busy: [],
  request: undefined,
  limit: undefined,
  headroom: undefined,
  perWeek: undefined,
  full: undefined,
  replicas: 0,
  verdict: 'fits',
  newRequest: undefined,
  newLimit: undefined,
  giveBack: undefined,
  reason: '',
  advice: '',
  explore: 'up',
  ...changes,
});

const none: Filter = { search: '', kind: '', verdict: '', order: 'verdict' };
const names = (items: CapacityItem[]) => items.map((i) => i.name);

describe('choose', () => {
  const items = [
    item({ name: 'b', headroom: 0.5, giveBack: 3, limit: 4, verdict: 'over' }),
    item({ name: 'a', headroom: -0.1 }),
    item({ name: 'c', kind: 'host', unit: 'bytes', giveBack: 1e9, request: 4e9, replicas: 2 }),
  ];
  test.each([
    [none, ['b', 'a', 'c']],
    [{ ...none, order: 'name' }, ['a', 'b', 'c']],
    [{ ...none, order: 'headroom' }, ['a', 'b', 'c']],
    [{ ...none, order: 'giveBack' }, ['b', 'c', 'a']],
    [{ ...none, kind: 'host' }, ['c']],
    [{ ...none, verdict: 'over' }, ['b']],
    [{ ...none, search: 'APP1 host' }, ['c']],
    [{ ...none, search: 'nothing' }, []],
  ] as [Filter, string[]][])('%j', (filter, want) => {
    expect(names(choose(items, filter))).toEqual(want);
  });

  test('leaves the report as it is', () => {
    choose(items, { ...none, order: 'name' });
    expect(names(items)).toEqual(['b', 'a', 'c']);
  });
});

describe('barOf', () => {
  test('draws everything on one scale', () => {
    expect(barOf(item({ limit: 8, request: 2, newLimit: 5 }))).toEqual({
      usual: 0.125,
      p95: 0.25,
      peak: 0.5,
      request: 0.25,
      limit: 1,
      advised: 0.625,
    });
  });
  test('knows no limit', () => {
    expect(barOf(item({}))).toMatchObject({ peak: 1, limit: undefined, advised: undefined });
  });
  test('has room for nothing at all', () => {
    expect(barOf(item({ usual: 0, p95: 0, peak: { value: 0, at: '', seconds: 0 } }))).toMatchObject({
      usual: 0,
      peak: 0,
    });
  });
});

test.each([
  [0.123456, 'cores', '0.123 cores'],
  [1, 'cores', '1 core'],
  [2390, 'count', '2,390'],
  [3 * 1024 ** 3, 'bytes', '3 GiB'],
])('%d %s is %s', (value, unit, want) => {
  expect(valueText(value, unit)).toBe(want);
});

test('the bar is said in words', () => {
  expect(barText(item({ limit: 8, newLimit: 5 }))).toBe(
    'usually 1 core, 95 % of the time at most 2 cores, peak 4 cores, limit 8 cores, advised 5 cores',
  );
});

test('links lead to where more is to be seen', () => {
  expect(linksOf(item({ explore: 'a{b="c d"}' }), '7d')).toEqual([
    ['Explore', '/explore?expr=a%7Bb%3D%22c+d%22%7D&from=now-7d&to=now'],
    ['Service', '/services?search=feed'],
  ]);
  expect(linksOf(item({ kind: 'host' }), '30d')[1]).toEqual([
    'Dashboard',
    '/dashboards/hedgewatch-host?var-instance=app1&from=now-30d',
  ]);
  expect(linksOf(item({ kind: 'database' }), '7d')).toHaveLength(1);
});

test('the summary counts what needs somebody', () => {
  const report = (...items: CapacityItem[]) => ({ items }) as CapacityReport;
  expect(
    summary(report(item({ verdict: 'risk' }), item({ verdict: 'risk' }), item({ verdict: 'over' }))),
  ).toBe('2 at risk, 1 larger than needed');
  expect(summary(report(item({})))).toBe('nothing is at risk');
});

test('hours that nobody saw are unknown, not zero', () => {
  const week: (number | undefined)[] = Array.from({ length: 168 }, () => undefined);
  week[24 + 13] = 2;
  week[0] = 0;
  const rows = weekOf(item({ week }));
  expect(rows[1]?.hours[13]).toBe(0.5);
  expect(rows[0]?.hours[0]).toBe(0);
  expect(rows[0]?.hours[1]).toBeUndefined();
});
