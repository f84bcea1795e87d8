import { useMemo } from 'react';
import { useScrapeInterval } from '../app/useScrapeInterval';
import { readPanel } from '../model/dashboard';
import { emptyScope } from '../model/interpolate';
import { PanelView } from '../panels/PanelView';

interface Props {
  title: string;
  queries: { expr: string; legend?: string }[];
  range: { from: number; to: number };
  unit?: string;
  max?: number;
  /** A panel's type; a graph over time by default. */
  type?: 'timeseries' | 'state-timeline';
  stack?: boolean;
  height?: number;
}

const none: never[] = [];

/** Questions over time that a page asks itself, drawn as a dashboard draws them. */
export function QueryGraph({
  title,
  queries,
  range,
  unit,
  max,
  type = 'timeseries',
  stack,
  height = 240,
}: Props) {
  const scrapeIntervalMs = useScrapeInterval();
  const question = JSON.stringify(queries);
  const panel = useMemo(() => {
    const asked = JSON.parse(question) as Props['queries'];
    return readPanel({
      id: 1,
      type,
      title,
      targets: asked.map(({ expr, legend }, i) => ({
        refId: String.fromCharCode(65 + i),
        expr,
        legendFormat: legend ?? '__auto',
        range: true,
      })),
      fieldConfig: {
        defaults: {
          unit: unit ?? 'short',
          min: 0,
          ...(max === undefined ? {} : { max }),
          custom: {
            lineWidth: 1.5,
            fillOpacity: stack ? 30 : 6,
            stacking: { mode: stack ? 'normal' : 'none' },
          },
        },
        overrides: [],
      },
      options: { legend: { showLegend: true, displayMode: 'list', placement: 'bottom', calcs: [] } },
    });
  }, [question, title, type, unit, max, stack]);
  const setting = useMemo(
    () => ({ scope: emptyScope, range, zone: 'browser', scrapeIntervalMs, marks: none }),
    [range, scrapeIntervalMs],
  );
  return (
    <div style={{ height, minWidth: 0 }}>
      <PanelView panel={panel} setting={setting} />
    </div>
  );
}
