import { useQueries } from '@tanstack/react-query';
import { useMemo } from 'react';
import { useApi } from '../../app/context';
import type { PrometheusApi } from '../../api/prometheus';
import { annotationsOf, type Annotation, type Dashboard } from '../../model/dashboard';
import { legendName, parseSample } from '../../model/frame';
import { builtIns, interpolate, stepFor, withExtra, type Scope } from '../../model/interpolate';
import type { TimeRange } from '../../model/time';
import type { Mark } from '../../panels/types';
import type { Variables } from './useVariables';

const maxMarks = 200;
const columns = 500;

/** Deployments and the like from queries, and the alerts that fired, to be drawn on graphs. */
export function useMarks(
  dashboard: Dashboard,
  { ready, scope }: Pick<Variables, 'ready' | 'scope'>,
  range: TimeRange,
  scrapeIntervalMs: number,
): Mark[] {
  const { prometheus } = useApi();
  const annotations = useMemo(
    () => annotationsOf({ annotations: dashboard.annotations }).filter((a) => a.enabled),
    [dashboard.annotations],
  );
  return useQueries({
    queries: annotations.map((annotation) => ({
      queryKey: ['marks', annotation, scope.variables, range.from, range.to],
      queryFn: ({ signal }: { signal: AbortSignal }) =>
        marksOf(prometheus, annotation, { scope, range, scrapeIntervalMs }, signal),
      // Before its variables are known the query would be refused.
      enabled: ready,
      gcTime: 10_000,
      placeholderData: (old: Mark[] | undefined) => old,
    })),
    combine: (list) => list.flatMap((r) => r.data ?? []).slice(0, maxMarks),
  });
}

interface Context {
  scope: Scope;
  range: TimeRange;
  scrapeIntervalMs: number;
}

async function marksOf(
  api: PrometheusApi,
  annotation: Annotation,
  { scope, range, scrapeIntervalMs }: Context,
  signal: AbortSignal,
): Promise<Mark[]> {
  const request = {
    from: range.from,
    to: range.to,
    maxDataPoints: columns,
    minInterval: annotation.step,
    intervalFactor: 1,
    scrapeIntervalMs,
  };
  const step = stepFor(request);
  const { stepMs } = step;
  const start = Math.floor(range.from / stepMs) * stepMs;
  const expr =
    annotation.kind === 'alerts'
      ? 'max by (alertname, severity) (ALERTS{alertstate="firing", severity!="none"})'
      : interpolate(annotation.expr, withExtra({ ...scope, range }, builtIns(step, range)));
  const { data } = await api.queryRange(
    { expr, start: start / 1000, end: range.to / 1000, step: stepMs / 1000 },
    signal,
  );
  if (data.resultType !== 'matrix') return [];
  return data.result.flatMap(({ metric, values = [] }) => {
    const fill = (format: string) => legendName(format, metric);
    const tags = annotation.tagKeys.split(',').map((k) => metric[k.trim()] ?? '');
    const title =
      fill(annotation.titleFormat) ||
      (annotation.kind === 'alerts' ? (metric.alertname ?? '') : annotation.name);
    const text = fill(annotation.textFormat) || tags.filter((t) => t !== '').join(', ');
    const color = annotation.kind === 'alerts' ? severityColor(metric.severity) : annotation.color;
    if (annotation.useValueForTime) {
      const instants = new Set(values.map(([, v]) => parseSample(v) ?? 0));
      return [...instants].map((at): Mark => ({ from: at, to: at, title, text, color }));
    }
    const active = values.filter(([, v]) => annotation.kind === 'alerts' || (parseSample(v) ?? 0) !== 0);
    return spans(
      active.map(([at]) => at * 1000),
      stepMs,
    ).map(([from, to]): Mark => ({ from, to, title, text, color }));
  });
}

const severityColor = (severity = '') => (/crit|page|high/i.test(severity) ? 'red' : 'orange');

/** Neighbouring steps are one span; a lone step is a moment. */
export function spans(times: number[], stepMs: number): [number, number][] {
  const result: [number, number][] = [];
  for (const t of times) {
    const last = result[result.length - 1];
    if (last && t - last[1] <= stepMs * 1.5) last[1] = t;
    else result.push([t, t]);
  }
  return result;
}
