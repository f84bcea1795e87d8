import { useComputedColorScheme } from '@mantine/core';
import { useElementSize } from '@mantine/hooks';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useEffect, useMemo, useRef } from 'react';
import type uPlot from 'uplot';
import { messageOf } from '../../api';
import type { Labels } from '../../api/prometheus';
import { useApi } from '../../app/context';
import { useScrapeInterval } from '../../app/useScrapeInterval';
import { readFieldConfig } from '../../model/fieldConfig';
import type { Frame } from '../../model/frame';
import { roundStep } from '../../model/interpolate';
import { framesOf } from '../../model/query';
import { absolute, type RawRange, type TimeZone } from '../../model/time';
import { buildChart } from '../../panels/timeseries/chart';
import { graphOf } from '../../panels/timeseries/series';
import { tooltipPlugin } from '../../panels/timeseries/tooltip';
import type { Mark } from '../../panels/types';
import { EmptyState, ErrorState, LoadingState } from '../states';
import { UPlotChart } from '../UPlotChart';
import { thresholdLine } from './line';
import type { Threshold } from './threshold';
import styles from './ThresholdGraph.module.css';

interface Props {
  query: string;
  threshold?: Threshold;
  range: { from: number; to: number };
  zone?: TimeZone;
  height?: number;
  /** Series that are worth showing; if none is, all are shown. */
  only?: (labels: Labels) => boolean;
  marks?: Mark[];
  onThreshold?: (value: number) => void;
  onZoom?: (range: RawRange) => void;
}

const maxSeries = 40;
const maxPoints = 500;
const noMarks: Mark[] = [];

/** What a rule looks at over time, with the line that it must not cross. */
export function ThresholdGraph({
  query,
  threshold,
  range,
  zone = 'browser',
  height = 220,
  only,
  marks = noMarks,
  onThreshold,
  onZoom,
}: Props) {
  const { prometheus } = useApi();
  const { ref, width } = useElementSize();
  const theme = useComputedColorScheme();
  const scrapeMs = useScrapeInterval();
  const stepMs = Math.max(scrapeMs, roundStep((range.to - range.from) / maxPoints));
  const start = Math.floor(range.from / stepMs) * stepMs;
  const end = Math.ceil(range.to / stepMs) * stepMs;
  const answer = useQuery({
    queryKey: ['threshold', query, start, end, stepMs],
    enabled: query.trim() !== '',
    placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => {
      const asked = { expr: query, start: start / 1000, end: end / 1000, step: stepMs / 1000 };
      const target = { refId: 'A', format: 'time_series' as const };
      return framesOf(await prometheus.queryRange(asked, signal), {
        target,
        legend: '__auto',
        start,
        end,
        stepMs,
      });
    },
  });

  const { frames, hidden } = useMemo(() => choose(answer.data ?? [], only), [answer.data, only]);
  const graph = useMemo(() => graphOf(styled(frames, threshold?.value)), [frames, threshold?.value]);
  // What the chart's callbacks read: they outlive the render that made them.
  const live = useRef({ series: graph.series, marks, range, threshold, onThreshold, onZoom });
  live.current = { series: graph.series, marks, range, threshold, onThreshold, onZoom };
  const chart = useRef<uPlot | undefined>(undefined);
  useEffect(() => chart.current?.redraw(true), [marks, threshold, range]);

  const { options, data } = useMemo(
    () =>
      buildChart({
        graph,
        range: () => live.current.range,
        marks: () => live.current.marks,
        zone,
        width,
        height,
        plugins: [
          thresholdLine({
            threshold: () => live.current.threshold,
            onMove: () => live.current.onThreshold,
          }),
          tooltipPlugin({
            series: () => live.current.series,
            marks: () => live.current.marks,
            zone,
            mode: 'multi',
            sort: 'desc',
          }),
          zoomPlugin((raw) => live.current.onZoom?.(raw)),
        ],
      }),
    [graph, zone, width, height],
  );
  const structure = JSON.stringify([theme, zone, threshold?.value, graph.series.map((s) => s.name)]);

  return (
    <div ref={ref} className={styles.graph} style={{ height }}>
      {width > 0 && graph.series.length > 0 && (
        <UPlotChart
          options={options}
          data={data}
          structure={structure}
          onReady={(u) => (chart.current = u)}
        />
      )}
      {hidden > 0 && <div className={styles.note}>{hidden} more series</div>}
      {graph.series.length === 0 && (
        <div className={styles.state}>
          {answer.isError ? (
            <ErrorState title="The query failed" message={messageOf(answer.error)} />
          ) : answer.isFetching ? (
            <LoadingState />
          ) : (
            <EmptyState
              title="No data in this time"
              message={query.trim() === '' ? 'Write a query first.' : undefined}
            />
          )}
        </div>
      )}
    </div>
  );
}

function choose(frames: Frame[], only: Props['only']): { frames: Frame[]; hidden: number } {
  const series = frames.filter((f) => f.kind === 'series');
  const wanted = only ? series.filter((f) => only(f.fields[1]?.labels ?? {})) : series;
  const shown = wanted.length > 0 ? wanted : series;
  return { frames: shown.slice(0, maxSeries), hidden: Math.max(0, shown.length - maxSeries) };
}

/** The threshold is on the axis even where no value comes near it. */
function styled(frames: Frame[], threshold: number | undefined): Frame[] {
  const soft = threshold !== undefined && Number.isFinite(threshold) ? threshold : undefined;
  const config = readFieldConfig({
    color: { mode: 'palette-classic' },
    custom: {
      lineWidth: 1.5,
      fillOpacity: frames.length === 1 ? 10 : 0,
      gradientMode: 'opacity',
      ...(soft === undefined ? {} : { axisSoftMin: soft, axisSoftMax: soft }),
    },
  });
  return frames.map((frame) => ({
    ...frame,
    fields: frame.fields.map((field) => (field.type === 'number' ? { ...field, config } : field)),
  }));
}

function zoomPlugin(onZoom: (range: RawRange) => void): uPlot.Plugin {
  return {
    hooks: {
      setSelect: (u) => {
        if (u.select.width < 4) return;
        const from = u.posToVal(u.select.left, 'x');
        const to = u.posToVal(u.select.left + u.select.width, 'x');
        u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        if (to - from >= 1000) onZoom(absolute(from, to));
      },
    },
  };
}
