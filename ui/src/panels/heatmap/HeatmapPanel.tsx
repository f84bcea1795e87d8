import { useCallback, useMemo } from 'react';
import type uPlot from 'uplot';
import { EmptyState } from '../../components/states';
import { canvasColor, heatScale, onScale, withAlpha } from '../../model/colors';
import { asBool, asNumber, asObject, asString } from '../../model/json';
import { formatInstant } from '../../model/time';
import { formatText } from '../../units';
import { DrawnChart } from '../DrawnChart';
import type { PanelProps } from '../types';
import { heatOf, type Heat } from './cells';

const shades = 64;

export function HeatmapPanel(props: PanelProps) {
  const { panel, frames, zone, theme } = props;
  const { options } = panel;
  const heat = useMemo(() => heatOf(frames, asBool(options.calculate)), [frames, options.calculate]);
  const color = asObject(options.color);
  const colors = useMemo(() => colorsOf(color, theme), [color, theme]);
  const axis = asObject(options.yAxis);
  const unit = asString(axis.unit, '') || frames[0]?.fields.find((f) => f.type === 'number')?.config.unit;
  const most = useMemo(() => heat.cells.reduce((a, c) => Math.max(a, c.count), 0), [heat]);
  const y = useMemo(
    () => ({ min: asNumber(axis.min, heat.min), max: asNumber(axis.max, heat.max), log: heat.log }),
    [axis.min, axis.max, heat],
  );
  const exponent = asString(color.scale, 'exponential') === 'exponential' ? asNumber(color.exponent, 0.5) : 1;

  const draw = useCallback(
    (u: uPlot) => {
      const { ctx, bbox } = u;
      ctx.save();
      ctx.beginPath();
      ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
      ctx.clip();
      for (const { from, to, low, high, count } of heat.cells) {
        const share = most > 0 ? (count / most) ** exponent : 0;
        ctx.fillStyle = colors[Math.min(shades - 1, Math.floor(share * shades))] ?? '';
        const left = Math.round(u.valToPos(from, 'x', true));
        const right = Math.round(u.valToPos(to, 'x', true));
        const top = Math.round(u.valToPos(high, 'y', true));
        const bottom = Math.round(u.valToPos(low, 'y', true));
        ctx.fillRect(left, top, Math.max(1, right - left - 1), Math.max(1, bottom - top - 1));
      }
      ctx.restore();
    },
    [heat, most, colors, exponent],
  );

  const describe = useCallback(
    (x: number, at: number) => {
      const cell = heat.cells.find((c) => x >= c.from && x < c.to && at >= c.low && at < c.high);
      if (!cell) return undefined;
      const [low, high] = cell.truly ?? [cell.low, cell.high];
      const name = heat.names?.[cell.low] ?? `${formatText(low, unit)} – ${formatText(high, unit)}`;
      return {
        head: formatInstant(cell.from, zone),
        lines: [{ name, value: formatText(cell.count, 'short') }],
      };
    },
    [heat, unit, zone],
  );

  if (heat.cells.length === 0) return <EmptyState title="No data" />;
  return (
    <DrawnChart
      {...props}
      y={y}
      draw={draw}
      describe={describe}
      axis={{
        size: heat.names ? Math.min(200, Math.max(...heat.names.map((n) => n.length * 6.6 + 16))) : 64,
        splits: splitsOf(heat),
        values: (_u: uPlot, splits: number[]) =>
          heat.names
            ? heat.names.map((n) => n.slice(0, 30))
            : splits.map((v) => (v === null ? '' : formatText(v, unit))),
      }}
    />
  );
}

const leastGapPx = 18;

/** Ticks stand on the bounds of buckets, as many as find a place. */
function splitsOf({ names, bounds }: Heat): uPlot.Axis.Splits | undefined {
  if (names) return () => names.map((_, i) => i + 0.5);
  if (!bounds) return undefined;
  return (u, _axis, min, max) => {
    let last = Infinity;
    return bounds.filter((bound) => {
      if (bound < min || bound > max) return false;
      const at = u.valToPos(bound, 'y');
      if (last - at < leastGapPx) return false;
      last = at;
      return true;
    });
  };
}

/** The scheme's dark end is the ground; on the light theme it starts light. */
function colorsOf(color: ReturnType<typeof asObject>, theme: 'dark' | 'light'): string[] {
  if (color.mode === 'opacity') {
    const fill = canvasColor(asString(color.fill, 'blue'));
    return Array.from({ length: shades }, (_, i) => withAlpha(fill, 0.08 + (0.92 * i) / (shades - 1)));
  }
  const stops = heatScale(asString(color.scheme, 'Oranges'));
  const ordered =
    (color.reverse === true) !== (theme === 'light' && stops.length === 4) ? [...stops].reverse() : stops;
  return Array.from({ length: shades }, (_, i) => onScale(ordered, i / (shades - 1)));
}
