import { parser } from '@prometheus-io/lezer-promql';
import { describe, expect, test } from 'vitest';
import type { Instance } from '../../api/services';
import { exitText, isBlind, nameOf, search, servicesOf, stateTone, ticksOf } from './services';
import { find, usageOf, usageQuery } from './usage';

const instance = (service: string, more: Partial<Instance> = {}): Instance => ({
  platform: 'kubernetes',
  namespace: 'prod',
  service,
  container: 'app',
  instance: `${service}-1`,
  state: 'running',
  critical: false,
  failing: false,
  becauseOf: '',
  node: '',
  image: '',
  since: '',
  restarts: 0,
  history: [],
  dependsOn: [],
  nextRestart: '',
  lastExit: undefined,
  diagnosis: undefined,
  lastChange: '',
  memoryLimitBytes: undefined,
  cpuThrottledRatio: undefined,
  reason: '',
  ...more,
});

describe('services', () => {
  test('instances share a service, in the order in which they came', () => {
    const got = servicesOf([
      instance('db', { failing: true }),
      instance('feed'),
      instance('feed', { instance: 'feed-2', critical: true }),
    ]);
    expect(got.map((s) => [s.name, s.instances.length, s.failing, s.critical])).toEqual([
      ['prod/db (app)', 1, true, false],
      ['prod/feed (app)', 2, false, true],
    ]);
  });

  test('what fails because of another one hangs below it', () => {
    const db = instance('db', { failing: true });
    const got = servicesOf([
      instance('web', { failing: true, becauseOf: nameOf(instance('feed')) }),
      instance('feed', { failing: true, becauseOf: nameOf(db) }),
      db,
    ]);
    expect(got.map((s) => s.name)).toEqual(['prod/db (app)']);
    expect(got[0]?.below[0]?.below[0]?.name).toBe('prod/web (app)');
  });

  test('two that blame each other, or one that is gone, are still shown', () => {
    const got = servicesOf([
      instance('a', { becauseOf: nameOf(instance('b')) }),
      instance('b', { becauseOf: nameOf(instance('a')) }),
      instance('c', { becauseOf: 'prod/gone' }),
    ]);
    const count = (list: typeof got): number => list.reduce((n, s) => n + 1 + count(s.below), 0);
    expect(count(got)).toBe(3);
  });

  test('a search finds what is below, too', () => {
    const all = servicesOf([
      instance('db', { failing: true }),
      instance('feed', {
        failing: true,
        becauseOf: nameOf(instance('db')),
        diagnosis: { cause: 'dependency', finding: '', evidence: ['connection refused'] },
      }),
      instance('web'),
    ]);
    expect(search(all, 'refused', false).map((s) => s.name)).toEqual(['prod/db (app)']);
    expect(search(all, '', true).map((s) => s.name)).toEqual(['prod/db (app)']);
    expect(search(all, 'nothing like it', false)).toEqual([]);
  });
});

test('a state that nobody knows is neither good nor bad', () => expect(stateTone('paused')).toBe('dim'));

test('a platform without a watcher that sees is blind', () => {
  const watchers = [{ platform: 'docker', sees: false, error: 'x', since: '' }];
  expect(isBlind('docker', watchers)).toBe(true);
  expect(isBlind('systemd', watchers)).toBe(false);
});

test.each([
  [{ code: 1, signal: 0, unseen: false }, 'exit code 1'],
  [{ code: 137, signal: 9, unseen: false, oom: true }, 'SIGKILL, out of memory'],
  [{ code: 0, signal: 0, unseen: true }, 'nobody saw how'],
])('an end in words: %j', (end, want) => expect(exitText(end)).toBe(want));

test('ends outside of the time that is shown, or without one, have no mark', () => {
  const end = (at: string) => ({ at, code: 1, signal: 0, unseen: false, cause: '' });
  const from = Date.parse('2026-11-22T12:00:00Z');
  const ticks = ticksOf(
    [end('2026-11-22T11:59:00Z'), end('2026-11-22T12:30:00Z'), end('yesterday')],
    from,
    from + 3_600_000,
  );
  expect(ticks.map((t) => t.at)).toEqual([0.5]);
});

describe('usage', () => {
  test('is asked for in PromQL', () => {
    const broken: string[] = [];
    parser.parse(usageQuery).iterate({
      enter: (node) => void (node.type.isError && broken.push(usageQuery.slice(node.from, node.to + 30))),
    });
    expect(broken).toEqual([]);
  });

  test('belongs to the instance that it was measured of, and unknown is not zero', () => {
    const at = 1_800_000_000;
    const usage = usageOf({
      warnings: [],
      data: {
        resultType: 'vector',
        result: [
          {
            metric: { measure: 'cpu', namespace: 'prod', pod: 'feed-1', container: 'app' },
            value: [at, '0.5'],
          },
          {
            metric: { measure: 'memory', namespace: 'test', pod: 'feed-1', container: 'app' },
            value: [at, '7'],
          },
          { metric: { measure: 'memory', name: 'db' }, value: [at, '100'] },
          { metric: { measure: 'cpu', name: 'db' }, value: [at, 'NaN'] },
          { metric: { measure: 'cpu', id: '/system.slice/trader.service' }, value: [at, '2'] },
          { metric: { measure: 'cpu', groupname: 'syncer' }, value: [at, '3'] },
        ],
      },
    });
    expect(find(usage, instance('feed'))).toEqual({ cpu: 0.5, memoryLimit: undefined });
    const db = instance('db', { platform: 'docker', instance: 'db', memoryLimitBytes: 200 });
    expect(find(usage, db)).toEqual({ memory: 100, memoryLimit: 200 });
    const unit = (name: string) => instance(name, { platform: 'systemd', instance: name });
    expect(find(usage, unit('trader.service')).cpu).toBe(2);
    expect(find(usage, unit('syncer.service')).cpu).toBe(3);
    expect(find(usage, instance('syncer', { platform: 'process', instance: 'syncer' })).cpu).toBe(3);
    expect(find(usage, unit('other.service'))).toEqual({ memoryLimit: undefined });
  });
});
