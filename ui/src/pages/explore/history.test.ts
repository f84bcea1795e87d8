import { expect, test } from 'vitest';
import { readHistory, remember } from './history';

function storage(content?: string) {
  let value = content ?? null;
  return { getItem: () => value, setItem: (_: string, v: string) => void (value = v) };
}

test('the newest comes first, once, and no more than fifty stay', () => {
  const s = storage();
  for (let i = 0; i < 60; i++) remember(s, `up + ${i}`);
  remember(s, ' up + 30 ');
  const entries = readHistory(s);
  expect(entries[0]).toBe('up + 30');
  expect(entries.filter((e) => e === 'up + 30')).toHaveLength(1);
  expect(entries).toHaveLength(50);
});

test.each(['{', '{"a":1}', '[1,2]'])('%s is no history', (content) => {
  expect(readHistory(storage(content))).toEqual([]);
});

test('a storage that is full loses no query of now', () => {
  const full = {
    getItem: () => null,
    setItem: () => {
      throw new Error('full');
    },
  };
  expect(remember(full, 'up')).toEqual(['up']);
});
