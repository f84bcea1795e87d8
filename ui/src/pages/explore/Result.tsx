import { useComputedColorScheme } from '@mantine/core';
import { useElementSize } from '@mantine/hooks';
import { useMemo } from 'react';
import { messageOf } from '../../api';
import type { TimeState } from '../../app/timeRange';
import { useScrapeInterval } from '../../app/useScrapeInterval';
import page from '../../components/page.module.css';
import { EmptyState, ErrorState, LoadingState } from '../../components/states';
import { readPanel } from '../../model/dashboard';
import { emptyScope } from '../../model/interpolate';
import type { JsonObject } from '../../model/json';
import { formatClock, zoomOut } from '../../model/time';
import { panelKind } from '../../panels';
import { usePanelData } from '../../panels/usePanelData';
import styles from './Explore.module.css';

interface Props {
  exprs: string[];
  view: 'graph' | 'table';
  /** Draw single observations too. */
  exemplars: boolean;
  time: TimeState;
}

const none: never[] = [];
const height = { graph: 420, table: 560 };

/** The answers, drawn as a dashboard would draw them. */
export function Result({ exprs, view, exemplars, time }: Props) {
  const { ref, width } = useElementSize();
  const theme = useComputedColorScheme();
  const scrapeIntervalMs = useScrapeInterval();
  const panel = useMemo(() => readPanel(panelOf(exprs, view, exemplars)), [exprs, view, exemplars]);
  const context = useMemo(
    () => ({ scope: emptyScope, range: time.range, width: width || 1000, scrapeIntervalMs }),
    [time.range, width, scrapeIntervalMs],
  );
  const data = usePanelData(panel, context, width > 0);
  const Panel = panelKind(panel.type).component;
  const series = data.frames.filter((f) => f.kind === 'series').length;
  const found = data.data?.exemplars.length ?? 0;
  const failed = data.data?.errors ?? [];
  return (
    <section className={page.card} aria-label="Result" data-state={data.loading ? 'loading' : 'done'}>
      <div className={styles.meta} role="status">
        {data.error !== undefined && data.data && data.frames.length > 0 && failed.length === 0 && (
          <span className={page.stale}>
            as of {formatClock(data.updatedAt ?? 0, time.zone)}: {messageOf(data.error)}
          </span>
        )}
        {failed.map(({ refId, error }) => (
          <span key={refId} className={styles.bad}>
            {refId}: {messageOf(error)}
          </span>
        ))}
        {data.data?.warnings.map((w) => (
          <span key={w} className={page.stale}>
            {w}
          </span>
        ))}
        {view === 'graph' && series > 0 && <span>{series === 1 ? 'one series' : `${series} series`}</span>}
        {view === 'graph' && exemplars && data.data && (
          <span>{found === 1 ? 'one exemplar' : `${found} exemplars`}</span>
        )}
      </div>
      <div ref={ref} style={{ height: height[view] }}>
        {data.frames.length > 0 && width > 0 ? (
          <Panel
            panel={panel}
            frames={data.frames}
            exemplars={data.data?.exemplars ?? none}
            width={width}
            height={height[view]}
            range={time.range}
            zone={time.zone}
            theme={theme}
            scope={emptyScope}
            marks={none}
            onZoom={time.setRange}
            onZoomOut={() => time.setRange(zoomOut(time.range, Date.now()))}
          />
        ) : data.loading ? (
          <LoadingState />
        ) : data.error !== undefined ? (
          <ErrorState title="The query failed" message={messageOf(data.error)} onRetry={time.refreshNow} />
        ) : (
          <EmptyState
            title="No data"
            message={
              view === 'graph'
                ? 'Nothing was measured in this time, or the selectors match no series.'
                : 'Nothing is there at the end of this time, or the selectors match no series.'
            }
          />
        )}
      </div>
    </section>
  );
}

function panelOf(exprs: string[], view: 'graph' | 'table', exemplars: boolean): JsonObject {
  const table = view === 'table';
  return {
    id: 1,
    type: table ? 'table' : 'timeseries',
    targets: exprs.map((expr, i) => ({
      refId: String.fromCharCode(65 + i),
      expr,
      instant: table,
      range: !table,
      exemplar: exemplars,
      format: table ? 'table' : 'time_series',
    })),
    transformations: table && exprs.length > 1 ? [{ id: 'merge', options: {} }] : [],
    fieldConfig: {
      defaults: { custom: { lineWidth: 1.5, fillOpacity: exprs.length === 1 ? 6 : 0 } },
      overrides: [],
    },
    options: {
      legend: { showLegend: true, displayMode: 'list', placement: 'bottom', calcs: ['lastNotNull'] },
    },
  };
}
