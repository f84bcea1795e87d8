import uPlot from 'uplot';
import { calmMoves } from '../../components/calmMoves';
import { canvasColor, resolveColor, withAlpha } from '../../model/colors';
import { customNumber, customString, type FieldConfig } from '../../model/fieldConfig';
import type { Exemplar } from '../../model/exemplars';
import { asArray, asObject, asString } from '../../model/json';
import { calendar, type TimeZone } from '../../model/time';
import { formatText, unitOf } from '../../units';
import { crosshair } from '../crosshair';
import type { Mark, PanelProps } from '../types';
import { drawExemplars } from './exemplars';
import { lineWidth, lonelyValues, stack, yRange, type Graph, type Series } from './series';

const two = (n: number) => String(n).padStart(2, '0');
const dayMs = 86_400_000;

/** Labels of a time axis for 24 hours; a tick at midnight carries its date. */
export function timeTicks(splits: number[], stepMs: number, zone: TimeZone): string[] {
  return splits.map((t) => {
    const c = calendar(t, zone);
    const date = `${two(c.month)}-${two(c.day)}`;
    if (stepMs >= 28 * dayMs) return `${c.year}-${two(c.month)}`;
    if (stepMs >= dayMs) return date;
    if (c.hour === 0 && c.minute === 0 && c.second === 0) return date;
    const clock = `${two(c.hour)}:${two(c.minute)}`;
    return stepMs >= 60_000 ? clock : `${clock}:${two(c.second)}`;
  });
}

export interface Look {
  text: string;
  grid: string;
  font: string;
}

export function look(): Look {
  const style = getComputedStyle(document.documentElement);
  return {
    text: style.getPropertyValue('--hw-dim').trim(),
    grid: style.getPropertyValue('--hw-grid').trim(),
    font: '11px ui-sans-serif, system-ui, sans-serif',
  };
}

export function timeAxis({ text, grid, font }: Look, zone: TimeZone): uPlot.Axis {
  return {
    stroke: text,
    font,
    size: 26,
    gap: 4,
    space: 64,
    grid: { stroke: grid, width: 1 },
    ticks: { show: false },
    values: (_u, splits, _axis, _space, step) => timeTicks(splits, step, zone),
  };
}

export const zoneDate = (zone: TimeZone) => (ms: number) =>
  zone === 'browser' || zone === ''
    ? new Date(ms)
    : uPlot.tzDate(new Date(ms), zone === 'utc' ? 'Etc/UTC' : zone);

type ChartInput = Pick<PanelProps, 'zone' | 'width' | 'height' | 'syncKey'> & {
  graph: Graph;
  range: () => PanelProps['range'];
  marks: () => Mark[];
  exemplars?: () => Exemplar[];
  plugins: uPlot.Plugin[];
};

export interface Chart {
  options: uPlot.Options;
  data: uPlot.AlignedData;
}

/** With more lines than this, no points follow the mouse. */
const maxPointed = 8;

/** Everything that uPlot needs to draw a graph. */
export function buildChart({
  graph,
  range,
  zone,
  width,
  height,
  syncKey,
  marks,
  exemplars,
  plugins,
}: ChartInput): Chart {
  const paint = look();
  const { series, bands } = stack(graph.series);
  const scales = scalesOf(series);
  const data = [graph.times, ...series.map((s) => s.drawn)] as uPlot.AlignedData;
  const options: uPlot.Options = {
    width,
    height,
    ms: 1,
    padding: [8, 18, 0, 0],
    tzDate: zoneDate(zone),
    legend: { show: false },
    focus: { alpha: series.length > 1 ? 0.25 : 1 },
    cursor: {
      x: false,
      y: false,
      bind: calmMoves(),
      drag: { x: true, y: false, setScale: false },
      // To dim the other lines would draw all panels anew at each move; the tooltip names the nearest.
      focus: { prox: -1 },
      // Each point is an element that moves in all panels at once.
      points: { show: series.length <= maxPointed, size: 7, width: 2 },
      sync: syncKey ? { key: syncKey, scales: ['x', null] } : undefined,
    },
    scales: {
      x: { time: true, range: () => [range().from, range().to] },
      ...Object.fromEntries(scales.map(({ key, config }) => [key, scaleFor(config)])),
    },
    axes: [timeAxis(paint, zone), ...scales.map(({ key, config }, i) => valueAxis(key, config, i, paint))],
    series: [{}, ...series.map(seriesFor)],
    bands: bands.map(([upper, lower]) => ({ series: [upper + 1, lower + 1] as [number, number] })),
    hooks: {
      drawAxes: [(u) => scales.forEach(({ key, config }) => drawThresholds(u, key, config))],
      draw: [(u) => drawMarks(u, marks()), (u) => drawExemplars(u, exemplars?.() ?? [], graph.series)],
    },
    plugins: [crosshair(), ...plugins],
  };
  return { options, data };
}

interface NamedScale {
  key: string;
  config: FieldConfig;
}

function scalesOf(series: Series[]): NamedScale[] {
  const found = new Map<string, FieldConfig>();
  for (const s of series) if (!found.has(s.scale)) found.set(s.scale, percentStack(s));
  if (found.size === 0) return [];
  return [...found].map(([key, config]) => ({ key, config }));
}

const percentStack = ({ stack: group, config }: Series): FieldConfig =>
  group?.includes(' percent ') ? { ...config, unit: 'percentunit', min: 0, max: 1 } : config;

function scaleFor(config: FieldConfig): uPlot.Scale {
  const distribution = asObject(config.custom.scaleDistribution);
  if (distribution.type === 'log') {
    const range: uPlot.Scale.Range = (_u, min, max) => [
      config.min || min || 1,
      Math.max(config.max ?? max ?? 10, (min || 1) * 10),
    ];
    return { distr: 3, log: distribution.log === 2 ? 2 : 10, range };
  }
  return {
    range: (_u, min, max) => {
      const known = Number.isFinite(min) && Number.isFinite(max) && min !== null && max !== null;
      const { min: low, max: high } = yRange(config, known ? { min, max } : undefined, grounded(config));
      return [low, high];
    },
  };
}

/** Heights that are compared stand on zero: a stack cut off below would lie. */
function grounded({ custom }: FieldConfig): boolean {
  const { mode } = asObject(custom.stacking);
  return mode === 'normal' || custom.drawStyle === 'bars';
}

function valueAxis(key: string, config: FieldConfig, index: number, paint: Look): uPlot.Axis {
  const placement = customString(config, 'axisPlacement', 'auto');
  const right = placement === 'right' || (placement === 'auto' && index > 0);
  const label = customString(config, 'axisLabel', '');
  return {
    scale: key,
    side: right ? 1 : 3,
    show: placement !== 'hidden',
    stroke: paint.text,
    font: paint.font,
    gap: 6,
    label: label || undefined,
    labelFont: paint.font,
    labelSize: 18,
    labelGap: 0,
    space: 34,
    grid: { show: index === 0 && config.custom.axisGridShow !== false, stroke: paint.grid, width: 1 },
    ticks: { show: false },
    size: (u, values, axis, cycle) => axisSize(u, values, axis, cycle),
    incrs: isBinary(config.unit) ? binarySteps : undefined,
    values: (_u, splits, _axis, _space, step) => splits.map((v) => tickText(v, step, config)),
  };
}

/** Ticks of bytes stand on powers of two: 32 GiB, not 37.3. */
const binarySteps = Array.from({ length: 61 }, (_, i) => 2 ** i);

function isBinary(unit: string | undefined): boolean {
  const known = unitOf(unit);
  return known.kind === 'scaled' && known.base === 1024;
}

/** As wide as its longest label; measured once per layout. */
function axisSize(u: uPlot, values: string[] | null, axisIndex: number, cycle: number): number {
  const axis = u.axes[axisIndex] as uPlot.Axis & { _size?: number };
  if (cycle > 1) return axis._size ?? 50;
  const longest = (values ?? []).reduce((a, v) => (v && v.length > a.length ? v : a), '');
  u.ctx.save();
  u.ctx.font = axis.font?.[0] ?? '11px sans-serif';
  const width = u.ctx.measureText(longest).width / devicePixelRatio;
  u.ctx.restore();
  return Math.max(28, Math.ceil(width) + 14);
}

/** Enough decimals to tell the ticks apart, and no more. */
function tickText(value: number | null, step: number, config: FieldConfig): string {
  if (value === null) return '';
  const short = formatText(value, config.unit, config.decimals);
  if (config.decimals !== undefined || value === 0) return short;
  const next = formatText(value + step, config.unit);
  return short === next ? formatText(value, config.unit, 3) : short;
}

const { linear, spline, stepped, bars } = uPlot.paths;

function seriesFor(s: Series): uPlot.Series {
  const { config } = s;
  const color = canvasColor(s.color);
  const drawStyle = customString(config, 'drawStyle', 'line');
  const showPoints = customString(config, 'showPoints', 'auto');
  const opacity = customNumber(config, 'fillOpacity', 0) / 100;
  const style = asObject(config.custom.lineStyle);
  const dash = asArray(style.dash).filter((n) => typeof n === 'number');
  const result: uPlot.Series = {
    label: s.name,
    scale: s.scale,
    show: !s.hidden,
    stroke: color,
    width: drawStyle === 'points' ? 0 : lineWidth(config),
    fill: opacity > 0 ? fillFor(color, opacity, customString(config, 'gradientMode', 'none')) : undefined,
    paths: pathsFor(config, drawStyle),
    spanGaps: config.custom.spanNulls === true,
    points: {
      show: drawStyle === 'points' || showPoints === 'always' ? true : undefined,
      size: Math.max(3, customNumber(config, 'pointSize', 5)),
      fill: color,
      width: 0,
    },
  };
  if (style.fill === 'dash') result.dash = dash.length > 0 ? dash : [10, 6];
  if (style.fill === 'dot') result.dash = [1, 5];
  // Without points a value between two gaps would not be seen at all.
  if (drawStyle === 'line' && showPoints !== 'always')
    result.points = {
      ...result.points,
      show: true,
      filter: (u, index) => lonelyValues(u.data[index] ?? [], result.spanGaps === true),
    };
  return result;
}

function pathsFor(config: FieldConfig, drawStyle: string): uPlot.Series.PathBuilder | undefined {
  if (drawStyle === 'points') return () => null;
  if (drawStyle === 'bars') {
    const factor = customNumber(config, 'barWidthFactor', 0.6);
    return bars?.({ size: [factor, 60], align: 0 });
  }
  switch (customString(config, 'lineInterpolation', 'linear')) {
    case 'smooth':
      return spline?.();
    case 'stepBefore':
      return stepped?.({ align: -1 });
    case 'stepAfter':
      return stepped?.({ align: 1 });
    default:
      return linear?.();
  }
}

function fillFor(color: string, opacity: number, gradient: string): uPlot.Series.Fill {
  if (gradient === 'none') return withAlpha(color, opacity);
  return (u) => {
    const { top, height } = u.bbox;
    if (!Number.isFinite(top + height)) return withAlpha(color, opacity);
    const result = u.ctx.createLinearGradient(0, top, 0, top + height);
    result.addColorStop(0, withAlpha(color, opacity));
    result.addColorStop(1, withAlpha(color, gradient === 'opacity' ? 0 : opacity * 0.4));
    return result;
  };
}

function drawThresholds(u: uPlot, scale: string, config: FieldConfig): void {
  const mode = asString(asObject(config.custom.thresholdsStyle).mode, 'off');
  const { ctx, bbox } = u;
  const range = u.scales[scale];
  if (mode === 'off' || !range || range.min === undefined || range.max === undefined) return;
  const { min, max } = range;
  const steps = config.thresholds.steps.map((s) => ({
    color: canvasColor(s.color),
    value: config.thresholds.mode === 'percentage' ? min! + ((max! - min!) * s.value) / 100 : s.value,
  }));
  const y = (value: number) => u.valToPos(Math.min(max!, Math.max(min!, value)), scale, true);
  ctx.save();
  steps.forEach(({ value, color }, i) => {
    const top = y(steps[i + 1]?.value ?? Infinity);
    const bottom = y(value);
    if (mode.includes('area')) {
      ctx.fillStyle = withAlpha(color, 0.1);
      ctx.fillRect(bbox.left, top, bbox.width, bottom - top);
    }
    if (mode !== 'area' && value > min! && value < max!) {
      ctx.strokeStyle = color;
      ctx.lineWidth = 1.5 * devicePixelRatio;
      ctx.setLineDash(mode.startsWith('dashed') ? [8, 6] : []);
      ctx.beginPath();
      ctx.moveTo(bbox.left, bottom);
      ctx.lineTo(bbox.left + bbox.width, bottom);
      ctx.stroke();
    }
  });
  ctx.restore();
}

function drawMarks(u: uPlot, marks: Mark[]): void {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height + 6 * devicePixelRatio);
  ctx.clip();
  for (const mark of marks) {
    const color = canvasColor(resolveColor(mark.color));
    const from = u.valToPos(mark.from, 'x', true);
    const to = u.valToPos(mark.to, 'x', true);
    const bottom = bbox.top + bbox.height;
    if (to - from > 1) {
      ctx.fillStyle = withAlpha(color, 0.12);
      ctx.fillRect(from, bbox.top, to - from, bbox.height);
    }
    ctx.strokeStyle = color;
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([4, 4]);
    ctx.beginPath();
    ctx.moveTo(from, bbox.top);
    ctx.lineTo(from, bottom);
    ctx.stroke();
    ctx.fillStyle = color;
    ctx.fillRect(
      from - 3 * devicePixelRatio,
      bottom,
      Math.max(6 * devicePixelRatio, to - from),
      4 * devicePixelRatio,
    );
  }
  ctx.restore();
}
