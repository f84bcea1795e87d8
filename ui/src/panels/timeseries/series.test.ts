import { expect, test } from 'vitest';
import { lonelyValues } from './series';

test.each([
  ['a single value', [7], false, [0]],
  ['a single value among none', [null, 7, null], false, [1]],
  ['the ends of a graph', [7, null, 1, 2, null, 7], false, [0, 5]],
  ['values that lines lead over', [7, null, 7], true, []],
  ['the only value that lines could lead to', [null, 7, null], true, [1]],
  ['a short gap that is bridged', [7, undefined, 7, null, 7], false, [4]],
  ['a line', [1, 2, 3], false, []],
  ['nothing', [null, null], false, []],
])('%s', (_, drawn, spanGaps, want) => {
  expect(lonelyValues(drawn, spanGaps)).toEqual(want);
});
