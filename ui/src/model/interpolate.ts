import { formatDuration, parseDuration } from './time';
import {
  allValueMarker,
  autoIntervalMarker,
  textsOf,
  valuesOf,
  type Variable,
  type VariableOption,
  type VariableValue,
} from './variables';

/** A variable with its options and what is chosen of them. */
export interface ResolvedVariable {
  variable: Variable;
  options: VariableOption[];
  current: VariableValue;
  error?: string;
}

/** Everything that $names in a query or a title may stand for. */
export interface Scope {
  variables: ReadonlyMap<string, ResolvedVariable>;
  /** Values of one repetition, or of $__interval and its like: they win. */
  extra: Readonly<Record<string, VariableValue>>;
  range?: { from: number; to: number };
}

export const emptyScope: Scope = { variables: new Map(), extra: {} };

export function withExtra(scope: Scope, extra: Record<string, string>): Scope {
  const values = Object.entries(extra).map(([name, value]) => [name, { text: value, value }] as const);
  return { ...scope, extra: { ...scope.extra, ...Object.fromEntries(values) } };
}

const reference =
  /\$\{([\p{L}_][\p{L}\p{N}_]*)(?:\.([\w.]+))?(?::([^}]+))?\}|\$([\p{L}_][\p{L}\p{N}_]*)|\[\[([\p{L}_][\p{L}\p{N}_]*)(?::([^\]]+))?\]\]/gu;

export type Format = (values: string[], context: { multi: boolean; texts: string[]; name: string }) => string;

/** In PromQL several values become an alternation; in a title a list. */
export const promqlFormat: Format = (values, { multi }) => {
  if (!multi) return values.map(escapeString).join('|');
  const escaped = values.map(escapeRegExp);
  return escaped.length === 1 ? (escaped[0] ?? '') : `(${escaped.join('|')})`;
};

export const textFormat: Format = (_, { texts }) => texts.join(' + ');
export const urlFormat: Format = (values) => values.map(encodeURIComponent).join(',');

/** Replaces $name, ${name}, ${name:format} and [[name]]; unknown names stay as they are. */
export function interpolate(text: string, scope: Scope, format: Format = promqlFormat): string {
  if (!text.includes('$') && !text.includes('[[')) return text;
  return text.replace(reference, (whole, braced, _field, bracedFormat, bare, bracket, bracketFormat) => {
    const name: string = braced ?? bare ?? bracket;
    const asked: string | undefined = bracedFormat ?? bracketFormat;
    const found = lookup(name, asked, scope);
    if (found === undefined) return whole;
    if (typeof found === 'string') return found;
    if (found.raw && asked === undefined) return found.values.join('|');
    const chosen = asked === undefined ? format : (formats[asked.split(':')[0] ?? ''] ?? format);
    return chosen(found.values, { multi: found.multi, texts: found.texts, name });
  });
}

interface Found {
  values: string[];
  texts: string[];
  multi: boolean;
  /** Goes into the query as it is: intervals, and what stands for "All". */
  raw?: boolean;
}

function lookup(name: string, asked: string | undefined, scope: Scope): Found | string | undefined {
  const extra = scope.extra[name];
  if (extra) {
    const multi = scope.variables.get(name)?.variable.multi ?? false;
    return { values: valuesOf(extra), texts: textsOf(extra), multi, raw: name.startsWith('__') };
  }
  if ((name === '__from' || name === '__to') && scope.range) {
    return formatTime(name === '__from' ? scope.range.from : scope.range.to, asked);
  }
  // For links: what an address needs so that another dashboard shows the same.
  if (name === '__url_time_range' && scope.range)
    return `from=${Math.round(scope.range.from)}&to=${Math.round(scope.range.to)}`;
  if (name === '__all_variables') return new URLSearchParams(chosenOf(scope)).toString();
  const resolved = scope.variables.get(name);
  if (!resolved) return undefined;
  const { variable, options, current } = resolved;
  const values = valuesOf(current);
  if (values.includes(allValueMarker)) {
    if (variable.allValue !== '' && asked !== 'text')
      return { values: [variable.allValue], texts: ['All'], multi: true, raw: true };
    return { values: options.map((o) => o.value), texts: ['All'], multi: true };
  }
  if (variable.type === 'interval') {
    const value = values[0] === autoIntervalMarker ? autoInterval(variable, scope) : (values[0] ?? '');
    return { values: [value], texts: [value], multi: false, raw: true };
  }
  const multi = variable.multi || variable.includeAll;
  // Text that a person typed, or a constant, may be any part of an expression.
  const raw = variable.type === 'textbox' || variable.type === 'constant';
  return { values, texts: textsOf(current), multi, raw };
}

/** What is chosen, as an address has it: var-job=node for each value. */
const chosenOf = ({ variables }: Scope): string[][] =>
  [...variables.values()].flatMap(({ variable, current }) =>
    valuesOf(current).map((value) => [`var-${variable.name}`, value]),
  );

function autoInterval(v: Variable, scope: Scope): string {
  const length = scope.range ? scope.range.to - scope.range.from : 3_600_000;
  return formatDuration(
    Math.max(roundStep(length / Math.max(1, v.autoCount)), parseDuration(v.autoMin) ?? 10_000),
  );
}

function formatTime(instant: number, asked: string | undefined): string {
  if (asked === 'date:seconds') return String(Math.floor(instant / 1000));
  if (asked?.startsWith('date')) return new Date(instant).toISOString();
  return String(Math.round(instant));
}

export const escapeRegExp = (text: string): string =>
  text.replace(/[\\^$*+?.()|[\]{}]/g, '\\\\$&').replaceAll('"', '\\"');
const escapeString = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('"', '\\"');
const plainRegExp = (text: string): string => text.replace(/[\\^$*+?.()|[\]{}/]/g, '\\$&');

const formats: Record<string, Format> = {
  raw: (v) => v.join(','),
  csv: (v) => v.join(','),
  pipe: (v) => v.join('|'),
  distributed: (v, { name }) => v.map((value, i) => (i === 0 ? value : `${name}=${value}`)).join(','),
  doublequote: (v) => v.map((value) => `"${value.replaceAll('"', '\\"')}"`).join(','),
  singlequote: (v) => v.map((value) => `'${value.replaceAll("'", "\\'")}'`).join(','),
  sqlstring: (v) => v.map((value) => `'${value.replaceAll("'", "''")}'`).join(','),
  glob: (v) => (v.length > 1 ? `{${v.join(',')}}` : (v[0] ?? '')),
  json: (v) => JSON.stringify(v.length > 1 ? v : (v[0] ?? '')),
  regex: (v) => (v.length > 1 ? `(${v.map(plainRegExp).join('|')})` : plainRegExp(v[0] ?? '')),
  percentencode: (v) => encodeURIComponent(v.length > 1 ? `{${v.join(',')}}` : (v[0] ?? '')),
  queryparam: (v, { name }) => v.map((value) => `var-${name}=${encodeURIComponent(value)}`).join('&'),
  text: (_, { texts }) => texts.join(' + '),
};

/** The names that a text refers to: which variables must be known before it is asked. */
export function references(text: string): Set<string> {
  return new Set([...text.matchAll(reference)].map((m) => m[1] ?? m[4] ?? m[5] ?? ''));
}

const roundSteps = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 15_000, 20_000, 30_000, 60_000, 120_000,
  300_000, 600_000, 900_000, 1_200_000, 1_800_000, 3_600_000, 7_200_000, 10_800_000, 21_600_000, 43_200_000,
  86_400_000, 604_800_000, 2_592_000_000, 31_536_000_000,
];

/** The round step that is nearest, by proportion. */
export function roundStep(ms: number): number {
  let best = roundSteps[0] ?? 1;
  for (const step of roundSteps) {
    if (Math.abs(Math.log(step / ms)) < Math.abs(Math.log(best / ms))) best = step;
  }
  return best;
}

export interface StepRequest {
  from: number;
  to: number;
  /** How many points are worth asking for: the width in pixels. */
  maxDataPoints: number;
  /** "30s", ">30s", "$interval", or empty. */
  minInterval: string;
  intervalFactor: number;
  scrapeIntervalMs: number;
}

/** Points that Prometheus refuses to answer beyond. */
const maxPoints = 11_000;

export interface Step {
  stepMs: number;
  rateIntervalMs: number;
}

/** A step below the scrape interval would draw the same sample twice. */
export function stepFor(request: StepRequest): Step {
  const { from, to, maxDataPoints, minInterval, intervalFactor, scrapeIntervalMs } = request;
  const least = parseDuration(minInterval.replace(/^>/, '')) ?? scrapeIntervalMs;
  const wanted = roundStep((to - from) / Math.max(1, maxDataPoints)) * intervalFactor;
  const floor = Math.ceil((to - from) / (maxPoints - 1));
  const stepMs = Math.max(wanted, least, floor, 1);
  return { stepMs, rateIntervalMs: Math.max(stepMs + scrapeIntervalMs, 4 * scrapeIntervalMs) };
}

/** $__interval and its like, for one query. */
export function builtIns(step: Step, range: { from: number; to: number }): Record<string, string> {
  const seconds = Math.round((range.to - range.from) / 1000);
  return {
    __interval: formatDuration(step.stepMs),
    __interval_ms: String(step.stepMs),
    __rate_interval: formatDuration(step.rateIntervalMs),
    __rate_interval_ms: String(step.rateIntervalMs),
    __range: `${seconds}s`,
    __range_s: String(seconds),
    __range_ms: String(range.to - range.from),
  };
}
