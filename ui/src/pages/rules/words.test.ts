import { expect, test } from 'vitest';
import type { RouteMatch } from '../../api/notify';
import { newDraft } from './draft';
import { conditionInWords, endInWords, routeInWords, waysOf, whyInWords } from './words';

const draft = { ...newDraft, name: 'A', query: 'lag', value: '60', for: '2m' };
const route: RouteMatch = {
  route: '{}/{team="trading"}/{severity="critical"}',
  receiver: 'pager',
  groupKey: '',
  groupLabels: { symbol: 'BTC', alertname: 'A' },
  groupWait: '1s',
  groupInterval: '20s',
  repeatInterval: '4h',
  muteTimeIntervals: [],
  activeTimeIntervals: [],
  muted: false,
};

test('the condition', () => {
  expect(conditionInWords(draft)).toBe('When lag stays above 60 for 2m');
  expect(conditionInWords({ ...draft, for: '', op: '<=' })).toBe('When lag is at or below 60');
  expect(conditionInWords({ ...draft, kind: 'expression', expr: 'absent(up)' })).toBe(
    'When absent(up) has a result for 2m',
  );
});

test('who is told, and why', () => {
  expect(routeInWords(route)).toBe(
    'pager is told within 1s, in one message for each alertname, symbol, again every 4h while it lasts',
  );
  expect(whyInWords(route)).toBe('because of team="trading", then severity="critical"');
  expect(whyInWords({ ...route, route: '{}' })).toMatch(/default/);
});

test('the end', () => {
  expect(endInWords(draft)).toBe('It ends when the condition does or the data is gone.');
  expect(endInWords({ ...draft, recovery: 'lag < 40', keepFiringFor: '5m', noData: 'keep' })).toBe(
    'It ends when lag < 40, and 5m have passed. While the data is gone it fires on.',
  );
});

test('instances that go the same way are counted', () => {
  const other = { ...route, route: '{}', receiver: 'ops' };
  expect(waysOf([[route], [route, other]]).map((w) => [w.route.receiver, w.count])).toEqual([
    ['pager', 2],
    ['ops', 1],
  ]);
});
