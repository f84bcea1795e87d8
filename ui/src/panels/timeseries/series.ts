import { colorOf } from '../../model/display';
import { customNumber, customString, hiddenFrom, type FieldConfig } from '../../model/fieldConfig';
import { displayName, timeField, type Frame, type Value } from '../../model/frame';
import { asNumber, asObject, asString } from '../../model/json';
import { reduce } from '../../model/calcs';

/** One line of a graph: what was measured, and how it is to be drawn. */
export interface Series {
  /** The query that it answers. */
  refId: string;
  name: string;
  config: FieldConfig;
  color: string;
  /** As measured; the legend and the tooltip show these. */
  values: readonly Value[];
  /** As drawn: turned over, stacked. */
  drawn: (number | null | undefined)[];
  /** Fields with the same one share an axis. */
  scale: string;
  stack?: string;
  hidden: boolean;
  inLegend: boolean;
}

export interface Graph {
  /** Unix milliseconds. */
  times: number[];
  series: Series[];
}

/** All number fields of all frames, on one common time column. */
export function graphOf(frames: Frame[]): Graph {
  const sources = frames.flatMap((frame) => {
    const time = timeField(frame);
    return time
      ? frame.fields.filter((f) => f.type === 'number').map((field) => ({ field, frame, times: time.values }))
      : [];
  });
  const times = commonTimes(sources.map((s) => s.times));
  const series = sources
    .filter(({ field }) => !hiddenFrom(field.config, 'viz'))
    .map(({ field, frame, times: own }, index): Series => {
      const values = onTimes(field.values, own, times);
      // Lines are told apart by colour unless the dashboard says otherwise.
      const config = field.config.color.mode === '' ? { ...field.config, color: palette } : field.config;
      return {
        refId: frame.refId,
        name: displayName(field, frame),
        config,
        color: colorOf(config, needsValue(config) ? reduce('lastNotNull', values) : null, {
          zone: 'utc',
          index,
        }),
        values,
        drawn: drawnValues(values, config, times),
        scale: scaleOf(config),
        stack: stackOf(config),
        hidden: false,
        inLegend: !hiddenFrom(config, 'legend'),
      };
    });
  return { times, series };
}

const palette = { mode: 'palette-classic', fixedColor: '' };

const needsValue = ({ color }: FieldConfig) =>
  color.mode === 'thresholds' || color.mode.startsWith('continuous');

function commonTimes(columns: (readonly Value[])[]): number[] {
  const [first] = columns;
  if (!first) return [];
  if (columns.every((c) => c === first)) return first as number[];
  const all = new Set<number>();
  for (const column of new Set(columns)) for (const t of column) if (typeof t === 'number') all.add(t);
  return [...all].sort((a, b) => a - b);
}

function onTimes(values: readonly Value[], own: readonly Value[], times: number[]): readonly Value[] {
  if (own === times) return values;
  const byTime = new Map(own.map((t, i) => [t, values[i] ?? null]));
  // Not measured at that moment is no gap: another query has its own steps.
  return times.map((t) => byTime.get(t) ?? (undefined as unknown as null));
}

function drawnValues(
  values: readonly Value[],
  config: FieldConfig,
  times: number[],
): (number | null | undefined)[] {
  const turn = config.custom.transform === 'negative-Y';
  const constant =
    config.custom.transform === 'constant' ? values.find((v) => typeof v === 'number') : undefined;
  const drawn = values.map((v) => {
    if (typeof constant === 'number') return constant;
    if (typeof v !== 'number' || !Number.isFinite(v)) return v === undefined ? undefined : null;
    return turn ? -v : v;
  });
  const { spanNulls } = config.custom;
  return typeof spanNulls === 'number' ? bridge(drawn, times, spanNulls) : drawn;
}

/** Where a value stands alone between two gaps (null), so that no line leads to it. */
export function lonelyValues(drawn: ArrayLike<number | null | undefined>, spanGaps: boolean): number[] {
  const lonely: number[] = [];
  let met: number[] = [];
  for (let i = 0; i <= drawn.length; i++) {
    const value = i < drawn.length ? drawn[i] : null;
    if (typeof value === 'number') met.push(i);
    if (value !== null || (spanGaps && i < drawn.length)) continue;
    if (met.length === 1) lonely.push(...met);
    met = [];
  }
  return lonely;
}

/** Gaps up to a length are drawn over: undefined is no gap to the chart. */
export function bridge(
  values: (number | null | undefined)[],
  times: number[],
  longest: number,
): (number | null | undefined)[] {
  const result = values.slice();
  let last = -1;
  for (let i = 0; i < values.length; i++) {
    if (typeof values[i] !== 'number') continue;
    if (last >= 0 && i - last > 1 && (times[i] ?? 0) - (times[last] ?? 0) <= longest)
      result.fill(undefined, last + 1, i);
    last = i;
  }
  return result;
}

function scaleOf(config: FieldConfig): string {
  const { custom } = config;
  const distribution = asObject(custom.scaleDistribution);
  return [
    config.unit ?? 'short',
    customString(config, 'axisPlacement', 'auto'),
    config.min,
    config.max,
    custom.axisSoftMin,
    custom.axisSoftMax,
    asString(distribution.type, 'linear'),
    customString(config, 'axisLabel', ''),
  ].join('|');
}

function stackOf(config: FieldConfig): string | undefined {
  const { mode, group } = asObject(config.custom.stacking);
  if (mode !== 'normal' && mode !== 'percent') return undefined;
  const half = config.custom.transform === 'negative-Y' ? 'below' : 'above';
  // A group of false is one of its own, as dashboards have it for totals.
  return `${String(group ?? 'A')} ${half} ${mode} ${scaleOf(config)}`;
}

export interface Stacked {
  series: Series[];
  /** Pairs of indexes: the space between the two belongs to the first. */
  bands: [number, number][];
}

/**
 * Puts the series of each stack on top of each other. A series that is not there
 * at a moment adds nothing, and is a gap itself.
 */
export function stack(series: Series[]): Stacked {
  const totals = new Map<string, number[]>();
  const previous = new Map<string, number>();
  const sums = percentTotals(series);
  const bands: [number, number][] = [];
  const stacked = series.map((s, index): Series => {
    if (!s.stack || s.hidden) return s;
    const below = totals.get(s.stack) ?? new Array<number>(s.drawn.length).fill(0);
    const whole = sums.get(s.stack);
    const drawn = s.drawn.map((v, i) => {
      if (typeof v !== 'number') return v;
      const share = whole ? (whole[i] ? v / whole[i] : 0) : v;
      return (below[i] = (below[i] ?? 0) + share);
    });
    totals.set(s.stack, below);
    const under = previous.get(s.stack);
    if (under !== undefined) bands.push([index, under]);
    previous.set(s.stack, index);
    return { ...s, drawn };
  });
  return { series: stacked, bands };
}

function percentTotals(series: Series[]): Map<string, number[]> {
  const sums = new Map<string, number[]>();
  for (const s of series) {
    if (!s.stack?.includes(' percent ') || s.hidden) continue;
    const total = sums.get(s.stack) ?? new Array<number>(s.drawn.length).fill(0);
    s.drawn.forEach((v, i) => (total[i] = (total[i] ?? 0) + Math.abs(v ?? 0)));
    sums.set(s.stack, total);
  }
  return sums;
}

export interface YRange {
  min: number;
  max: number;
}

/** The range of an axis: fixed ends win; thresholds that are drawn are in it; soft ends are in it. */
export function yRange(config: FieldConfig, data: YRange | undefined, withZero = false): YRange {
  const { custom, thresholds } = config;
  const style = asString(asObject(custom.thresholdsStyle).mode, 'off');
  let low = data?.min ?? 0;
  let high = data?.max ?? 1;
  if (withZero) [low, high] = [Math.min(0, low), Math.max(0, high)];
  if (style !== 'off' && thresholds.mode === 'absolute') {
    for (const { value } of thresholds.steps) {
      if (!Number.isFinite(value)) continue;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  low = Math.min(low, asNumber(custom.axisSoftMin, low));
  high = Math.max(high, asNumber(custom.axisSoftMax, high));
  if (custom.axisCenteredZero === true) {
    high = Math.max(Math.abs(low), Math.abs(high));
    low = -high;
  }
  if (low === high) {
    // A flat line stands in the middle, or on the ground when it is zero.
    const room = Math.abs(low) || 1;
    [low, high] = low === 0 ? [0, 1] : [low - room * 0.1, high + room * 0.1];
  } else {
    const room = (high - low) * 0.06;
    // Counts and shares do not dip below zero only to give the line some air.
    low = low >= 0 && low - room < 0 ? Math.min(low, 0) : low - room;
    high = high <= 0 && high + room > 0 ? 0 : high + room;
  }
  return { min: config.min ?? low, max: config.max ?? high };
}

export const lineWidth = (config: FieldConfig): number => customNumber(config, 'lineWidth', 1);
