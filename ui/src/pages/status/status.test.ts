import { describe, expect, it } from 'vitest';
import { show, words } from './status';

describe('words', () => {
  it.each([
    ['storageRetention', 'storage retention'],
    ['CWD', 'CWD'],
    ['GOMAXPROCS', 'GOMAXPROCS'],
    ['startTime', 'start time'],
  ])('%s', (name, want) => expect(words(name)).toBe(want));
});

describe('show', () => {
  const instant = (ms: number) => `at ${ms}`;
  it.each([
    ['2026-11-22T10:00:00Z', 'at 1795341600000'],
    ['15d', '15d'],
    [true, 'yes'],
    ['', '–'],
    [3, '3'],
    [{ a: 1 }, '{"a":1}'],
  ])('%s', (value, want) => expect(show(value, instant)).toBe(want));
});
