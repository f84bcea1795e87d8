import type { Egress, GovernorStatus, Market } from '../../api/governor';

export type Level = 'ok' | 'warn' | 'bad';

/** From which share of a limit on it is worth a look, and is bad. */
export const levelOf = (share: number): Level => (share >= 0.9 ? 'bad' : share >= 0.7 ? 'warn' : 'ok');

export interface Part {
  id: string;
  title: string;
  /** 0 to 1 of the limit. */
  share: number;
  weight: number;
}

/** The most urgent first; as the governor names them. */
const priorities = ['cancel', 'order', 'account', 'market', 'backfill'];

/**
 * What a window's use is made of: settled requests by priority, then what others on
 * the address used, then the rest, which is on its way or was used before a start.
 * Together never more than the limit: what is over it cannot be drawn.
 */
export function partsOf(e: Egress, limit: number): Part[] {
  const parts: [string, string, number][] = priorities.map((p) => [p, p, e.priorities[p]?.used ?? 0]);
  parts.push(['foreign', 'others on this address', e.foreign]);
  const known = parts.reduce((sum, [, , weight]) => sum + weight, 0);
  parts.push(['rest', 'on its way, or not told apart', Math.max(0, e.used - known)]);
  let room = limit;
  return parts.flatMap(([id, title, weight]) => {
    const drawn = Math.min(weight, room);
    room -= drawn;
    return weight > 0 ? [{ id, title, weight, share: limit > 0 ? drawn / limit : 0 }] : [];
  });
}

/** What the projection means, in a sentence. */
export function outlook(e: Egress, limit: number): { text: string; level: Level } {
  if (e.exhaustedInSeconds !== undefined && e.exhaustedInSeconds <= 0)
    return { text: 'the limit is used up', level: 'bad' };
  if (e.exhaustedInSeconds !== undefined)
    return { text: `at this rate the limit ends in ${Math.round(e.exhaustedInSeconds)} s`, level: 'bad' };
  return {
    text: `${e.projected.toLocaleString('en')} projected at the window's end`,
    level: levelOf(limit > 0 ? e.projected / limit : 0),
  };
}

export interface Stop {
  market: string;
  egress: string;
  kind: 'ban' | 'backoff';
  until: number;
  /** The exchange's way to say it, of a ban. */
  how: string;
  bans: number;
}

/** Addresses that must not ask now, the longest first. */
export function stopsOf({ markets }: GovernorStatus, now: number): Stop[] {
  return markets
    .flatMap(({ market, egress }) =>
      egress.flatMap((e): Stop[] => {
        const ban = Date.parse(e.bannedUntil ?? '');
        const backoff = Date.parse(e.backoffUntil ?? '');
        const common = { market, egress: e.name, how: e.banKind, bans: e.bans };
        if (ban > now) return [{ ...common, kind: 'ban', until: ban }];
        if (backoff > now) return [{ ...common, kind: 'backoff', until: backoff }];
        return [];
      }),
    )
    .sort((a, b) => b.until - a.until);
}

/** Markets that somebody uses; if nobody uses any, all. */
export function usedMarkets(status: GovernorStatus): Market[] {
  const used = status.markets.filter(isUsed);
  return used.length > 0 ? used : status.markets;
}

const isUsed = (m: Market) =>
  m.limitsRead !== undefined ||
  m.callers.length > 0 ||
  m.orders.length > 0 ||
  m.egress.some((e) => e.used > 0 || e.bannedUntil !== undefined);

/** When the first window ends: then all numbers are others. */
export function nextRoll({ markets, endpoints }: GovernorStatus, readAt: number): number {
  const ends = [...markets.flatMap((m) => m.egress), ...endpoints].map((x) => x.windowEndsInSeconds);
  return readAt + 1000 * Math.min(60, ...ends.filter((s) => s > 0));
}

export const marketText: Record<string, string> = {
  spot: 'Spot',
  usdm: 'USDS-M futures',
  coinm: 'COIN-M futures',
  sapi: '/sapi',
};
