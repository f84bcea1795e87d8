import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatMatchers, matchesEmpty, parseMatchers } from './matchers';

test('reads what people write', () => {
  expect(parseMatchers('{severity="critical", job!~"a|b", team=trading}')).toEqual([
    { name: 'severity', value: 'critical', isRegex: false, isEqual: true },
    { name: 'job', value: 'a|b', isRegex: true, isEqual: false },
    { name: 'team', value: 'trading', isRegex: false, isEqual: true },
  ]);
  expect(parseMatchers('  ')).toEqual([]);
});

test.each(['severity', 'a="b" c="d"', 'a=="b"', '=x'])('%s is refused', (text) => {
  expect(() => parseMatchers(text)).toThrow(/write name="value"/);
});

test('what is written is read back', () => {
  const matcher = fc.record({
    name: fc.stringMatching(/^[a-z_][a-z0-9_]*$/),
    value: fc.string(),
    isRegex: fc.boolean(),
    isEqual: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(matcher), (all) => {
      expect(parseMatchers(formatMatchers(all))).toEqual(all);
    }),
  );
});

test.each([
  ['a=""', true],
  ['a=~".*"', true],
  ['a!="x"', true],
  ['a="x"', false],
  ['a=~".*", b="x"', false],
  ['a=~"["', false],
])('%s matches the empty set: %s', (text, want) => expect(matchesEmpty(parseMatchers(text))).toBe(want));
