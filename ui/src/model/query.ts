import type { Histogram, Labels, PrometheusApi, QueryAnswer } from '../api/prometheus';
import { messageOf } from '../api/http';
import type { Panel, Target } from './dashboard';
import { exemplarsOf, type Exemplar } from './exemplars';
import { emptyConfig } from './fieldConfig';
import {
  legendName,
  parseSample,
  seriesName,
  type Field,
  type Frame,
  type NativeHistogram,
  type Value,
} from './frame';
import { builtIns, interpolate, stepFor, textFormat, withExtra, type Scope } from './interpolate';
import { parseDuration } from './time';

/** Everything that the answer of a panel depends on. */
export interface QueryContext {
  scope: Scope;
  range: { from: number; to: number };
  /** Pixels that the data is drawn on. */
  width: number;
  scrapeIntervalMs: number;
}

export interface PanelData {
  frames: Frame[];
  /** Of the queries that ask for them. */
  exemplars: Exemplar[];
  /** By query; the others may still have answered. */
  errors: { refId: string; error: unknown }[];
  warnings: string[];
  range: { from: number; to: number };
}

/** Asks all queries of a panel at once. It fails only when it is cancelled. */
export async function queryPanel(
  api: PrometheusApi,
  panel: Panel,
  context: QueryContext,
  signal: AbortSignal,
): Promise<PanelData> {
  const range = panelRange(panel, context.range);
  const asked = panel.targets.filter((t) => !t.hide && !t.foreign && t.expr.trim() !== '');
  const data: PanelData = { frames: [], exemplars: [], errors: [], warnings: [], range };
  const answers = await Promise.allSettled(
    asked.map((t) => queryTarget(api, panel, t, { ...context, range }, signal)),
  );
  signal.throwIfAborted();
  answers.forEach((answer, i) => {
    if (answer.status === 'rejected') {
      data.errors.push({ refId: asked[i]?.refId ?? '', error: answer.reason });
      return;
    }
    data.frames.push(...answer.value.frames);
    data.exemplars.push(...answer.value.exemplars);
    data.warnings.push(...answer.value.warnings);
  });
  const tables = data.frames.filter((f) => f.kind === undefined);
  if (asked.length > 1 && tables.length > 0) data.frames = data.frames.map(nameValueByQuery);
  return data;
}

/** A panel may look at another time than its dashboard: "timeFrom" and "timeShift". */
function panelRange(panel: Panel, range: { from: number; to: number }): { from: number; to: number } {
  const length = parseDuration(panel.timeFrom.replace(/^now-/, ''));
  const shift = parseDuration(panel.timeShift.replace(/^now-/, '')) ?? 0;
  const from = length === undefined ? range.from : range.to - length;
  return { from: from - shift, to: range.to - shift };
}

async function queryTarget(
  api: PrometheusApi,
  panel: Panel,
  target: Target,
  context: QueryContext,
  signal: AbortSignal,
): Promise<Pick<PanelData, 'frames' | 'exemplars' | 'warnings'>> {
  const { range, scope } = context;
  const minInterval = interpolate(target.interval || panel.interval, scope);
  const step = stepFor({
    from: range.from,
    to: range.to,
    maxDataPoints: panel.maxDataPoints ?? context.width,
    minInterval,
    intervalFactor: target.intervalFactor,
    scrapeIntervalMs: context.scrapeIntervalMs,
  });
  const filled = withExtra({ ...scope, range }, builtIns(step, range));
  const expr = interpolate(target.expr, filled);
  const legend = interpolate(target.legendFormat, filled, textFormat);
  const both = target.instant && target.range;
  const frames: Frame[] = [];
  const exemplars: Exemplar[] = [];
  const warnings: string[] = [];
  if (!target.instant || both) {
    // Ends on whole steps, so that a graph does not shimmer while it moves.
    const start = Math.floor(range.from / step.stepMs) * step.stepMs;
    const end = Math.ceil(range.to / step.stepMs) * step.stepMs;
    const query = { expr, start: start / 1000, end: end / 1000, step: step.stepMs / 1000 };
    const wanted = target.exemplar && panel.type === 'timeseries' && target.format !== 'table';
    const [answer, found] = await Promise.all([
      api.queryRange(query, signal),
      // A graph is worth seeing without them.
      wanted
        ? api
            .queryExemplars(expr, { start: query.start, end: query.end }, signal)
            .catch((error: unknown) => messageOf(error))
        : [],
    ]);
    if (typeof found === 'string') warnings.push(`The exemplars of ${target.refId} are missing: ${found}`);
    else exemplars.push(...exemplarsOf(found, target.refId, step.stepMs));
    frames.push(...framesOf(answer, { target, legend, start, end, stepMs: step.stepMs }));
    warnings.push(...answer.warnings);
  }
  if (target.instant) {
    const answer = await api.query(expr, range.to / 1000, signal);
    frames.push(...framesOf(answer, { target, legend, start: range.to, end: range.to, stepMs: 0 }));
    warnings.push(...answer.warnings);
  }
  return { frames, exemplars, warnings };
}

interface Shape {
  target: Pick<Target, 'refId' | 'format'>;
  legend: string;
  start: number;
  end: number;
  stepMs: number;
}

export function framesOf({ data }: QueryAnswer, shape: Shape): Frame[] {
  const { refId, format } = shape.target;
  switch (data.resultType) {
    case 'matrix': {
      const times = timeGrid(shape);
      const plain = data.result.filter((s) => s.values);
      const frames = autoLegend(
        plain.map((s) =>
          seriesFrame(refId, shape, s.metric, times, onGrid(s.values ?? [], shape, times.length)),
        ),
        shape.legend,
      );
      const native = data.result.filter((s) => s.histograms);
      frames.push(...native.map((s) => histogramFrame(refId, shape, s.metric, s.histograms ?? [])));
      return format === 'table' ? tableOf(refId, frames) : frames;
    }
    case 'vector': {
      const frames = data.result.flatMap((s) => {
        if (s.histogram) return [histogramFrame(refId, shape, s.metric, [s.histogram])];
        if (!s.value) return [];
        const [at, text] = s.value;
        return [seriesFrame(refId, shape, s.metric, [at * 1000], [parseSample(text)])];
      });
      const named = autoLegend(frames, shape.legend);
      return format === 'table' ? tableOf(refId, named) : named;
    }
    default: {
      const [at, text] = data.result;
      const value = data.resultType === 'scalar' ? parseSample(text) : text;
      return [seriesFrame(refId, shape, {}, [at * 1000], [value])];
    }
  }
}

/** All series of one query share one time column: nothing has to be joined to draw them. */
function timeGrid({ start, end, stepMs }: Shape): number[] {
  const count = stepMs > 0 ? Math.floor((end - start) / stepMs) + 1 : 1;
  return Array.from({ length: count }, (_, i) => start + i * stepMs);
}

function onGrid(samples: [number, string][], { start, stepMs }: Shape, length: number): Value[] {
  const values = new Array<Value>(length).fill(null);
  for (const [at, text] of samples) {
    const i = Math.round((at * 1000 - start) / stepMs);
    if (i >= 0 && i < length) values[i] = parseSample(text);
  }
  return values;
}

function seriesFrame(refId: string, shape: Shape, labels: Labels, times: Value[], values: Value[]): Frame {
  const automatic = shape.legend === '' || shape.legend === '__auto';
  const time: Field = { name: 'Time', type: 'time', values: times, config: emptyConfig };
  const value: Field = {
    name: 'Value',
    type: typeof values.find((v) => v !== null) === 'string' ? 'string' : 'number',
    values,
    labels,
    legend: automatic ? undefined : legendName(shape.legend, labels),
    config: emptyConfig,
  };
  return { refId, kind: 'series', fields: [time, value], length: times.length, stepMs: shape.stepMs };
}

/** Automatic names say only what tells the series apart. */
function autoLegend(frames: Frame[], legend: string): Frame[] {
  if (legend !== '__auto') return frames;
  const all = frames.map((f) => f.fields[1]?.labels ?? {});
  const names = [...new Set(all.flatMap((l) => Object.keys(l)))];
  const telling = names.filter((name) => new Set(all.map((l) => l[name])).size > 1);
  return frames.map((frame, i) => {
    const labels = all[i] ?? {};
    const only = telling.length === 1 ? labels[telling[0] ?? ''] : undefined;
    const short = Object.fromEntries(Object.entries(labels).filter(([name]) => telling.includes(name)));
    const name = telling.length === 0 ? seriesName(labels) : (only ?? seriesName(short));
    return { ...frame, fields: frame.fields.map((f) => (f.labels ? { ...f, legend: name } : f)) };
  });
}

function histogramFrame(refId: string, shape: Shape, labels: Labels, samples: [number, Histogram][]): Frame {
  const histogram = samples.map(([at, h]): NativeHistogram => ({
    time: at * 1000,
    buckets: (h.buckets ?? []).map(([, lower, upper, count]) => ({
      lower: parseSample(lower) ?? 0,
      upper: parseSample(upper) ?? 0,
      count: parseSample(count) ?? 0,
    })),
  }));
  const time: Field = {
    name: 'Time',
    type: 'time',
    values: histogram.map((h) => h.time),
    config: emptyConfig,
  };
  const count: Field = {
    name: 'Count',
    type: 'number',
    values: samples.map(([, h]) => parseSample(h.count)),
    labels,
    legend: shape.legend ? legendName(shape.legend, labels) : undefined,
    config: emptyConfig,
  };
  return {
    refId,
    kind: 'histogram',
    fields: [time, count],
    length: histogram.length,
    histogram,
    stepMs: shape.stepMs,
  };
}

/** One row for each sample: time, all labels, value. */
function tableOf(refId: string, frames: Frame[]): Frame[] {
  const series = frames.filter((f) => f.kind === 'series');
  if (series.length === 0) return [];
  const names = [...new Set(series.flatMap((f) => Object.keys(f.fields[1]?.labels ?? {})))].sort();
  const times: Value[] = [];
  const values: Value[] = [];
  const columns = new Map(names.map((name) => [name, [] as Value[]]));
  for (const { fields } of series) {
    const [time, value] = fields;
    value?.values.forEach((v, i) => {
      if (v === null && value.values.length > 1) return;
      times.push(time?.values[i] ?? null);
      values.push(v);
      for (const [name, list] of columns) list.push(value.labels?.[name] ?? null);
    });
  }
  const field = (name: string, type: Field['type'], list: Value[]): Field => ({
    name,
    type,
    values: list,
    config: emptyConfig,
  });
  const labelFields = [...columns].map(([name, list]) => field(name, 'string', list));
  return [
    {
      refId,
      fields: [field('Time', 'time', times), ...labelFields, field('Value', 'number', values)],
      length: values.length,
    },
  ];
}

/** With several queries the values of tables are told apart: "Value #B". */
function nameValueByQuery(frame: Frame): Frame {
  if (frame.kind !== undefined) return frame;
  return {
    ...frame,
    fields: frame.fields.map((f) => (f.name === 'Value' ? { ...f, name: `Value #${frame.refId}` } : f)),
  };
}
