import type { PrometheusApi } from '../api/prometheus';
import { interpolate, references, textFormat, type ResolvedVariable, type Scope } from './interpolate';
import {
  chooseValue,
  optionsFrom,
  parseVariableQuery,
  slashedRegExp,
  valuesOf,
  type Variable,
  type VariableOption,
} from './variables';

interface Context {
  range: { from: number; to: number };
  /** What the address says: var-name=a&var-name=b. */
  chosen: ReadonlyMap<string, string[]>;
}

/**
 * Finds the options of all variables. One that refers to another waits for it;
 * those that know nothing of each other are asked at the same time.
 */
export async function resolveVariables(
  api: PrometheusApi,
  variables: Variable[],
  context: Context,
  signal: AbortSignal,
): Promise<Map<string, ResolvedVariable>> {
  const names = new Set(variables.map((v) => v.name));
  const resolved = new Map<string, ResolvedVariable>();
  let waiting = variables;
  while (waiting.length > 0) {
    const isReady = (v: Variable) =>
      [...references(v.query + v.regex)].every(
        (name) => !names.has(name) || resolved.has(name) || name === v.name,
      );
    const ready = waiting.filter(isReady);
    // Variables that wait for each other are asked as they are.
    const now = ready.length > 0 ? ready : waiting;
    const scope: Scope = { variables: resolved, extra: {}, range: context.range };
    const done = await Promise.all(now.map((v) => resolveVariable(api, v, scope, context, signal)));
    for (const r of done) resolved.set(r.variable.name, r);
    waiting = waiting.filter((v) => !now.includes(v));
  }
  // The order of the dashboard, not of the answers.
  return new Map(variables.map((v) => [v.name, resolved.get(v.name) as ResolvedVariable]));
}

async function resolveVariable(
  api: PrometheusApi,
  variable: Variable,
  scope: Scope,
  { range, chosen }: Context,
  signal: AbortSignal,
): Promise<ResolvedVariable> {
  const wanted = chosen.get(variable.name) ?? valuesOf(variable.current);
  if (variable.type === 'textbox') {
    const text = wanted[0] ?? '';
    return { variable, options: [], current: { text, value: text } };
  }
  if (variable.type !== 'query') {
    return { variable, options: variable.options, current: chooseValue(variable, variable.options, wanted) };
  }
  try {
    const options = await queryOptions(api, variable, scope, range, signal);
    return { variable, options, current: chooseValue(variable, options, wanted) };
  } catch (error) {
    if (signal.aborted) throw error;
    const message = error instanceof Error ? error.message : String(error);
    return { variable, options: [], current: { text: wanted, value: wanted }, error: message };
  }
}

async function queryOptions(
  api: PrometheusApi,
  variable: Variable,
  scope: Scope,
  { from, to }: { from: number; to: number },
  signal: AbortSignal,
): Promise<VariableOption[]> {
  const seconds = Math.max(1, Math.round((to - from) / 1000));
  const extra = {
    __range: { text: `${seconds}s`, value: `${seconds}s` },
    __range_s: { text: String(seconds), value: String(seconds) },
    __rate_interval: { text: '5m', value: '5m' },
    __interval: { text: '1m', value: '1m' },
  };
  const filled: Scope = { ...scope, extra: { ...scope.extra, ...extra } };
  const query = parseVariableQuery(interpolate(variable.query, filled));
  const regex = interpolate(variable.regex, filled, textFormat);
  const range = { start: from / 1000, end: to / 1000 };
  return optionsFrom(await texts(), regex, variable.sort);

  async function texts(): Promise<string[]> {
    switch (query.kind) {
      case 'labelValues':
        return api.labelValues(query.label, query.selector ? [query.selector] : [], range, signal);
      case 'labelNames': {
        const all = await api.labelNames([], range, signal);
        const pattern = query.pattern ? slashedRegExp(`/${query.pattern}/`) : undefined;
        return pattern ? all.filter((name) => pattern.test(name)) : all;
      }
      case 'metrics': {
        const all = await api.labelValues('__name__', [], range, signal);
        const pattern = slashedRegExp(`/${query.pattern}/`);
        return all.filter((name) => pattern.test(name));
      }
      case 'result': {
        const { data } = await api.query(query.expr, to / 1000, signal);
        if (data.resultType !== 'vector') return [];
        return data.result.map((s) => resultText(s.metric, s.value));
      }
      case 'series': {
        const series = await api.series([query.selector], range, signal);
        return series.map((labels) => resultText(labels));
      }
    }
  }
}

/** As Grafana writes series for a variable's regex: name{a="b"} 1 1600000000000. */
function resultText(metric: Record<string, string>, value?: [number, string]): string {
  const { __name__: name = '', ...rest } = metric;
  const inside = Object.entries(rest).map(([k, v]) => `${k}="${v}"`);
  return `${name}{${inside.join(',')}}${value ? ` ${value[1]} ${value[0] * 1000}` : ''}`;
}
