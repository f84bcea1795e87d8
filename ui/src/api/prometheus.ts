import * as d from './decode';
import { ApiError, type Http, type RequestOptions } from './http';

export type Labels = Record<string, string>;

/** [upper and lower bounds] of a native histogram's bucket: [boundary rule, lower, upper, count]. */
export type HistogramBucket = [number, string, string, string];

export interface Histogram {
  count: string;
  sum: string;
  buckets?: HistogramBucket[];
}

/** Unix time in seconds, and the value as Prometheus writes it ("NaN", "+Inf", "1.5"). */
export type SamplePair = [number, string];
export type HistogramPair = [number, Histogram];

export interface MatrixSeries {
  metric: Labels;
  values?: SamplePair[];
  histograms?: HistogramPair[];
}

export interface VectorSample {
  metric: Labels;
  value?: SamplePair;
  histogram?: HistogramPair;
}

export type QueryData =
  | { resultType: 'matrix'; result: MatrixSeries[] }
  | { resultType: 'vector'; result: VectorSample[] }
  | { resultType: 'scalar' | 'string'; result: SamplePair };

export interface QueryAnswer {
  data: QueryData;
  warnings: string[];
}

export interface RangeQuery {
  expr: string;
  /** Unix seconds. */
  start: number;
  end: number;
  step: number;
}

export interface RuleAlert {
  state: 'pending' | 'firing' | 'inactive';
  labels: Labels;
  annotations: Labels;
  activeAt?: string;
  value: string;
}

const labels = d.map(d.string);

const ruleAlert = d.object({
  state: d.oneOf('pending', 'firing', 'inactive'),
  labels,
  annotations: labels,
  activeAt: d.optional(d.string),
  value: d.withDefault(d.string, ''),
});

const rule = d.object({
  type: d.oneOf('alerting', 'recording'),
  name: d.string,
  query: d.string,
  labels,
  annotations: labels,
  health: d.string,
  state: d.optional(d.string),
  lastError: d.withDefault(d.string, ''),
  duration: d.withDefault(d.number, 0),
  keepFiringFor: d.withDefault(d.number, 0),
  evaluationTime: d.withDefault(d.number, 0),
  lastEvaluation: d.withDefault(d.string, ''),
  alerts: d.array(ruleAlert),
});
export type Rule = d.TypeOf<typeof rule>;

const ruleGroup = d.object({
  name: d.string,
  file: d.string,
  interval: d.number,
  limit: d.withDefault(d.number, 0),
  evaluationTime: d.withDefault(d.number, 0),
  lastEvaluation: d.withDefault(d.string, ''),
  rules: d.array(rule),
});
export type RuleGroup = d.TypeOf<typeof ruleGroup>;

const activeTarget = d.object({
  discoveredLabels: labels,
  labels,
  scrapePool: d.string,
  scrapeUrl: d.string,
  globalUrl: d.withDefault(d.string, ''),
  lastError: d.withDefault(d.string, ''),
  lastScrape: d.withDefault(d.string, ''),
  lastScrapeDuration: d.withDefault(d.number, 0),
  health: d.oneOf('up', 'down', 'unknown'),
  scrapeInterval: d.withDefault(d.string, ''),
  scrapeTimeout: d.withDefault(d.string, ''),
});
export type ActiveTarget = d.TypeOf<typeof activeTarget>;

const metadata = d.map(
  d.array(d.object({ type: d.string, help: d.string, unit: d.withDefault(d.string, '') })),
);
export type Metadata = d.TypeOf<typeof metadata>;

const exemplarSeries = d.object({
  seriesLabels: labels,
  /** Their timestamps are in Unix seconds. */
  exemplars: d.array(d.object({ labels, value: d.string, timestamp: d.number })),
});
export type ExemplarSeries = d.TypeOf<typeof exemplarSeries>;

/** The Prometheus HTTP API. */
export class PrometheusApi {
  constructor(private readonly http: Http) {}

  /** One instant query; time is in Unix seconds, now by default. */
  async query(expr: string, time?: number, signal?: AbortSignal): Promise<QueryAnswer> {
    return this.ask('api/v1/query', { form: { query: expr, time }, signal });
  }

  async queryRange({ expr, start, end, step }: RangeQuery, signal?: AbortSignal): Promise<QueryAnswer> {
    return this.ask('api/v1/query_range', {
      form: { query: expr, start, end, step },
      signal,
      timeoutMs: 120_000,
    });
  }

  /** The exemplars of all series that an expression selects. */
  async queryExemplars(expr: string, range: Range, signal?: AbortSignal): Promise<ExemplarSeries[]> {
    return this.data('api/v1/query_exemplars', d.array(exemplarSeries), {
      form: { query: expr, ...range },
      signal,
    });
  }

  async labelNames(matchers: string[] = [], range?: Range, signal?: AbortSignal): Promise<string[]> {
    return this.data('api/v1/labels', d.array(d.string), {
      params: { 'match[]': matchers, ...range },
      signal,
    });
  }

  async labelValues(
    name: string,
    matchers: string[] = [],
    range?: Range,
    signal?: AbortSignal,
  ): Promise<string[]> {
    const path = `api/v1/label/${encodeURIComponent(name)}/values`;
    return this.data(path, d.array(d.string), { params: { 'match[]': matchers, ...range }, signal });
  }

  async series(matchers: string[], range?: Range, signal?: AbortSignal): Promise<Labels[]> {
    return this.data('api/v1/series', d.array(labels), { form: { 'match[]': matchers, ...range }, signal });
  }

  async metadata(metric?: string, signal?: AbortSignal): Promise<Metadata> {
    return this.data('api/v1/metadata', metadata, { params: { metric }, signal });
  }

  async rules(signal?: AbortSignal): Promise<RuleGroup[]> {
    return (await this.data('api/v1/rules', d.object({ groups: d.array(ruleGroup) }), { signal })).groups;
  }

  async alerts(signal?: AbortSignal): Promise<RuleAlert[]> {
    return (await this.data('api/v1/alerts', d.object({ alerts: d.array(ruleAlert) }), { signal })).alerts;
  }

  async targets(signal?: AbortSignal): Promise<ActiveTarget[]> {
    const decode = d.object({ activeTargets: d.array(activeTarget) });
    return (await this.data('api/v1/targets', decode, { params: { state: 'active' }, signal })).activeTargets;
  }

  /** Any other endpoint of the API: its "data" field. */
  async data<T>(path: string, decode: d.Decoder<T>, options: RequestOptions = {}): Promise<T> {
    const body = d.record(await this.http.request(path, options), '');
    return decode(body.data, 'data');
  }

  private async ask(path: string, options: RequestOptions): Promise<QueryAnswer> {
    const body = d.record(await this.http.request(path, options), '');
    const warnings = d.array(d.string)(body.warnings, 'warnings');
    return { data: queryData(body.data), warnings };
  }
}

export interface Range extends Record<string, number> {
  start: number;
  end: number;
}

/**
 * Checks the frame of a result, not each of its samples: there may be a million,
 * and what reads them turns a damaged one into a gap.
 */
function queryData(value: unknown): QueryData {
  const { resultType, result } = d.record(value, 'data');
  if (!Array.isArray(result)) throw new ApiError(200, 'unexpected answer: data.result is not an array');
  switch (resultType) {
    case 'matrix':
    case 'vector':
      for (const series of result) d.record(d.record(series, 'data.result[]').metric, 'data.result[].metric');
      return { resultType, result } as QueryData;
    case 'scalar':
    case 'string':
      return { resultType, result: result as unknown as SamplePair };
    default:
      throw new ApiError(200, `unexpected answer: data.resultType is ${JSON.stringify(resultType)}`);
  }
}
