import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Refresher, type Changed } from './live';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const words = (c: Changed) => (c === 'everything' ? c : [...c].sort().join(' '));

test('asks at once, and then for all that came meanwhile', async () => {
  const asked: string[] = [];
  const slow = new Refresher(async (changed) => {
    asked.push(words(changed));
    await new Promise((done) => setTimeout(done, 1000));
  });
  slow.changed(new Set(['alerts']));
  expect(asked).toEqual(['alerts']);
  for (let i = 0; i < 50; i++) slow.changed(new Set([i % 2 ? 'alerts' : 'services']));
  expect(asked).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1400);
  expect(asked).toEqual(['alerts', 'alerts services']);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked).toHaveLength(2);
});

test('a new stream asks for everything, whatever else has changed', async () => {
  const asked: string[] = [];
  const refresher = new Refresher(async (changed) => void asked.push(words(changed)));
  refresher.changed(new Set(['alerts']));
  refresher.changed('everything');
  refresher.changed(new Set(['services']));
  await vi.advanceTimersByTimeAsync(5000);
  expect(asked).toEqual(['alerts', 'everything']);
});

test('a question that fails is no end, and a page that is gone asks nothing', async () => {
  let asked = 0;
  const refresher = new Refresher(async () => {
    asked++;
    throw new Error('no answer');
  });
  refresher.changed(new Set(['alerts']));
  await vi.advanceTimersByTimeAsync(1000);
  refresher.changed(new Set(['alerts']));
  expect(asked).toBe(2);
  refresher.changed(new Set(['alerts']));
  refresher.stop();
  await vi.advanceTimersByTimeAsync(5000);
  expect(asked).toBe(2);
});
