import * as d from './decode';
import type { Http } from './http';

const requests = d.object({
  used: d.number,
  limit: d.number,
  window: d.string,
  windowEndsInSeconds: d.number,
});

const egress = d.object({
  name: d.string,
  used: d.number,
  inFlight: d.number,
  foreign: d.number,
  /** The number of requests, whatever they weigh; undefined where that has no limit. */
  requests: d.optional(requests),
  /** What each has used, and may still use now. */
  priorities: d.map(d.object({ used: d.number, room: d.number })),
  projected: d.number,
  exhaustedInSeconds: d.optional(d.number),
  windowEndsInSeconds: d.number,
  bannedUntil: d.optional(d.string),
  banKind: d.withDefault(d.string, ''),
  bans: d.withDefault(d.number, 0),
  backoffUntil: d.optional(d.string),
});
export type Egress = d.TypeOf<typeof egress>;

const caller = d.object({ client: d.string, endpoint: d.string, weight: d.number, requests: d.number });
export type Caller = d.TypeOf<typeof caller>;

const market = d.object({
  market: d.string,
  limit: d.number,
  window: d.string,
  limitsRead: d.optional(d.string),
  clockOffsetSeconds: d.optional(d.number),
  egress: d.array(egress),
  queued: d.map(d.number),
  orders: d.array(d.object({ account: d.string, window: d.string, used: d.number, limit: d.number })),
  orderLimits: d.array(d.object({ window: d.string, limit: d.number })),
  callers: d.array(caller),
  drifts: d.array(d.object({ endpoint: d.string, condition: d.withDefault(d.string, ''), more: d.number })),
});
export type Market = d.TypeOf<typeof market>;

const endpoint = d.object({
  market: d.string,
  /** A method and a path of /sapi, "funding" or "connections". */
  endpoint: d.string,
  /** Whose limit it is: that of an address or an account, of this name. */
  by: d.string,
  name: d.string,
  used: d.number,
  limit: d.number,
  window: d.string,
  windowEndsInSeconds: d.number,
  queued: d.withDefault(d.number, 0),
});
export type Endpoint = d.TypeOf<typeof endpoint>;

const socket = d.object({
  market: d.string,
  client: d.string,
  egress: d.string,
  openedAt: d.string,
  asked: d.number,
  waiting: d.number,
  lastAsked: d.withDefault(d.string, ''),
});
export type Socket = d.TypeOf<typeof socket>;

const status = d.object({
  listen: d.withDefault(d.string, ''),
  weightTable: d.string,
  markets: d.array(market),
  endpoints: d.array(endpoint),
  /** Open connections to the exchange's WebSocket APIs. */
  sockets: d.array(socket),
});
export type GovernorStatus = d.TypeOf<typeof status>;

const whatIf = d.object({
  minutes: d.number,
  over: d.number,
  giveUp: d.number,
  worstMinute: d.number,
  short: d.number,
});
export type WhatIf = d.TypeOf<typeof whatIf>;

/** The governor, which keeps the exchange's limits. Answers 404 where there is none. */
export class GovernorApi {
  constructor(private readonly http: Http) {}

  async status(signal?: AbortSignal): Promise<GovernorStatus> {
    return this.http.get('api/hw/v1/governor/status', status, { signal });
  }

  async whatIf(market: string, growth: number, signal?: AbortSignal): Promise<WhatIf> {
    return this.http.get('api/hw/v1/governor/whatif', whatIf, { params: { market, growth }, signal });
  }
}
