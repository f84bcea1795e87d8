import { displayName, numberFields, timeField, type Frame } from '../../model/frame';

export interface Cell {
  from: number;
  to: number;
  low: number;
  high: number;
  count: number;
  /** The bounds, where they are drawn elsewhere. */
  truly?: [low: number, high: number];
}

/** Counts in boxes of time and value. */
export interface Heat {
  cells: Cell[];
  min: number;
  max: number;
  /** Buckets that grow by a factor are drawn on a logarithmic axis. */
  log: boolean;
  /** Where one bucket ends and the next begins, upwards. */
  bounds?: number[];
  /** Names of the rows, where they are no numbers. */
  names?: string[];
}

const empty: Heat = { cells: [], min: 0, max: 1, log: false };

export function heatOf(frames: Frame[], calculate: boolean): Heat {
  const native = frames.filter((f) => f.kind === 'histogram');
  if (native.length > 0) return nativeHeat(native);
  const series = frames.filter((f) => timeField(f) && numberFields(f).length > 0);
  if (series.length === 0) return empty;
  if (calculate) return calculatedHeat(series);
  return bucketHeat(series);
}

function finish(cells: Heat['cells'], log: boolean, names?: string[]): Heat {
  if (cells.length === 0) return empty;
  let [min, max] = [Infinity, -Infinity];
  for (const { low, high } of cells) {
    if (low < min) min = low;
    if (high > max) max = high;
  }
  return { cells, min, max, log: log && min > 0, names };
}

/**
 * Several histograms become one: what they count in the same bucket is added.
 * Buckets that no axis can show whole, around zero or without an end, are drawn one
 * step beyond their neighbours; what is said of them is true.
 */
function nativeHeat(frames: Frame[]): Heat {
  const stepMs = Math.max(...frames.map((f) => f.stepMs ?? 0)) || 15_000;
  const cells = new Map<string, Cell>();
  for (const frame of frames) {
    frame.histogram?.forEach(({ time, buckets }) => {
      for (const { lower, upper, count } of buckets) {
        if (!(count > 0)) continue;
        const key = `${time} ${lower} ${upper}`;
        const cell = cells.get(key);
        if (cell) cell.count += count;
        else cells.set(key, { from: time, to: time + stepMs, low: lower, high: upper, count });
      }
    });
  }
  const list = [...cells.values()];
  // On a logarithmic axis nothing is below zero: there, only what reaches up from it.
  const log = list.every((c) => c.low >= 0 || c.low === -c.high || (c.low === -Infinity && c.high > 0));
  const least = list.reduce((a, c) => (c.low > 0 ? Math.min(a, c.low) : a), Infinity);
  const span = list
    .flatMap((c) => [c.low, c.high].map(Math.abs))
    .reduce((a, v) => (v < Infinity ? Math.max(a, v) : a), 0);
  for (const cell of list) {
    const { low, high } = cell;
    if (log && low === -high && Number.isFinite(least)) cell.high = least;
    if (log ? low <= 0 : low === -Infinity) cell.low = log ? cell.high / nativeStep : high - span / 10;
    if (high === Infinity) cell.high = log ? cell.low * nativeStep : low + span / 10;
    if (cell.low !== low || cell.high !== high) cell.truly = [low, high];
  }
  return finish(list, log);
}

const nativeStep = 1.5;

interface Row {
  bound: number;
  name: string;
  values: readonly (number | null)[];
  times: readonly number[];
  stepMs: number;
}

/**
 * One series for each bucket, named by its upper bound (le). Classic buckets hold
 * all below them: each is reduced to what it adds to the one before.
 */
function bucketHeat(frames: Frame[]): Heat {
  const rows = frames.flatMap((frame) =>
    numberFields(frame).map((field): Row => {
      const le = field.labels?.le;
      const name = displayName(field, frame);
      return {
        bound: parseBound(le ?? name),
        name,
        values: field.values as (number | null)[],
        times: (timeField(frame)?.values ?? []) as number[],
        stepMs: frame.stepMs ?? 0,
      };
    }),
  );
  if (rows.some((r) => Number.isNaN(r.bound))) return namedHeat(rows);
  rows.sort((a, b) => a.bound - b.bound);
  const finite = rows.filter((r) => Number.isFinite(r.bound));
  const cumulative =
    frames.some((f) => f.fields.some((field) => field.labels?.le !== undefined)) || isCumulative(rows);
  const factor = growth(finite.map((r) => r.bound));
  const cells: Heat['cells'] = [];
  rows.forEach((row, i) => {
    const below = rows[i - 1];
    const low = below?.bound ?? lowest(row.bound, factor);
    const high = Number.isFinite(row.bound) ? row.bound : low * (factor ?? 1.5) || 1;
    row.values.forEach((value, j) => {
      if (value === null) return;
      const from = row.times[j] ?? 0;
      const count = cumulative && below ? value - (below.values[j] ?? 0) : value;
      if (count > 0) cells.push({ from, to: from + step(row, j), low, high, count });
    });
  });
  const bounds = finite.map((r) => r.bound);
  return { ...finish(cells, factor !== undefined), bounds };
}

const parseBound = (text: string): number =>
  text === '+Inf' || text === 'Inf' ? Infinity : Number(text === '' ? NaN : text);

function isCumulative(rows: Row[]): boolean {
  return (
    rows.length > 2 &&
    rows.every(
      (row, i) => i === 0 || row.values.every((v, j) => v === null || v >= (rows[i - 1]?.values[j] ?? 0)),
    )
  );
}

/** The factor between bounds, if they grow by one rather than by a sum. */
function growth(bounds: number[]): number | undefined {
  const [first, second] = bounds;
  const [beforeLast, last] = bounds.slice(-2);
  if (
    first === undefined ||
    second === undefined ||
    beforeLast === undefined ||
    last === undefined ||
    first <= 0
  )
    return undefined;
  return last / first > 20 ? last / beforeLast : undefined;
}

const lowest = (bound: number, factor: number | undefined): number =>
  factor && bound > 0 ? bound / factor : Math.min(0, bound);

const step = (row: Row, j: number): number =>
  row.stepMs || (row.times[j + 1] ?? row.times[j] ?? 0) - (row.times[j] ?? 0) || 15_000;

function namedHeat(rows: Row[]): Heat {
  const cells = rows.flatMap((row, i) =>
    row.values.flatMap((value, j) => {
      if (value === null || value === 0) return [];
      const from = row.times[j] ?? 0;
      return [{ from, to: from + step(row, j), low: i, high: i + 1, count: value }];
    }),
  );
  return { ...finish(cells, false), min: 0, max: rows.length, names: rows.map((r) => r.name) };
}

const calculatedRows = 24;
const calculatedColumns = 80;

/** Plain series: how many of them are where at what time. */
function calculatedHeat(frames: Frame[]): Heat {
  let [min, max, start, end] = [Infinity, -Infinity, Infinity, -Infinity];
  const points: [number, number][] = [];
  for (const frame of frames) {
    const times = timeField(frame)?.values ?? [];
    for (const field of numberFields(frame)) {
      field.values.forEach((v, i) => {
        const t = times[i];
        if (typeof v !== 'number' || typeof t !== 'number' || !Number.isFinite(v)) return;
        points.push([t, v]);
        [min, max] = [Math.min(min, v), Math.max(max, v)];
        [start, end] = [Math.min(start, t), Math.max(end, t)];
      });
    }
  }
  if (points.length === 0) return empty;
  const height = (max - min || 1) / calculatedRows;
  const width = Math.max(1, (end - start) / calculatedColumns);
  const counts = new Map<number, number>();
  for (const [t, v] of points) {
    const key =
      Math.floor((t - start) / width) * 1000 + Math.min(calculatedRows - 1, Math.floor((v - min) / height));
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const cells = [...counts].map(([key, count]) => {
    const from = start + Math.floor(key / 1000) * width;
    const low = min + (key % 1000) * height;
    return { from, to: from + width, low, high: low + height, count };
  });
  return finish(cells, false);
}
