import { describe, expect, it } from 'vitest';
import type { ActiveTarget } from '../../api/prometheus';
import { labelChanges, poolsOf } from './targets';

function target(pool: string, instance: string, health: ActiveTarget['health'], error = ''): ActiveTarget {
  return {
    discoveredLabels: { __address__: instance, job: pool },
    labels: { instance, job: pool },
    scrapePool: pool,
    scrapeUrl: `http://${instance}/metrics`,
    globalUrl: '',
    lastError: error,
    lastScrape: '',
    lastScrapeDuration: 0,
    health,
    scrapeInterval: '15s',
    scrapeTimeout: '10s',
  };
}

const all = [
  target('node', 'b:9100', 'up'),
  target('node', 'a:9100', 'down', 'connection refused'),
  target('api', 'c:4000', 'up'),
  target('api', 'd:4000', 'unknown'),
];
const shape = (pools: ReturnType<typeof poolsOf>) =>
  pools.map((p) => `${p.name} ${p.up}: ${p.targets.map((t) => t.labels.instance).join(' ')}`);

describe('poolsOf', () => {
  it('puts what is down first', () => {
    expect(shape(poolsOf(all, undefined, ''))).toEqual(['node 1: a:9100 b:9100', 'api 1: d:4000 c:4000']);
  });

  it('keeps one health', () => {
    expect(shape(poolsOf(all, 'down', ''))).toEqual(['node 0: a:9100']);
  });

  it('finds all words, in labels, addresses and errors', () => {
    expect(shape(poolsOf(all, undefined, 'REFUSED node'))).toEqual(['node 0: a:9100']);
    expect(shape(poolsOf(all, undefined, 'job=api c:'))).toEqual(['api 1: c:4000']);
    expect(poolsOf(all, undefined, 'nothing')).toEqual([]);
  });
});

describe('labelChanges', () => {
  it('has labels of both sides, those for relabelling last', () => {
    expect(labelChanges(all[0]!)).toEqual([
      { name: 'instance', before: undefined, after: 'b:9100' },
      { name: 'job', before: 'node', after: 'node' },
      { name: '__address__', before: 'b:9100', after: undefined },
    ]);
  });
});
