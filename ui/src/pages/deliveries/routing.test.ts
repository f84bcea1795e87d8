import { expect, test } from 'vitest';
import { readLabels, readRoutes, type RouteNode } from './routing';

const config = `
route:
  receiver: ops
  group_by: [alertname]
  group_wait: 2s
  routes:
    - matchers: [team="trading", severity=~"warning|critical"]
      group_by: ['...']
      mute_time_intervals: [nights]
      routes:
        - match: {severity: critical}
          receiver: pager
          continue: true
`;

const all = (node: RouteNode): RouteNode[] => [node, ...node.routes.flatMap(all)];

test('routes inherit, and have the path that the server calls them by', () => {
  const routes = all(readRoutes(config)!);
  expect(routes.map((r) => [r.path, r.receiver, r.groupBy.join(), r.groupWait])).toEqual([
    ['{}', 'ops', 'alertname', '2s'],
    ['{}/{severity=~"warning|critical",team="trading"}', 'ops', '...', '2s'],
    ['{}/{severity=~"warning|critical",team="trading"}/{severity="critical"}', 'pager', '...', '2s'],
  ]);
  expect(routes[2]?.continues).toBe(true);
  expect(routes[1]?.mutedBy).toEqual(['nights']);
});

test('a configuration without routes has no tree', () => {
  expect(readRoutes('receivers: []')).toBeUndefined();
  expect(readRoutes('')).toBeUndefined();
});

test('labels of an alert are read as people write them', () => {
  expect(readLabels('severity=critical, team="a b"')).toEqual({ severity: 'critical', team: 'a b' });
  expect(() => readLabels('a=~"b"')).toThrow(/no matchers/);
});
