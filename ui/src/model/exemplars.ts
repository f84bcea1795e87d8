import type { ExemplarSeries, Labels } from '../api/prometheus';
import type { Link } from './dashboard';
import { parseSample } from './frame';
import { interpolate, textFormat, type Scope } from './interpolate';

/** One observation out of those that a series counts: which request was that slow. */
export interface Exemplar {
  /** The query that it belongs to: its axis is the one of that query's lines. */
  refId: string;
  /** Unix milliseconds. */
  time: number;
  value: number;
  /** Its own, such as trace_id. */
  labels: Labels;
  /** Those of the series that counted it. */
  series: Labels;
}

/** More of one step would be one blot; the highest are what people look for. */
export const maxPerStep = 3;

/** The exemplars of an answer in the order of time, the highest of each step. */
export function exemplarsOf(answer: ExemplarSeries[], refId: string, stepMs: number): Exemplar[] {
  const steps = new Map<number, Exemplar[]>();
  for (const { seriesLabels, exemplars } of answer) {
    for (const { labels, value: text, timestamp } of exemplars) {
      const value = parseSample(text);
      const time = timestamp * 1000;
      if (value === null || !Number.isFinite(value) || !Number.isFinite(time)) continue;
      const step = Math.floor(time / Math.max(1, stepMs));
      const list = steps.get(step) ?? [];
      list.push({ refId, time, value, labels, series: seriesLabels });
      steps.set(step, list);
    }
  }
  return [...steps.values()]
    .flatMap((list) => list.sort((a, b) => b.value - a.value).slice(0, maxPerStep))
    .sort((a, b) => a.time - b.time);
}

const fieldPattern = /\$\{__data\.fields\[?["']?\.?([^\]"'}:]+)["']?\]?(?::[^}]*)?\}/g;

/** The panel's links that name a label of the exemplar, "${__data.fields.trace_id}", with its values. */
export function exemplarLinks(links: Link[], exemplar: Exemplar, scope: Scope): Link[] {
  const values: Labels = { ...exemplar.series, ...exemplar.labels };
  return links.flatMap((link) => {
    const names = [...link.url.matchAll(fieldPattern)].map((m) => m[1] ?? '');
    const its = names.some((name) => name in exemplar.labels) && names.every((name) => name in values);
    if (!its) return [];
    const filled = link.url
      .replace(fieldPattern, (_, name: string) => encodeURIComponent(values[name] ?? ''))
      .replace(/\$\{__value\.(?:text|raw|numeric)(?::[^}]*)?\}/g, String(exemplar.value));
    return [{ ...link, url: interpolate(filled, scope, textFormat) }];
  });
}
