import { parser } from '@prometheus-io/lezer-promql';
import { describe, expect, test } from 'vitest';
import { columnsFor, historyQuery, judge, knownQuery, nowQuery, tiles, worst } from './tiles';

test.each([
  ['now', nowQuery(tiles)],
  ['known', knownQuery(tiles)],
  ['history', historyQuery(tiles)],
])('the query for %s is PromQL', (_, query) => {
  const broken: string[] = [];
  parser.parse(query).iterate({
    enter: (node) => void (node.type.isError && broken.push(query.slice(node.from, node.to + 30))),
  });
  expect(broken).toEqual([]);
});

describe('a tile', () => {
  const spec = { warn: 1, bad: 10 };
  test.each([
    ['is well below its limits', 0, 5, 'ok'],
    ['warns from its first limit on', 1, 5, 'warn'],
    ['is bad from its second', 10, 5, 'bad'],
    ['is unknown without a value', undefined, 5, 'unknown'],
    ['is unknown when its value is no number', NaN, 5, 'unknown'],
    ['is unknown when its data is old, however good', 0, 600, 'unknown'],
  ] as const)('%s', (_, value, age, want) => expect(judge(spec, value, age)).toBe(want));
});

test('the worst level wins, and unknown is worse than well', () => {
  expect(worst(['ok', 'unknown'])).toBe('unknown');
  expect(worst(['unknown', 'warn', 'ok'])).toBe('warn');
  expect(worst([])).toBe('ok');
});

test('every tile leads somewhere and has a name of its own', () => {
  expect(new Set(tiles.map((t) => t.id)).size).toBe(tiles.length);
  expect(tiles.every((t) => t.link.startsWith('/'))).toBe(true);
});

test.each([
  ['sync', '/audit'],
  ['weight', '/rate-limits'],
  ['ban', '/rate-limits'],
  ['backoff', '/services'],
  ['targets', '/targets'],
  ['delivery', '/deliveries?view=deliveries'],
])('the tile %s leads to the page %s', (id, link) => expect(tiles.find((t) => t.id === id)?.link).toBe(link));

test.each([
  ['a laptop', 13, 880, 690, 3],
  ['a screen on the wall', 13, 1240, 850, 4],
  ['a screen that is wide', 12, 1300, 260, 6],
  ['few of them', 3, 1240, 850, 2],
  ['nothing measured yet', 13, 0, 0, 1],
])('the columns of %s', (_, tiles, width, height, want) =>
  expect(columnsFor(tiles, width, height)).toBe(want),
);
