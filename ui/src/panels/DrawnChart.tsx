import { useEffect, useMemo, useRef } from 'react';
import uPlot from 'uplot';
import { calmMoves } from '../components/calmMoves';
import { UPlotChart } from '../components/UPlotChart';
import { absolute } from '../model/time';
import { look, timeAxis, zoneDate } from './timeseries/chart';
import { TooltipBox, type TooltipContent } from './tooltipBox';
import type { PanelProps } from './types';

interface Props extends Pick<
  PanelProps,
  'width' | 'height' | 'range' | 'zone' | 'theme' | 'syncKey' | 'onZoom' | 'onZoomOut'
> {
  y: { min: number; max: number; log?: boolean };
  axis: Pick<uPlot.Axis, 'values' | 'splits' | 'size'>;
  draw: (u: uPlot) => void;
  /** What is said of a place in the plot, if anything. */
  describe: (x: number, y: number) => TooltipContent | undefined;
}

/** Time across and anything up: axes, crosshair, zoom and tooltip for what is drawn by hand. */
export function DrawnChart({
  width,
  height,
  range,
  zone,
  theme,
  syncKey,
  onZoom,
  onZoomOut,
  y,
  axis,
  draw,
  describe,
}: Props) {
  const live = useRef({ range, y, draw, describe, onZoom, axis });
  live.current = { range, y, draw, describe, onZoom, axis };
  const chart = useRef<uPlot | undefined>(undefined);
  const options = useMemo<uPlot.Options>(() => {
    const paint = look();
    return {
      width,
      height,
      ms: 1,
      padding: [8, 18, 0, 0],
      tzDate: zoneDate(zone),
      legend: { show: false },
      cursor: {
        y: false,
        points: { show: false },
        bind: calmMoves(),
        drag: { x: true, y: false, setScale: false },
        sync: syncKey ? { key: syncKey, scales: ['x', null] } : undefined,
      },
      scales: {
        x: { time: true, range: () => [live.current.range.from, live.current.range.to] },
        y: { distr: y.log ? 3 : 1, range: () => [live.current.y.min, live.current.y.max] },
      },
      axes: [
        timeAxis(paint, zone),
        {
          scale: 'y',
          stroke: paint.text,
          font: paint.font,
          gap: 6,
          grid: { show: false },
          ticks: { show: false },
          size: axis.size,
          splits: axis.splits ? (...args) => resolveSplits(live.current.axis.splits, args) : undefined,
          // Ticks that were chosen all stay; a logarithmic axis would thin them out.
          filter: axis.splits ? (_u, splits) => splits : undefined,
          values: (...args) => resolveValues(live.current.axis.values, args),
        },
      ],
      series: [{}, { scale: 'y', paths: () => null, points: { show: false } }],
      hooks: {
        draw: [(u) => live.current.draw(u)],
        setSelect: [
          (u) => {
            if (u.select.width < 4) return;
            const from = u.posToVal(u.select.left, 'x');
            const to = u.posToVal(u.select.left + u.select.width, 'x');
            u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            live.current.onZoom?.(absolute(from, to));
          },
        ],
      },
      plugins: [textTooltip((x, at) => live.current.describe(x, at))],
    };
  }, [width, height, zone, syncKey, y.log]);
  // Times at both ends and between, so that the crosshair finds a place.
  const data = useMemo<uPlot.AlignedData>(() => {
    const count = Math.max(2, Math.round(width / 2));
    const times = Array.from(
      { length: count },
      (_, i) => range.from + ((range.to - range.from) * i) / (count - 1),
    );
    return [times, times.map(() => y.min)];
  }, [range, width, y.min]);
  useEffect(() => chart.current?.redraw(true), [draw, y, range]);
  return (
    <div onDoubleClick={onZoomOut}>
      <UPlotChart
        options={options}
        data={data}
        structure={`${theme} ${zone} ${syncKey ?? ''} ${y.log ?? false}`}
        onReady={(u) => (chart.current = u)}
      />
    </div>
  );
}

function resolveSplits(
  splits: uPlot.Axis.Splits | undefined,
  args: Parameters<Exclude<uPlot.Axis.Splits, number[]>>,
): number[] {
  return typeof splits === 'function' ? splits(...args) : (splits ?? []);
}

type ValuesArgs = Parameters<Extract<uPlot.Axis.Values, (...args: never[]) => unknown>>;

function resolveValues(values: uPlot.Axis.Values | undefined, args: ValuesArgs): (string | number | null)[] {
  return typeof values === 'function'
    ? (values as (...a: ValuesArgs) => (string | number | null)[])(...args)
    : args[1];
}

function textTooltip(describe: Props['describe']): uPlot.Plugin {
  let box: TooltipBox | undefined;
  let inside = false;
  return {
    hooks: {
      init: (u) => {
        u.over.addEventListener('mouseenter', () => (inside = true));
        u.over.addEventListener('mouseleave', () => {
          inside = false;
          box?.hide();
        });
      },
      setCursor: (u) => {
        const { left = -1, top = -1 } = u.cursor;
        if (!inside) return;
        const content = left >= 0 ? describe(u.posToVal(left, 'x'), u.posToVal(top, 'y')) : undefined;
        if (!content) {
          box?.hide();
          return;
        }
        box ??= new TooltipBox();
        box.show(content, u.rect.left + left, u.rect.top + top);
      },
      destroy: () => box?.remove(),
    },
  };
}
