import { expect, test } from 'vitest';
import {
  draftIn,
  exprOf,
  newDraft,
  problemOf,
  ruleText,
  withoutRule,
  withRule,
  type RuleDraft,
} from './draft';

const draft: RuleDraft = {
  ...newDraft,
  name: 'LagHigh',
  query: 'lag_seconds',
  value: '60',
  summary: 'Lag is {{ $value }}',
  noData: 'keep',
  recovery: 'lag_seconds < 40',
};

const file = `groups:
  # The feed.
  - name: feed
    interval: 15s
    rules:
      - alert: A
        # Twice the usual lag.
        expr: a > 1
        for: 1m
      - record: b:sum
        expr: sum(b)
`;

test('a new rule becomes a group that reads well', () => {
  expect(withRule('', 'feed', undefined, draft)).toBe(`groups:
  - name: feed
    rules:
      - alert: LagHigh
        expr: lag_seconds > 60
        for: 1m
        labels:
          severity: warning
        annotations:
          summary: Lag is {{ $value }}
          hedgewatch_no_data: keep
          hedgewatch_recovery: lag_seconds < 40
`);
});

test('a change touches its rule only, and keeps comments and order', () => {
  const before = draftIn(file, 'A');
  expect(before).toMatchObject({ kind: 'threshold', query: 'a', op: '>', value: '1', for: '1m' });
  const after = withRule(file, 'feed', 'A', { ...before!, value: '2' });
  expect(after).toBe(file.replace('a > 1', 'a > 2'));
});

test('a rule that is saved unchanged leaves the file as it is', () => {
  expect(withRule(file, 'feed', 'A', draftIn(file, 'A')!)).toBe(file);
});

test('what is saved is read back', () => {
  expect(draftIn(ruleText(draft), 'LagHigh')).toEqual({ ...draft, expr: 'lag_seconds > 60' });
});

test('a rule is appended, and taken out again; the last one takes the group with it', () => {
  const added = withRule(file, 'feed', undefined, draft);
  expect(added.startsWith(file.trimEnd())).toBe(true);
  expect(withoutRule(added, 'LagHigh')).toBe(file);
  expect(withoutRule(withRule('', 'g', undefined, draft), 'LagHigh')).toBeUndefined();
});

test('a renamed rule stays in its place', () => {
  expect(withRule(file, 'feed', 'A', { ...draftIn(file, 'A')!, name: 'Z' })).toBe(
    file.replace('alert: A', 'alert: Z'),
  );
});

test.each<[Partial<RuleDraft>, string | undefined]>([
  [{}, undefined],
  [{ name: ' ' }, 'Give it a name.'],
  [{ query: '' }, 'Write a query.'],
  [{ value: 'x' }, 'Set the threshold.'],
])('%o is missing something: %s', (patch, want) => expect(problemOf({ ...draft, ...patch })).toBe(want));

test('a threshold form makes an expression that means the same', () => {
  expect(exprOf({ ...draft, query: 'a or b' })).toBe('(a or b) > 60');
  expect(exprOf({ ...draft, kind: 'expression', expr: ' absent(up) ' })).toBe('absent(up)');
});

test('a broken file is refused, not overwritten', () => {
  expect(() => withRule('groups: [', 'g', undefined, draft)).toThrow(/cannot be read/);
  expect(() => withRule('a: 1', 'g', undefined, draft)).toThrow(/no rules/);
});
