import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type uPlot from 'uplot';
import { calmMoves } from './calmMoves';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function follow() {
  const bind = calmMoves();
  const seen: number[] = [];
  let left = 0;
  const none = {} as uPlot & HTMLElement;
  const move = bind.mousemove?.(none, none, (e) => (seen.push(e.clientX), null));
  const leave = bind.mouseleave?.(none, none, () => (left++, null));
  return {
    seen,
    left: () => left,
    move: (x: number) => move?.({ clientX: x } as MouseEvent),
    leave: () => leave?.({} as MouseEvent),
  };
}

test('the first move is followed at once, and the last one of a quick hand is not lost', () => {
  const hand = follow();
  for (const x of [1, 2, 3, 4]) hand.move(x);
  expect(hand.seen).toEqual([1]);
  vi.advanceTimersByTime(100);
  expect(hand.seen).toEqual([1, 4]);
  hand.move(5);
  expect(hand.seen).toEqual([1, 4, 5]);
});

test('sixty moves in a second are followed about twenty-four times', () => {
  const hand = follow();
  for (let i = 0; i < 60; i++) {
    hand.move(i);
    vi.advanceTimersByTime(16);
  }
  vi.advanceTimersByTime(100);
  expect(hand.seen.length).toBeGreaterThanOrEqual(19);
  expect(hand.seen.length).toBeLessThanOrEqual(26);
  expect(hand.seen.at(-1)).toBe(59);
});

test('a move that is still to come does not bring the crosshair back', () => {
  const hand = follow();
  hand.move(1);
  hand.move(2);
  hand.leave();
  vi.advanceTimersByTime(100);
  expect(hand.left()).toBe(1);
  expect(hand.seen).toEqual([1]);
});
