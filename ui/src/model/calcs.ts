import type { Value } from './frame';

/** Reductions of a column to one value, by the names that dashboards use. */
interface Calc {
  label: string;
  run: (values: readonly Value[]) => Value;
  /** The result is a count or a share, not a value in the field's unit. */
  unitless?: boolean;
}

const numbers = (values: readonly Value[]): number[] => {
  const result: number[] = [];
  for (const v of values) if (typeof v === 'number' && !Number.isNaN(v)) result.push(v);
  return result;
};

const sum = (values: readonly Value[]): number | null => {
  const n = numbers(values);
  return n.length === 0 ? null : n.reduce((a, b) => a + b, 0);
};

function extreme(values: readonly Value[], better: (a: number, b: number) => boolean): number | null {
  let best: number | null = null;
  for (const v of values) if (typeof v === 'number' && (best === null || better(v, best))) best = v;
  return best;
}

const mean = (values: readonly Value[]): number | null => {
  const n = numbers(values);
  return n.length === 0 ? null : n.reduce((a, b) => a + b, 0) / n.length;
};

const variance = (values: readonly Value[]): number | null => {
  const n = numbers(values);
  const average = mean(n);
  return average === null ? null : n.reduce((a, b) => a + (b - average) ** 2, 0) / n.length;
};

function percentile(values: readonly Value[], p: number): number | null {
  const n = numbers(values).sort((a, b) => a - b);
  return n[Math.min(n.length - 1, Math.max(0, Math.ceil((p / 100) * n.length) - 1))] ?? null;
}

const firstNotNull = (values: readonly Value[]): Value => values.find((v) => v !== null) ?? null;

function lastNotNull(values: readonly Value[]): Value {
  for (let i = values.length - 1; i >= 0; i--) if (values[i] !== null) return values[i] ?? null;
  return null;
}

/** What a counter rose by: a fall is a reset, from which it counts anew. */
function delta(values: readonly Value[]): number | null {
  const n = numbers(values);
  let total = 0;
  for (let i = 1; i < n.length; i++) {
    const step = (n[i] ?? 0) - (n[i - 1] ?? 0);
    total += step >= 0 ? step : (n[i] ?? 0);
  }
  return n.length === 0 ? null : total;
}

function difference(values: readonly Value[]): number | null {
  const n = numbers(values);
  return n.length === 0 ? null : (n[n.length - 1] ?? 0) - (n[0] ?? 0);
}

export const calcs: Record<string, Calc> = {
  lastNotNull: { label: 'Last', run: lastNotNull },
  last: { label: 'Last (may be none)', run: (v) => v[v.length - 1] ?? null },
  firstNotNull: { label: 'First', run: firstNotNull },
  first: { label: 'First (may be none)', run: (v) => v[0] ?? null },
  min: { label: 'Min', run: (v) => extreme(v, (a, b) => a < b) },
  max: { label: 'Max', run: (v) => extreme(v, (a, b) => a > b) },
  mean: { label: 'Mean', run: mean },
  median: { label: 'Median', run: (v) => percentile(v, 50) },
  sum: { label: 'Total', run: sum },
  range: {
    label: 'Range',
    run: (v) => {
      const [low, high] = [extreme(v, (a, b) => a < b), extreme(v, (a, b) => a > b)];
      return low === null || high === null ? null : high - low;
    },
  },
  diff: { label: 'Difference', run: difference },
  diffperc: {
    label: 'Difference %',
    unitless: true,
    run: (v) => {
      const [first, change] = [firstNotNull(v), difference(v)];
      return typeof first === 'number' && first !== 0 && change !== null ? change / Math.abs(first) : null;
    },
  },
  delta: { label: 'Increase', run: delta },
  count: { label: 'Count', run: (v) => v.length, unitless: true },
  changeCount: {
    label: 'Changes',
    run: (v) => v.filter((x, i) => i > 0 && x !== v[i - 1]).length,
    unitless: true,
  },
  distinctCount: { label: 'Distinct', run: (v) => new Set(v).size, unitless: true },
  variance: { label: 'Variance', run: variance, unitless: true },
  stdDev: {
    label: 'Standard deviation',
    run: (v) => {
      const spread = variance(v);
      return spread === null ? null : Math.sqrt(spread);
    },
  },
  allIsZero: { label: 'All zero', run: (v) => v.every((x) => x === 0), unitless: true },
  allIsNull: { label: 'All missing', run: (v) => v.every((x) => x === null), unitless: true },
};

const aliases: Record<string, string> = {
  total: 'sum',
  avg: 'mean',
  current: 'lastNotNull',
  lastValue: 'lastNotNull',
};

/** Undefined for a calculation that we do not know. */
export function calcOf(id: string): Calc | undefined {
  const share = /^p(\d{1,2})$/.exec(id);
  if (share) return { label: `${share[1]}th percentile`, run: (v) => percentile(v, Number(share[1])) };
  return calcs[aliases[id] ?? id];
}

export const reduce = (id: string, values: readonly Value[]): Value =>
  (calcOf(id) ?? calcs.lastNotNull)?.run(values) ?? null;
