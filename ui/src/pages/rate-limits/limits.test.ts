import { describe, expect, test } from 'vitest';
import type { Egress, GovernorStatus, Market } from '../../api/governor';
import { nextRoll, outlook, partsOf, stopsOf, usedMarkets } from './limits';

const egress = (more: Partial<Egress> = {}): Egress => ({
  name: 'default',
  used: 0,
  inFlight: 0,
  foreign: 0,
  requests: undefined,
  priorities: {},
  projected: 0,
  exhaustedInSeconds: undefined,
  windowEndsInSeconds: 20,
  bannedUntil: undefined,
  banKind: '',
  bans: 0,
  backoffUntil: undefined,
  ...more,
});

const market = (name: string, e: Egress[] = [egress()], more: Partial<Market> = {}): Market => ({
  market: name,
  limit: 6000,
  window: '1m',
  limitsRead: undefined,
  clockOffsetSeconds: undefined,
  egress: e,
  queued: {},
  orders: [],
  orderLimits: [],
  callers: [],
  drifts: [],
  ...more,
});

const status = (...markets: Market[]): GovernorStatus => ({
  listen: '',
  weightTable: '',
  markets,
  endpoints: [],
  sockets: [],
});

describe('a bar', () => {
  test('is made of priorities, others, and what is not told apart', () => {
    const parts = partsOf(
      egress({
        used: 3400,
        foreign: 1200,
        priorities: {
          backfill: { used: 1800, room: 0 },
          order: { used: 4, room: 9 },
          market: { used: 0, room: 9 },
        },
      }),
      6000,
    );
    expect(parts.map((p) => [p.id, p.weight])).toEqual([
      ['order', 4],
      ['backfill', 1800],
      ['foreign', 1200],
      ['rest', 396],
    ]);
  });

  test('never leaves its frame, and a limit of nothing draws nothing', () => {
    const over = partsOf(
      egress({ used: 9000, foreign: 5000, priorities: { market: { used: 4000, room: 0 } } }),
      6000,
    );
    expect(over.reduce((sum, p) => sum + p.share, 0)).toBeCloseTo(1);
    expect(partsOf(egress({ used: 5 }), 0)).toEqual([
      { id: 'rest', title: expect.any(String), weight: 5, share: 0 },
    ]);
  });
});

test.each([
  [egress({ projected: 600 }), "600 projected at the window's end", 'ok'],
  [egress({ projected: 4500 }), "4,500 projected at the window's end", 'warn'],
  [egress({ projected: 9000, exhaustedInSeconds: 12.4 }), 'at this rate the limit ends in 12 s', 'bad'],
  [egress({ used: 6000, exhaustedInSeconds: 0 }), 'the limit is used up', 'bad'],
] as const)('what will be: %#', (e, text, level) => expect(outlook(e, 6000)).toEqual({ text, level }));

test('stops are those that last, the longest first', () => {
  const now = Date.parse('2026-11-22T12:00:00Z');
  const got = stopsOf(
    status(
      market('spot', [egress({ name: 'a', backoffUntil: '2026-11-22T12:00:30Z' })]),
      market('usdm', [
        egress({ name: 'b', bannedUntil: '2026-11-22T12:10:00Z', banKind: 'ban', bans: 2 }),
        egress({ name: 'c', bannedUntil: '2026-11-22T11:59:00Z' }),
      ]),
    ),
    now,
  );
  expect(got.map((s) => [s.egress, s.kind])).toEqual([
    ['b', 'ban'],
    ['a', 'backoff'],
  ]);
});

test('markets that nobody uses are left out, unless nobody uses any', () => {
  expect(usedMarkets(status(market('spot', [egress({ used: 1 })]), market('usdm')))).toHaveLength(1);
  expect(usedMarkets(status(market('spot'), market('usdm')))).toHaveLength(2);
});

test('the next look is at the end of the first window', () => {
  const s = status(market('spot', [egress({ windowEndsInSeconds: 7 })]), market('usdm'));
  expect(nextRoll(s, 1000)).toBe(8000);
  expect(nextRoll(status(), 0)).toBe(60_000);
});
