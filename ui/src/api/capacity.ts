import * as d from './decode';
import type { Http } from './http';

export const verdicts = ['leak', 'risk', 'over', 'unlimited', 'fits', 'unknown', 'gone'] as const;
export type Verdict = (typeof verdicts)[number];

const item = d.object({
  kind: d.string,
  name: d.string,
  labels: d.map(d.string),
  resource: d.string,
  /** cores, bytes or count. */
  unit: d.string,
  firstSeen: d.string,
  lastSeen: d.string,
  seenSeconds: d.number,
  usual: d.number,
  p95: d.number,
  p99: d.number,
  peak: d.object({ value: d.number, at: d.string, seconds: d.number }),
  /** The highest use of each hour of the week, from Monday 00:00 UTC; undefined is unknown. */
  week: d.array(d.optional(d.number)),
  busy: d.array(d.string),
  request: d.optional(d.number),
  limit: d.optional(d.number),
  headroom: d.optional(d.number),
  perWeek: d.optional(d.number),
  full: d.optional(d.string),
  replicas: d.withDefault(d.number, 0),
  verdict: d.oneOf(...verdicts),
  newRequest: d.optional(d.number),
  newLimit: d.optional(d.number),
  giveBack: d.optional(d.number),
  reason: d.string,
  advice: d.withDefault(d.string, ''),
  explore: d.string,
});
export type CapacityItem = d.TypeOf<typeof item>;

const report = d.object({
  from: d.string,
  to: d.string,
  storedFrom: d.optional(d.string),
  margin: d.number,
  items: d.array(item),
  omitted: d.withDefault(d.number, 0),
  giveBack: d.array(d.object({ kind: d.string, resource: d.string, unit: d.string, value: d.number })),
});
export type CapacityReport = d.TypeOf<typeof report>;

/** What sizes stored use asks for. */
export class CapacityApi {
  constructor(private readonly http: Http) {}

  async report(range: string, margin: string, signal?: AbortSignal): Promise<CapacityReport> {
    return this.http.get('api/hw/v1/capacity', report, { params: { range, margin }, signal });
  }
}
