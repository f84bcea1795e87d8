import type uPlot from 'uplot';
import { canvasColor, withAlpha } from '../../model/colors';
import { formatText } from '../../units';
import { isAbove, isBelow, roundTo, type Threshold } from './threshold';
import styles from './ThresholdGraph.module.css';

export interface LineOptions {
  threshold: () => Threshold | undefined;
  /** Called when the line is let go; without it the line stands still. */
  onMove: () => ((value: number) => void) | undefined;
}

/** The line of a threshold with the area in which its condition holds; it can be dragged, and moved with the arrow keys. */
export function thresholdLine({ threshold, onMove }: LineOptions): uPlot.Plugin {
  const handle = document.createElement('div');
  handle.className = styles.handle ?? '';
  let dragged: number | undefined;

  const scaleOf = (u: uPlot) => u.series[1]?.scale;
  const current = () => dragged ?? threshold()?.value;

  function place(u: uPlot): void {
    const scale = scaleOf(u);
    const value = current();
    const shown = scale !== undefined && value !== undefined && Number.isFinite(value);
    handle.style.display = shown ? '' : 'none';
    if (!shown) return;
    const at = Math.min(u.over.clientHeight, Math.max(0, u.valToPos(value, scale)));
    handle.style.top = `${at}px`;
    handle.dataset.value = formatText(value, undefined);
    const movable = onMove() !== undefined;
    handle.toggleAttribute('data-movable', movable);
    handle.tabIndex = movable ? 0 : -1;
    handle.setAttribute('aria-valuenow', String(value));
    handle.setAttribute('aria-disabled', String(!movable));
  }

  function axisLength(u: uPlot): number {
    const { min, max } = u.scales[scaleOf(u) ?? ''] ?? {};
    return (max ?? 0) - (min ?? 0);
  }

  function listen(u: uPlot): void {
    handle.addEventListener('mousedown', (e) => e.stopPropagation()); // No zoom.
    handle.addEventListener('pointerdown', (e) => {
      const scale = scaleOf(u);
      if (!onMove() || scale === undefined) return;
      e.preventDefault();
      handle.focus();
      handle.setPointerCapture(e.pointerId);
      const move = (event: PointerEvent) => {
        const y = event.clientY - u.over.getBoundingClientRect().top;
        const inside = Math.min(u.over.clientHeight, Math.max(0, y));
        dragged = roundTo(u.posToVal(inside, scale), axisLength(u));
        u.redraw(false);
      };
      const end = () => {
        handle.removeEventListener('pointermove', move);
        const value = dragged;
        dragged = undefined;
        if (value !== undefined) onMove()?.(value);
      };
      handle.addEventListener('pointermove', move);
      handle.addEventListener('lostpointercapture', end, { once: true });
    });
    handle.addEventListener('keydown', (e) => {
      const direction = { ArrowUp: 1, ArrowDown: -1 }[e.key];
      const value = threshold()?.value;
      if (!direction || value === undefined) return;
      e.preventDefault();
      const length = axisLength(u);
      onMove()?.(roundTo(value + (direction * length) / (e.shiftKey ? 10 : 50), length));
    });
  }

  return {
    hooks: {
      init: (u) => {
        handle.setAttribute('role', 'slider');
        handle.setAttribute('aria-label', 'Threshold');
        handle.setAttribute('aria-orientation', 'vertical');
        u.over.append(handle);
        listen(u);
      },
      draw: (u) => {
        const scale = scaleOf(u);
        const value = current();
        const op = threshold()?.op;
        if (scale !== undefined && value !== undefined && op) drawArea(u, scale, op, value);
        place(u);
      },
    },
  };
}

function drawArea(u: uPlot, scale: string, op: Threshold['op'], value: number): void {
  const { ctx, bbox } = u;
  const bottom = bbox.top + bbox.height;
  const y = Math.min(bottom, Math.max(bbox.top, u.valToPos(value, scale, true)));
  const color = canvasColor('red');
  ctx.save();
  ctx.fillStyle = withAlpha(color, 0.08);
  if (isAbove(op)) ctx.fillRect(bbox.left, bbox.top, bbox.width, y - bbox.top);
  if (isBelow(op)) ctx.fillRect(bbox.left, y, bbox.width, bottom - y);
  ctx.strokeStyle = color;
  ctx.lineWidth = 1.5 * devicePixelRatio;
  ctx.setLineDash([7 * devicePixelRatio, 5 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.restore();
}
