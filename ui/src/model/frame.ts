import type { Labels } from '../api/prometheus';
import type { FieldConfig } from './fieldConfig';

export type Value = number | string | boolean | null;
export type FieldType = 'time' | 'number' | 'string' | 'boolean' | 'other';

/** One column. Its values are shared between frames and are never changed. */
export interface Field {
  name: string;
  type: FieldType;
  values: readonly Value[];
  labels?: Labels;
  /** The name from the query's legend; an override may still win. */
  legend?: string;
  config: FieldConfig;
}

/** A table of data: one series has a time and a value; a table has any columns. */
export interface Frame {
  refId: string;
  fields: Field[];
  length: number;
  /** What the values are, where it is not a plain table. */
  kind?: 'series' | 'histogram';
  /** Of native histograms: what is drawn as a heatmap. */
  histogram?: NativeHistogram[];
  /** Seconds in Unix milliseconds between samples of a range query. */
  stepMs?: number;
}

export interface NativeHistogram {
  time: number;
  buckets: { lower: number; upper: number; count: number }[];
}

export const isNumeric = (field: Field): boolean => field.type === 'number';
export const timeField = (frame: Frame): Field | undefined => frame.fields.find((f) => f.type === 'time');
export const numberFields = (frame: Frame): Field[] => frame.fields.filter(isNumeric);

/** NaN and infinities come as text. NaN is no value: it leaves a gap. */
export function parseSample(text: string): number | null {
  if (text === '+Inf') return Infinity;
  if (text === '-Inf') return -Infinity;
  const value = Number(text);
  return Number.isNaN(value) ? null : value;
}

/** The name by which people, legends and overrides know a field. */
export function displayName(field: Field, frame?: Frame): string {
  if (field.config.displayName) return fillName(field.config.displayName, field, frame);
  if (field.legend !== undefined && field.legend !== '') return field.legend;
  if (field.labels && Object.keys(field.labels).length > 0) return seriesName(field.labels);
  return field.name;
}

/** ${__field.labels.instance} and ${__field.name} in a configured name. */
function fillName(template: string, field: Field, frame: Frame | undefined): string {
  return template.replace(
    /\$\{__(field|series)\.([^}]+)\}|\$__cell_0/g,
    (whole, _kind, path: string | undefined) => {
      if (!path) return whole;
      const label = /^labels(?:\.|\["?)([^"\]]+)/.exec(path)?.[1];
      if (label) return field.labels?.[label] ?? '';
      if (path === 'name' || path === 'displayName') return field.legend ?? field.name;
      return path === 'labels' ? seriesName(field.labels ?? {}) : (frame?.refId ?? whole);
    },
  );
}

/** As PromQL writes it: up{instance="a", job="b"}. */
export function seriesName(labels: Labels): string {
  const { __name__: name = '', ...rest } = labels;
  const inside = Object.entries(rest)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}="${value}"`)
    .join(', ');
  return inside === '' && name !== '' ? name : `${name}{${inside}}`;
}

/** "{{instance}} of {{job}}" with the labels of a series. */
export function legendName(format: string, labels: Labels): string {
  return format.replace(/\{\{\s*([^}]+?)\s*\}\}/g, (_, label: string) => labels[label] ?? '');
}
