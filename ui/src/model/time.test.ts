import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  calendar,
  describeRange,
  formatDuration,
  formatInstant,
  fromCalendar,
  parseDuration,
  parseInstant,
  resolveRange,
  zoomOut,
} from './time';

const now = Date.parse('2026-05-17T14:03:09Z');
const iso = (ms: number | undefined) =>
  ms === undefined ? undefined : new Date(ms).toISOString().slice(0, 19);

describe('instants', () => {
  test.each([
    ['now', false, '2026-05-17T14:03:09'],
    ['now-6h', false, '2026-05-17T08:03:09'],
    ['now-1d/d', false, '2026-05-16T00:00:00'],
    ['now-1d/d', true, '2026-05-16T23:59:59'],
    ['now/w', false, '2026-05-11T00:00:00'],
    ['now/M', true, '2026-05-31T23:59:59'],
    ['now-1M', false, '2026-04-17T14:03:09'],
    ['now-1y/y', false, '2025-01-01T00:00:00'],
    ['1779026589000', false, '2026-05-17T14:03:09'],
    ['2026-05-17T00:00:00Z', false, '2026-05-17T00:00:00'],
    ['yesterday', false, undefined],
    ['now-6x', false, undefined],
  ])('%s (end: %s) is %s', (text, isEnd, want) => {
    expect(iso(parseInstant(text, now, isEnd, 'utc'))).toBe(want);
  });

  test('a day begins at midnight of the zone', () => {
    expect(iso(parseInstant('now/d', now, false, 'Asia/Tokyo'))).toBe('2026-05-16T15:00:00');
  });

  test('a day that loses an hour has 23', () => {
    const spring = Date.parse('2026-03-29T12:00:00Z');
    const range = resolveRange({ from: 'now/d', to: 'now/d' }, spring, 'Europe/Berlin');
    expect(((range?.to ?? 0) + 1 - (range?.from ?? 0)) / 3_600_000).toBe(23);
  });

  test('the calendar and back is the same second', () => {
    const zones = fc.constantFrom('utc', 'Europe/Berlin', 'America/New_York', 'Asia/Kolkata');
    const instants = fc.integer({ min: 0, max: 4_000_000_000 }).map((s) => s * 1000);
    fc.assert(
      fc.property(instants, zones, (instant, zone) => {
        const back = fromCalendar(calendar(instant, zone), zone);
        // The hour that autumn repeats has two instants with one name.
        expect([instant, instant - 3_600_000, instant + 3_600_000]).toContain(back);
      }),
    );
  });
});

test('durations are read and written', () => {
  expect(parseDuration('1h30m')).toBe(5_400_000);
  expect(parseDuration('15')).toBe(15_000);
  expect(parseDuration('soon')).toBeUndefined();
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e12 }), (ms) => {
      expect(parseDuration(formatDuration(ms))).toBe(ms);
    }),
  );
});

test('zooming out doubles the range and stays in the past', () => {
  const range = { from: now - 3_600_000, to: now, raw: { from: 'now-1h', to: 'now' } };
  expect(zoomOut(range, now)).toEqual({ from: String(now - 7_200_000), to: String(now) });
});

test('words for ranges', () => {
  expect(describeRange({ from: 'now-6h', to: 'now' }, 'utc')).toBe('Last 6 hours');
  expect(describeRange({ from: 'now-1d/d', to: 'now-1d/d' }, 'utc')).toBe('Yesterday');
  expect(formatInstant(now, 'utc')).toBe('2026-05-17 14:03:09');
});
