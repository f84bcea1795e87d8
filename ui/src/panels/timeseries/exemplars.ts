import type uPlot from 'uplot';
import { canvasColor } from '../../model/colors';
import type { Exemplar } from '../../model/exemplars';
import type { Series } from './series';

export const exemplarColor = 'blue';

/** From its middle to its corners. */
const radiusPx = 4.5;
const nearPx = 8;

/**
 * Where an exemplar is drawn. One above or below the axis stands on its end, as
 * in Grafana: a line of averages must not shrink for one slow request.
 */
function place(
  u: uPlot,
  { time, value, refId }: Exemplar,
  series: Series[],
  onCanvas: boolean,
): { x: number; y: number } | undefined {
  const own = series.find((s) => s.refId === refId && !s.hidden);
  const scale = own && u.scales[own.scale];
  const { min: from, max: to } = u.scales.x ?? {};
  if (!own || typeof scale?.min !== 'number' || typeof scale.max !== 'number') return undefined;
  if (typeof from !== 'number' || typeof to !== 'number' || time < from || time > to) return undefined;
  const inside = Math.min(scale.max, Math.max(scale.min, value));
  return { x: u.valToPos(time, 'x', onCanvas), y: u.valToPos(inside, own.scale, onCanvas) };
}

/** Draws exemplars as diamonds, so that they are no points of a line. */
export function drawExemplars(u: uPlot, exemplars: Exemplar[], series: Series[]): void {
  if (exemplars.length === 0) return;
  const { ctx } = u;
  const radius = radiusPx * devicePixelRatio;
  ctx.save();
  ctx.fillStyle = canvasColor(exemplarColor);
  ctx.strokeStyle = '#ffffffb0';
  ctx.lineWidth = devicePixelRatio;
  for (const exemplar of exemplars) {
    const at = place(u, exemplar, series, true);
    if (!at) continue;
    ctx.beginPath();
    ctx.moveTo(at.x, at.y - radius);
    ctx.lineTo(at.x + radius, at.y);
    ctx.lineTo(at.x, at.y + radius);
    ctx.lineTo(at.x - radius, at.y);
    ctx.closePath();
    ctx.fill();
    ctx.stroke();
  }
  ctx.restore();
}

/** The exemplar under the mouse. */
export function exemplarAt(u: uPlot, exemplars: Exemplar[], series: Series[]): Exemplar | undefined {
  const { left = -1, top = -1 } = u.cursor;
  let best: Exemplar | undefined;
  let distance = nearPx;
  for (const exemplar of left < 0 ? [] : exemplars) {
    const at = place(u, exemplar, series, false);
    const away = at ? Math.hypot(at.x - left, at.y - top) : Infinity;
    if (away < distance) [best, distance] = [exemplar, away];
  }
  return best;
}
