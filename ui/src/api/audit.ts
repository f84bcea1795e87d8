import * as d from './decode';
import type { Http } from './http';

const key = {
  source: d.withDefault(d.string, ''),
  dataset: d.string,
  market: d.withDefault(d.string, ''),
  account: d.withDefault(d.string, ''),
  symbol: d.withDefault(d.string, ''),
  interval: d.withDefault(d.string, ''),
};
const seriesKey = d.object(key);
export type SeriesKey = d.TypeOf<typeof seriesKey>;

const series = d.object({
  ...key,
  from: d.withDefault(d.string, ''),
  until: d.withDefault(d.string, ''),
  verifiedUntil: d.withDefault(d.string, ''),
  comparedUntil: d.withDefault(d.string, ''),
  newest: d.withDefault(d.string, ''),
  lastSuccess: d.withDefault(d.string, ''),
  missing: d.number,
  missingAtExchange: d.number,
  duplicate: d.number,
  mismatched: d.number,
  lagSeconds: d.number,
});
export type Series = d.TypeOf<typeof series>;

const verification = d.object({
  series: seriesKey,
  from: d.string,
  to: d.string,
  askedAt: d.string,
  /** Empty while it waits or works. */
  doneAt: d.withDefault(d.string, ''),
  error: d.withDefault(d.string, ''),
});
export type Verification = d.TypeOf<typeof verification>;

const dataset = d.object({
  source: d.string,
  dataset: d.string,
  market: d.string,
  error: d.withDefault(d.string, ''),
  historyVerifiedAt: d.withDefault(d.string, ''),
  openFindings: d.number,
  droppedFindings: d.withDefault(d.number, 0),
  series: d.array(series),
  /** What somebody wants verified now, and what became of it; the newest last. */
  asked: d.array(verification),
});
export type Dataset = d.TypeOf<typeof dataset>;

const status = d.object({ datasets: d.array(dataset) });
export type AuditStatus = d.TypeOf<typeof status>;

const request = d.object({
  method: d.string,
  market: d.string,
  path: d.string,
  query: d.string,
  weight: d.number,
  signed: d.withDefault(d.boolean, false),
});

const plan = d.object({
  requests: d.array(request),
  weight: d.number,
  until: d.withDefault(d.string, ''),
  urgency: d.string,
});
export type Plan = d.TypeOf<typeof plan>;

const extent = {
  id: d.string,
  series: seriesKey,
  symbols: d.array(d.string),
  kind: d.string,
  cause: d.string,
  from: d.string,
  to: d.string,
};
const brief = d.object(extent);
/** Where a finding is, without how it is known. */
export type Extent = d.TypeOf<typeof brief>;

const finding = d.object({
  ...extent,
  count: d.number,
  fields: d.array(d.string),
  evidence: d.string,
  openedAt: d.string,
  closedAt: d.withDefault(d.string, ''),
  checkedAt: d.string,
  confirmed: d.withDefault(d.boolean, false),
  plan: d.optional(plan),
  /** How the plan was handed to who repairs. */
  handover: d.optional(
    d.object({
      attempts: d.withDefault(d.number, 0),
      takenAt: d.withDefault(d.string, ''),
      refused: d.withDefault(d.boolean, false),
      error: d.withDefault(d.string, ''),
    }),
  ),
});
export type Finding = d.TypeOf<typeof finding>;

export interface FindingQuery {
  state?: 'open' | 'closed';
  cause?: string;
  source?: string;
  dataset?: string;
  market?: string;
  account?: string;
  symbol?: string;
  interval?: string;
  search?: string;
  /** Only what touches this time, in milliseconds. */
  from?: number;
  to?: number;
  limit?: number;
}

/** The audit of the platform's data. Answers 404 where nothing is audited. */
export class AuditApi {
  constructor(private readonly http: Http) {}

  async status(signal?: AbortSignal): Promise<AuditStatus> {
    return this.http.get('api/hw/v1/audit/status', status, { signal });
  }

  /** The open ones first, the newest first. */
  async findings(query: FindingQuery, signal?: AbortSignal): Promise<Finding[]> {
    return this.http.get('api/hw/v1/audit/findings', d.array(finding), { params: params(query), signal });
  }

  /** Where findings are, for a picture. */
  async extents(query: FindingQuery, signal?: AbortSignal): Promise<Extent[]> {
    return this.http.get('api/hw/v1/audit/findings', d.array(brief), {
      params: { ...params(query), brief: true },
      signal,
    });
  }

  /** Returns what of the stretch is verified; the status says when it is done. */
  async verify(series: SeriesKey, from: number, to: number): Promise<Verification> {
    const json = { series, from: new Date(from).toISOString(), to: new Date(to).toISOString() };
    return verification(await this.http.request('api/hw/v1/audit/verify', { method: 'POST', json }), '');
  }
}

function params({ from, to, ...rest }: FindingQuery) {
  const filled = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== ''));
  return {
    ...filled,
    from: from === undefined ? undefined : new Date(from).toISOString(),
    to: to === undefined ? undefined : new Date(to).toISOString(),
  };
}
