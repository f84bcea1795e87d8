import { expect, test } from 'vitest';
import { joinCondition, partsOf, splitCondition, isComplete } from './expression';

test.each([
  ['a > 60', { query: 'a', op: '>', value: 60 }],
  ['60 < a', { query: 'a', op: '>', value: 60 }],
  ['rate(a[5m]) / b <= -0.5', { query: 'rate(a[5m]) / b', op: '<=', value: -0.5 }],
  ['(a or b) >= 1e3', { query: '(a or b)', op: '>=', value: 1000 }],
  ['(a == 1)', { query: 'a', op: '==', value: 1 }],
  ['a != +Inf', { query: 'a', op: '!=', value: Infinity }],
])('%s is split', (expr, want) => expect(splitCondition(expr)).toEqual(want));

test.each(['a', 'a > b', 'a > 1 and b > 2', 'a > bool 1', 'absent(a)', 'a >', '', 'sum('])(
  '%s is not',
  (expr) => expect(splitCondition(expr)).toBeUndefined(),
);

test.each([
  ['a or b', '(a or b) > 5'],
  ['a > 1', '(a > 1) > 5'],
  ['a / b', 'a / b > 5'],
  ['(a or b)', '(a or b) > 5'],
])('%s gets the parentheses that it needs', (query, want) => {
  expect(joinCondition({ query, op: '>', value: 5 })).toBe(want);
});

test('parts are listed from the whole to the selectors', () => {
  expect(partsOf('sum by (job) (rate(a[5m])) > 2')).toEqual([
    { depth: 0, text: 'sum by (job) (rate(a[5m])) > 2', kind: 'operation' },
    { depth: 1, text: 'sum by (job) (rate(a[5m]))', kind: 'aggregation' },
    { depth: 2, text: 'rate(a[5m])', kind: 'function' },
    { depth: 3, text: 'a[5m]', kind: 'range' },
    { depth: 4, text: 'a', kind: 'selector' },
  ]);
  expect(partsOf('sum(')).toEqual([]);
});

test.each([
  ['a > 5', true],
  ['sum(rate(a[5m])) == 0', true],
  ['', false],
  ['a >', false],
  ['sum(', false],
  ['rate(a[5', false],
  ['a{job="', false],
])('%s is asked for: %s', (expr, want) => {
  expect(isComplete(expr)).toBe(want);
});
