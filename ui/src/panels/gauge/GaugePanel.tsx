import { EmptyState } from '../../components/states';
import { resolveColor } from '../../model/colors';
import { displayText } from '../../model/display';
import { asBool, asString } from '../../model/json';
import { absoluteSteps } from '../../model/thresholds';
import { gridFor } from '../stat/grid';
import { reducedValues, type Reduced } from '../stat/reduce';
import type { PanelProps } from '../types';
import styles from './GaugePanel.module.css';

export function GaugePanel({ panel, frames, width, height, zone }: PanelProps) {
  const values = reducedValues(frames, panel.options, zone);
  if (values.length === 0) return <EmptyState title="No data" />;
  const { columns, rows } = gridFor(
    values.length,
    width,
    height * 1.4,
    asString(panel.options.orientation, 'auto'),
  );
  return (
    <div className={styles.grid} style={{ gridTemplateColumns: `repeat(${columns}, 1fr)` }}>
      {values.map((value, i) => (
        <Gauge
          key={i}
          value={value}
          width={width / columns}
          height={height / rows}
          showName={values.length > 1}
          markers={asBool(panel.options.showThresholdMarkers, true)}
        />
      ))}
    </div>
  );
}

const sweep = (240 * Math.PI) / 180;
const start = (150 * Math.PI) / 180;

interface GaugeProps {
  value: Reduced;
  width: number;
  height: number;
  showName: boolean;
  markers: boolean;
}

function Gauge({ value: { name, display, config, min, max }, width, height, showName, markers }: GaugeProps) {
  const room = height - (showName ? 20 : 0);
  const radius = Math.max(20, Math.min(width / 2 - 8, room / 1.72));
  const thickness = Math.max(6, radius * 0.2);
  const share = (v: number) => (max > min ? Math.min(1, Math.max(0, (v - min) / (max - min))) : 0);
  const filled = typeof display.value === 'number' ? share(display.value) : 0;
  const steps = absoluteSteps(config.thresholds, min, max);
  const box = radius + 4;
  const text = displayText(display);
  // The number stands inside the ring.
  const inner = radius - thickness - 8;
  const size = Math.max(11, Math.min(radius * 0.4, (inner * 1.8) / Math.max(3, text.length * 0.62)));
  return (
    <div className={styles.gauge} role="img" aria-label={`${name}: ${text}`}>
      <svg
        width={box * 2}
        height={box + radius * 0.66}
        viewBox={`${-box} ${-box} ${box * 2} ${box + radius * 0.66}`}
      >
        <path d={arc(radius - thickness / 2 - 5, 0, 1)} className={styles.track} strokeWidth={thickness} />
        {filled > 0 && (
          <path
            d={arc(radius - thickness / 2 - 5, 0, filled)}
            stroke={display.color}
            strokeWidth={thickness}
            fill="none"
          />
        )}
        {markers &&
          steps.map((step, i) => (
            <path
              key={i}
              d={arc(radius - 1.5, share(step.value), share(steps[i + 1]?.value ?? max))}
              stroke={resolveColor(step.color)}
              strokeWidth={3}
              fill="none"
            />
          ))}
        <text textAnchor="middle" y={size * 0.3} fontSize={size} className={styles.text} fill={display.color}>
          {text}
        </text>
      </svg>
      {showName && <div className={styles.name}>{name}</div>}
    </div>
  );
}

/** A part of the ring; shares go from 0 at the lower left to 1 at the lower right. */
function arc(radius: number, from: number, to: number): string {
  if (to <= from) return '';
  const at = (share: number) => {
    const angle = start + sweep * share;
    return `${(radius * Math.cos(angle)).toFixed(2)},${(radius * Math.sin(angle)).toFixed(2)}`;
  };
  const large = (to - from) * sweep > Math.PI ? 1 : 0;
  return `M${at(from)} A${radius},${radius} 0 ${large} 1 ${at(to)}`;
}
