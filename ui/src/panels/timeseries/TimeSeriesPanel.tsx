import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import type uPlot from 'uplot';
import { UPlotChart } from '../../components/UPlotChart';
import { asArray, asBool, asNumber, asObject, asString, type JsonObject } from '../../model/json';
import { readLinks } from '../../model/dashboard';
import type { Exemplar } from '../../model/exemplars';
import { absolute } from '../../model/time';
import type { PanelProps } from '../types';
import { buildChart } from './chart';
import { exemplarAt } from './exemplars';
import { ExemplarCard } from './ExemplarCard';
import { Legend } from './Legend';
import { graphOf, type Series } from './series';
import styles from './TimeSeriesPanel.module.css';
import { tooltipPlugin } from './tooltip';

interface LegendOptions {
  show: boolean;
  mode: 'list' | 'table';
  right: boolean;
  calcs: string[];
  width?: number;
}

interface Picked {
  exemplar: Exemplar;
  left: number;
  top: number;
}

function readLegend(options: JsonObject): LegendOptions {
  const raw = asObject(options.legend);
  return {
    show: asBool(raw.showLegend, true) && raw.displayMode !== 'hidden',
    mode: raw.displayMode === 'table' ? 'table' : 'list',
    right: raw.placement === 'right',
    calcs: asArray(raw.calcs).map(String),
    width: asNumber(raw.width, undefined),
  };
}

export function TimeSeriesPanel(props: PanelProps) {
  const { panel, frames, exemplars, width, height, range, zone, theme, scope } = props;
  const { marks, syncKey, onZoom, onZoomOut } = props;
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const [picked, setPicked] = useState<Picked>();
  const chart = useRef<uPlot | undefined>(undefined);
  const legend = useMemo(() => readLegend(panel.options), [panel.options]);

  const graph = useMemo(() => {
    const { times, series } = graphOf(frames);
    return { times, series: series.map((s) => (hidden.has(s.name) ? { ...s, hidden: true } : s)) };
  }, [frames, hidden]);

  // What the chart's callbacks read: they outlive the render that made them.
  const live = useRef({ series: graph.series, marks, exemplars, range, onZoom });
  live.current = { series: graph.series, marks, exemplars, range, onZoom };

  const size = layout(legend, graph.series.length, width, height);
  const structure = useMemo(
    () => structureOf(graph.series, panel.options, `${theme} ${zone} ${syncKey ?? ''}`),
    [graph.series, panel.options, theme, zone, syncKey],
  );
  const { options, data } = useMemo(() => {
    const tooltip = asObject(panel.options.tooltip);
    const mode = asString(tooltip.mode, 'multi');
    const sort = asString(tooltip.sort, 'none');
    return buildChart({
      graph,
      // Asked at each drawing, so that a moving range needs no new chart.
      range: () => live.current.range,
      marks: () => live.current.marks,
      exemplars: () => live.current.exemplars,
      zone,
      width: size.chartWidth,
      height: size.chartHeight,
      syncKey,
      plugins: [
        tooltipPlugin({
          series: () => live.current.series,
          marks: () => live.current.marks,
          exemplars: () => live.current.exemplars,
          zone,
          mode: mode === 'none' || mode === 'single' ? mode : 'multi',
          sort: sort === 'asc' || sort === 'desc' ? sort : 'none',
        }),
        {
          hooks: {
            init: (u) => {
              u.over.addEventListener('click', () => {
                const exemplar = exemplarAt(u, live.current.exemplars, live.current.series);
                const { left = 0, top = 0 } = u.cursor;
                setPicked(
                  exemplar && {
                    exemplar,
                    left: left + u.over.offsetLeft,
                    top: top + u.over.offsetTop,
                  },
                );
              });
            },
            setSelect: (u) => {
              if (u.select.width < 4) return;
              const from = u.posToVal(u.select.left, 'x');
              const to = u.posToVal(u.select.left + u.select.width, 'x');
              u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
              if (to - from >= 1000) live.current.onZoom?.(absolute(from, to));
            },
          },
        },
      ],
    });
  }, [graph, zone, size.chartWidth, size.chartHeight, syncKey, panel.options]);

  useEffect(() => chart.current?.redraw(false), [marks, exemplars]);
  const links = useMemo(() => readLinks(asObject(panel.fieldConfig.defaults).links), [panel.fieldConfig]);

  const toggle = useCallback(
    (name: string, add: boolean) => setHidden((old) => toggled(old, live.current.series, name, add)),
    [],
  );
  const hover = useCallback((name: string | undefined) => {
    const index = live.current.series.findIndex((s) => s.name === name);
    chart.current?.setSeries(name === undefined ? null : index + 1, { focus: true });
  }, []);

  return (
    <div className={legend.right ? `${styles.panel} ${styles.side}` : styles.panel} onDoubleClick={onZoomOut}>
      <UPlotChart options={options} data={data} structure={structure} onReady={(u) => (chart.current = u)} />
      {picked && (
        <ExemplarCard
          {...picked}
          unit={graph.series.find((s) => s.refId === picked.exemplar.refId)?.config.unit}
          links={links}
          scope={scope}
          zone={zone}
          onClose={() => setPicked(undefined)}
        />
      )}
      {legend.show && size.legend > 0 && (
        <div
          className={styles.legend}
          style={legend.right ? { width: size.legend, height } : { height: size.legend }}
          onDoubleClick={(e) => e.stopPropagation()}
        >
          <Legend
            series={graph.series}
            hidden={hidden}
            mode={legend.mode}
            calcs={legend.calcs}
            right={legend.right}
            onToggle={toggle}
            onHover={hover}
          />
        </div>
      )}
    </div>
  );
}

/** A change in here needs a new chart; new values alone do not. */
function structureOf(series: Series[], options: JsonObject, around: string): string {
  const parts = series.map((s) => [
    s.name,
    s.color,
    s.scale,
    s.stack,
    s.hidden,
    s.config.custom,
    s.config.thresholds,
  ]);
  return JSON.stringify([around, options, parts]);
}

function layout(legend: LegendOptions, count: number, width: number, height: number) {
  if (!legend.show) return { chartWidth: width, chartHeight: height, legend: 0 };
  if (legend.right && width > 380) {
    const side = Math.min(legend.width ?? (legend.calcs.length > 0 ? 320 : 220), width * 0.5);
    return { chartWidth: Math.floor(width - side), chartHeight: height, legend: side };
  }
  const rows =
    legend.mode === 'table' ? count + 1 : Math.ceil((count * (110 + 70 * legend.calcs.length)) / width);
  const wanted = Math.max(24, rows * 20 + 6);
  const size = height < 110 ? 0 : Math.min(wanted, Math.floor(height * 0.38));
  return { chartWidth: width, chartHeight: height - size, legend: size };
}

/** A click shows one series alone; a second click, or the last one gone, shows all. */
export function toggled(
  old: ReadonlySet<string>,
  series: readonly { name: string }[],
  name: string,
  add: boolean,
): ReadonlySet<string> {
  const names = series.map((s) => s.name);
  if (add) {
    const next = new Set(old);
    if (!next.delete(name)) next.add(name);
    return next.size >= new Set(names).size ? new Set() : next;
  }
  const others = new Set(names.filter((n) => n !== name));
  const alone = others.size === old.size && [...others].every((n) => old.has(n));
  return alone ? new Set() : others;
}
