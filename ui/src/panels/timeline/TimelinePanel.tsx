import { useCallback, useMemo } from 'react';
import type uPlot from 'uplot';
import { EmptyState } from '../../components/states';
import { canvasColor, contrastText, withAlpha } from '../../model/colors';
import { customNumber, emptyConfig } from '../../model/fieldConfig';
import { asNumber, asString } from '../../model/json';
import { formatInstant } from '../../model/time';
import { formatText } from '../../units';
import { DrawnChart } from '../DrawnChart';
import type { PanelProps } from '../types';
import { lanesOf } from './spans';

/** A lane for each series, a bar for as long as it stays in one state. */
export function StateTimelinePanel(props: PanelProps) {
  return <Timeline {...props} merge={props.panel.options.mergeValues !== false} />;
}

/** As a state timeline, with a box for each sample. */
export function StatusHistoryPanel(props: PanelProps) {
  return <Timeline {...props} merge={false} />;
}

function Timeline(props: PanelProps & { merge: boolean }) {
  const { panel, frames, range, zone, merge } = props;
  const lanes = useMemo(() => lanesOf(frames, zone, merge, range.to), [frames, zone, merge, range.to]);
  const config = frames[0]?.fields.find((f) => f.type !== 'time')?.config ?? emptyConfig;
  const height = Math.min(1, Math.max(0.2, asNumber(panel.options.rowHeight, 0.9)));
  const opacity = customNumber(config, 'fillOpacity', 80) / 100;
  const showValue = asString(panel.options.showValue, 'auto');
  const longest = Math.min(260, Math.max(30, ...lanes.map((l) => l.name.length * 6.4 + 14)));
  const y = useMemo(() => ({ min: 0, max: Math.max(1, lanes.length) }), [lanes.length]);

  const draw = useCallback(
    (u: uPlot) => {
      const { ctx, bbox } = u;
      const lane = bbox.height / Math.max(1, lanes.length);
      const bar = lane * height;
      const gap = merge ? 0 : Math.min(2 * devicePixelRatio, 2);
      ctx.save();
      ctx.beginPath();
      ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
      ctx.clip();
      ctx.font = `${Math.min(13, bar * 0.6) * devicePixelRatio}px ui-sans-serif, system-ui, sans-serif`;
      ctx.textBaseline = 'middle';
      ctx.textAlign = 'left';
      lanes.forEach(({ spans }, i) => {
        const top = bbox.top + lane * i + (lane - bar) / 2;
        for (const span of spans) {
          const left = u.valToPos(span.from, 'x', true);
          const right = u.valToPos(span.to, 'x', true);
          const color = canvasColor(span.color);
          ctx.fillStyle = withAlpha(color, opacity);
          ctx.fillRect(left, top, Math.max(1, right - left - gap), bar);
          const room = right - Math.max(left, bbox.left) - 12 * devicePixelRatio;
          if (
            showValue !== 'never' &&
            bar > 12 * devicePixelRatio &&
            room > ctx.measureText(span.text).width
          ) {
            ctx.fillStyle = contrastText(color);
            ctx.fillText(span.text, Math.max(left, bbox.left) + 6 * devicePixelRatio, top + bar / 2);
          }
        }
      });
      ctx.restore();
    },
    [lanes, height, opacity, merge, showValue],
  );

  const describe = useCallback(
    (x: number, at: number) => {
      const lane = lanes[lanes.length - 1 - Math.floor(at)];
      if (!lane) return undefined;
      const span = lane.spans.find((s) => x >= s.from && x < s.to);
      if (!span) return { head: formatInstant(x, zone), lines: [{ name: lane.name, value: 'unknown' }] };
      return {
        head: `${formatInstant(span.from, zone)} – ${formatInstant(span.to, zone)}`,
        lines: [{ name: lane.name, color: span.color, value: span.text }],
        note: `for ${formatText((span.to - span.from) / 1000, 's')}`,
      };
    },
    [lanes, zone],
  );

  if (lanes.length === 0) return <EmptyState title="No data" />;
  return (
    <DrawnChart
      {...props}
      y={y}
      draw={draw}
      describe={describe}
      axis={{
        size: longest,
        splits: () => lanes.map((_, i) => lanes.length - i - 0.5),
        values: () => lanes.map((l) => (l.name.length > 40 ? `${l.name.slice(0, 39)}…` : l.name)),
      }}
    />
  );
}
