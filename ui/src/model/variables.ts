import { asArray, asBool, asNumber, asObject, asObjects, asString, isObject, type JsonObject } from './json';
import type { Dashboard } from './dashboard';

/** What a variable stands for now; several values if it allows them. */
export interface VariableValue {
  text: string | string[];
  value: string | string[];
}

export interface VariableOption {
  text: string;
  value: string;
}

export type VariableType =
  'query' | 'custom' | 'interval' | 'textbox' | 'datasource' | 'constant' | 'adhoc' | 'unknown';

export interface Variable {
  name: string;
  label: string;
  type: VariableType;
  /** 0 shows label and value, 1 the value alone, 2 nothing. */
  hide: number;
  multi: boolean;
  includeAll: boolean;
  /** What "All" becomes in queries; empty: all options joined. */
  allValue: string;
  query: string;
  regex: string;
  sort: number;
  /** Of intervals: how many steps "auto" divides the range into. */
  autoCount: number;
  autoMin: string;
  auto: boolean;
  refreshOnTime: boolean;
  options: VariableOption[];
  current: VariableValue;
}

export const allValueMarker = '$__all';
export const autoIntervalMarker = '$__auto';

const types: VariableType[] = ['query', 'custom', 'interval', 'textbox', 'datasource', 'constant', 'adhoc'];

export function variablesOf(d: Dashboard): Variable[] {
  return asObjects(asObject(d.templating).list)
    .map(readVariable)
    .filter((v) => v.name !== '');
}

function readVariable(raw: JsonObject): Variable {
  const type = types.find((t) => t === raw.type) ?? 'unknown';
  const query = isObject(raw.query) ? asString(raw.query.query, '') : asString(raw.query, '');
  const variable: Variable = {
    name: asString(raw.name, ''),
    label: asString(raw.label, ''),
    type,
    hide: asNumber(raw.hide, 0),
    multi: asBool(raw.multi),
    includeAll: asBool(raw.includeAll),
    allValue: asString(raw.allValue, ''),
    query: query || asString(raw.definition, ''),
    regex: asString(raw.regex, ''),
    sort: asNumber(raw.sort, 0),
    auto: asBool(raw.auto),
    autoCount: asNumber(raw.auto_count, 30),
    autoMin: asString(raw.auto_min, '10s'),
    refreshOnTime: raw.refresh === 2,
    options: asObjects(raw.options).map((o) => ({
      text: String(o.text ?? o.value ?? ''),
      value: String(o.value ?? ''),
    })),
    current: readCurrent(asObject(raw.current)),
  };
  if (type === 'custom') variable.options = customOptions(variable.query);
  if (type === 'interval') variable.options = intervalOptions(variable);
  if (type === 'constant' || type === 'textbox') {
    variable.options = [{ text: variable.query, value: variable.query }];
    if (type === 'constant' || variable.current.value === '')
      variable.current = { text: variable.query, value: variable.query };
  }
  if (type === 'datasource') {
    variable.options = [{ text: 'hedgewatch', value: 'hedgewatch' }];
    variable.current = { text: 'hedgewatch', value: 'hedgewatch' };
  }
  return variable;
}

function readCurrent(raw: JsonObject): VariableValue {
  const read = (value: unknown) => (Array.isArray(value) ? asArray(value).map(String) : String(value ?? ''));
  const value = read(raw.value);
  return { value, text: raw.text === undefined ? value : read(raw.text) };
}

/** "a, b : 2, c\,d": text and value may differ, and a comma may be escaped. */
export function customOptions(query: string): VariableOption[] {
  return query
    .split(/(?<!\\),/)
    .map((part) => part.replaceAll('\\,', ',').trim())
    .filter((part) => part !== '')
    .map((part) => {
      const pair = /^(.*?)\s+:\s+(.*)$/.exec(part);
      return pair
        ? { text: (pair[1] ?? '').trim(), value: (pair[2] ?? '').trim() }
        : { text: part, value: part };
    });
}

function intervalOptions(v: Variable): VariableOption[] {
  const fixed = v.query
    .split(/[,\s]+/)
    .filter((part) => part !== '')
    .map((part) => ({ text: part, value: part }));
  return v.auto ? [{ text: 'auto', value: autoIntervalMarker }, ...fixed] : fixed;
}

/** How a query variable asks: by the forms that Grafana documents for Prometheus. */
export type VariableQuery =
  | { kind: 'labelValues'; label: string; selector: string }
  | { kind: 'labelNames'; pattern: string }
  | { kind: 'metrics'; pattern: string }
  | { kind: 'result'; expr: string }
  | { kind: 'series'; selector: string };

export function parseVariableQuery(query: string): VariableQuery {
  const text = query.trim();
  const call = /^(label_values|label_names|metrics|query_result)\s*\(([\s\S]*)\)\s*$/.exec(text);
  if (!call) return { kind: 'series', selector: text };
  const body = (call[2] ?? '').trim();
  switch (call[1]) {
    case 'label_names':
      return { kind: 'labelNames', pattern: body };
    case 'metrics':
      return { kind: 'metrics', pattern: body };
    case 'query_result':
      return { kind: 'result', expr: body };
    default: {
      // The label is what follows the last comma: the selector may have some too.
      const pair = /^([\s\S]*),\s*([\p{L}_:.][\p{L}\p{N}_:.]*)$/u.exec(body);
      return { kind: 'labelValues', selector: (pair?.[1] ?? '').trim(), label: pair?.[2] ?? body };
    }
  }
}

/** Filters by the variable's expression, whose groups choose what is kept, and sorts. */
export function optionsFrom(texts: string[], regex: string, sort: number): VariableOption[] {
  const pattern = regex === '' ? undefined : slashedRegExp(regex);
  const seen = new Set<string>();
  const options: VariableOption[] = [];
  for (const original of texts) {
    let option = { text: original, value: original };
    if (pattern) {
      pattern.lastIndex = 0;
      const match = pattern.exec(original);
      if (!match) continue;
      const whole = match[1] ?? match[0];
      const value = match.groups?.value ?? match.groups?.text ?? whole;
      option = { value, text: match.groups?.text ?? value };
    }
    if (seen.has(option.value)) continue;
    seen.add(option.value);
    options.push(option);
  }
  return sortOptions(options, sort);
}

const collate = new Intl.Collator('en', { sensitivity: 'base' }).compare;
const collateExact = new Intl.Collator('en', { sensitivity: 'variant' }).compare;
const collateNatural = new Intl.Collator('en', { numeric: true }).compare;
const firstNumber = (text: string) => Number(/\d+(\.\d+)?/.exec(text)?.[0] ?? -1);

/** 0 not at all; then up and down in pairs: alphabetical, numerical, ignoring case, natural. */
export function sortOptions(options: VariableOption[], sort: number): VariableOption[] {
  const orders: ((a: string, b: string) => number)[] = [
    collateExact,
    (a, b) => firstNumber(a) - firstNumber(b),
    collate,
    collateNatural,
  ];
  const order = orders[Math.floor((sort - 1) / 2)];
  if (sort <= 0 || !order) return options;
  const sign = sort % 2 === 0 ? -1 : 1;
  return [...options].sort((a, b) => sign * order(a.text, b.text));
}

/** A pattern as dashboards write it: /like this/i or like this. One that is broken matches itself. */
export function slashedRegExp(text: string): RegExp {
  const parts = /^\/([\s\S]*)\/([gimsuy]*)$/.exec(text);
  try {
    return parts
      ? new RegExp(parts[1] ?? '', (parts[2] ?? '').replaceAll('g', ''))
      : new RegExp(`^(?:${text})$`);
  } catch {
    return new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  }
}

/** Keeps what was chosen where it is still offered, else falls back to the first. */
export function chooseValue(v: Variable, options: VariableOption[], wanted: string[]): VariableValue {
  const offered = new Map(options.map((o) => [o.value, o.text]));
  const pick = (values: string[]): VariableValue => {
    const texts = values.map((value) => offered.get(value) ?? (value === allValueMarker ? 'All' : value));
    return v.multi ? { value: values, text: texts } : { value: values[0] ?? '', text: texts[0] ?? '' };
  };
  const known = wanted.map((w) => (w === 'All' && v.includeAll ? allValueMarker : w)).filter((w) => w !== '');
  if (v.includeAll && known.includes(allValueMarker)) return pick([allValueMarker]);
  const valid = known.filter((w) => offered.has(w));
  if (valid.length > 0) return pick(v.multi ? valid : valid.slice(0, 1));
  const byText = options.filter((o) => known.includes(o.text)).map((o) => o.value);
  if (byText.length > 0) return pick(v.multi ? byText : byText.slice(0, 1));
  if (v.includeAll && known.length === 0) return pick([allValueMarker]);
  const first = options[0];
  return pick(first ? [first.value] : v.includeAll ? [allValueMarker] : []);
}

export const valuesOf = (v: VariableValue): string[] => (Array.isArray(v.value) ? v.value : [v.value]);
export const textsOf = (v: VariableValue): string[] => (Array.isArray(v.text) ? v.text : [v.text]);
