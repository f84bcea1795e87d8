import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readList, writeList } from './lists';

test.each([
  ['', []],
  ['a', [['a']]],
  [' a ,  b,', [['a'], ['b']]],
  ['"a, b", c', [['a, b'], ['c']]],
  ['\'{job="x", mode="idle"}\'', [['{job="x", mode="idle"}']]],
  ['"not closed', [['not closed']]],
])('%j is a list', (text, want) => expect(readList(text)).toEqual(want));

test.each([
  [
    'a = b, c=d',
    [
      ['a', 'b'],
      ['c', 'd'],
    ],
  ],
  ['"a, b" = "x = y"', [['a, b', 'x = y']]],
  ['alone', [['alone']]],
  ['a =', [['a', '']]],
])('%j is a list of pairs', (text, want) => expect(readList(text, '=')).toEqual(want));

test('what is written is read again, whatever the names are', () => {
  const name = fc.oneof(fc.string(), fc.stringMatching(/^[a ,="'`\\]{0,6}$/));
  fc.assert(
    fc.property(fc.array(fc.tuple(name, name)), (pairs) => {
      expect(readList(writeList(pairs), '=')).toEqual(pairs);
      expect(readList(writeList(pairs.map(([a]) => [a])))).toEqual(pairs.map(([a]) => [a]));
    }),
  );
});
