import { expect, test } from 'vitest';
import { holds, lastNumber, roundTo } from './threshold';

test.each([
  [61.234, 100, 61],
  [0.12345, 0.5, 0.123],
  [123456, 1_000_000, 120_000],
  [5, 0, 5],
])('%d on an axis of %d is %d', (value, axis, want) => expect(roundTo(value, axis)).toBe(want));

test.each([
  ['>', 1, false],
  ['>=', 1, true],
  ['<', 0, true],
  ['<=', 2, false],
  ['==', 1, true],
  ['!=', 1, false],
] as const)('%s 1 with %d', (op, sample, want) => expect(holds({ op, value: 1 }, sample)).toBe(want));

test('the last number of a column with gaps', () => {
  expect(lastNumber([1, 2, null])).toBe(2);
  expect(lastNumber([null])).toBeUndefined();
});
