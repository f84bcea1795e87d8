import { useEffect, useMemo, useRef, type MouseEvent } from 'react';
import { EmptyState } from '../../components/states';
import { canvasColor, contrastText } from '../../model/colors';
import { asArray, asBool, asNumber, asObject, asString } from '../../model/json';
import { formatText } from '../../units';
import { reducedValues } from '../stat/reduce';
import { TooltipBox } from '../tooltipBox';
import type { PanelProps } from '../types';
import styles from './PieChartPanel.module.css';
import { outline, slicesOf, type Slice } from './slices';

/** A slice smaller than this has no room for words. */
const leastLabelled = 0.04;

const percent = ({ share }: Slice, decimals = 1) =>
  share < 0.0005 ? '< 0.1%' : formatText(share, 'percentunit', decimals);

/** Parts of a whole, as a pie or a ring. */
export function PieChartPanel({ panel, frames, width, height, zone }: PanelProps) {
  const { options } = panel;
  const slices = useMemo(
    () => slicesOf(reducedValues(frames, options, zone), asString(options.sort, 'desc')),
    [frames, options, zone],
  );
  const box = useRef<TooltipBox | undefined>(undefined);
  useEffect(() => () => box.current?.remove(), []);
  if (slices.length === 0) return <EmptyState title="No data" message="No value is above zero." />;

  const legend = asObject(options.legend);
  const shown = asBool(legend.showLegend, true) && legend.displayMode !== 'hidden';
  const right = legend.placement === 'right' && width > 260;
  const beside = shown && right ? Math.min(asNumber(legend.width, 220), width * 0.5) : 0;
  const below = shown && !right ? Math.min(height * 0.3, 24 + Math.ceil(slices.length / 4) * 22) : 0;
  const size = Math.max(40, Math.min(width - beside, height - below) - 16);
  const outer = size / 2;
  const inner = options.pieType === 'donut' ? outer * 0.6 : 0;
  const follow = (slice: Slice) => (e: MouseEvent) => {
    box.current ??= new TooltipBox();
    const value = `${slice.text}  ${percent(slice)}`;
    box.current.show(
      { head: '', lines: [{ name: slice.name, color: slice.color, value }] },
      e.clientX,
      e.clientY,
    );
  };
  const parts = asArray(options.displayLabels).map(String);
  const values = asArray(legend.values).map(String);
  return (
    <div className={right ? `${styles.panel} ${styles.side}` : styles.panel}>
      <svg
        className={styles.pie}
        width={size}
        height={size}
        viewBox={`${-outer} ${-outer} ${size} ${size}`}
        role="img"
        aria-label={slices.map((s) => `${s.name}: ${percent(s)}`).join(', ')}
        onMouseLeave={() => box.current?.hide()}
      >
        {slices.map((slice, i) => (
          <path
            key={i}
            className={styles.slice}
            d={outline(slice, outer, inner)}
            fill={slice.color}
            onMouseMove={follow(slice)}
          />
        ))}
        {slices.map((slice, i) => (
          <Label
            key={i}
            slice={slice}
            parts={parts}
            radius={inner > 0 ? (outer + inner) / 2 : outer * 0.65}
          />
        ))}
      </svg>
      {shown && (
        <ul className={styles.legend} style={right ? { width: beside } : { maxHeight: below }}>
          {slices.map((slice, i) => (
            <li key={i} className={styles.entry} title={slice.name}>
              <span className={styles.swatch} style={{ background: slice.color }} />
              <span className={styles.name}>{slice.name}</span>
              {values.includes('value') && <span className={styles.value}>{slice.text}</span>}
              {values.includes('percent') && <span className={styles.value}>{percent(slice)}</span>}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

function Label({ slice, parts, radius }: { slice: Slice; parts: string[]; radius: number }) {
  const lines = [
    ...(parts.includes('name') ? [slice.name] : []),
    ...(parts.includes('percent') ? [percent(slice, 0)] : []),
    ...(parts.includes('value') ? [slice.text] : []),
  ];
  if (lines.length === 0 || slice.share < leastLabelled) return null;
  const middle = (slice.from + slice.to) * Math.PI;
  const x = Math.sin(middle) * radius;
  const y = -Math.cos(middle) * radius - ((lines.length - 1) * 13) / 2;
  return (
    <text className={styles.label} y={y} fill={contrastText(canvasColor(slice.color))}>
      {lines.map((line, i) => (
        <tspan key={i} x={x} dy={i === 0 ? 0 : 13}>
          {line}
        </tspan>
      ))}
    </text>
  );
}
