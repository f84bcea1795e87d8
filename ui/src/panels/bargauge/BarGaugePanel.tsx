import { EmptyState } from '../../components/states';
import { mix, resolveColor, withAlpha, canvasColor } from '../../model/colors';
import { displayText } from '../../model/display';
import { asBool, asString } from '../../model/json';
import { absoluteSteps } from '../../model/thresholds';
import { reducedValues, type Reduced } from '../stat/reduce';
import type { PanelProps } from '../types';
import styles from './BarGaugePanel.module.css';

export function BarGaugePanel({ panel, frames, width, height, zone }: PanelProps) {
  const values = reducedValues(frames, panel.options, zone);
  if (values.length === 0) return <EmptyState title="No data" />;
  const orientation = asString(panel.options.orientation, 'auto');
  const across = orientation === 'horizontal' || (orientation === 'auto' && width >= height);
  const mode = asString(panel.options.displayMode, 'gradient');
  const unfilled = asBool(panel.options.showUnfilled, true);
  const names = values.length > 1;
  const room = across ? width * (names ? 0.35 : 0.7) : height - 60;
  const cells = Math.min(40, Math.max(5, Math.floor(room / 9)));
  const longest = Math.max(...values.map((v) => v.name.length));
  const nameWidth = Math.min(width * 0.4, Math.max(60, longest * 7));
  return (
    <div className={across ? styles.rows : styles.columns}>
      {values.map((value, i) => (
        <div key={i} className={across ? styles.row : styles.column}>
          {names && (
            <div className={styles.name} style={across ? { width: nameWidth } : undefined} title={value.name}>
              {value.name}
            </div>
          )}
          <Bar value={value} mode={mode} across={across} unfilled={unfilled} cells={cells} />
          <div className={styles.value} style={{ color: value.display.color }}>
            {displayText(value.display)}
          </div>
        </div>
      ))}
    </div>
  );
}

function Bar({
  value,
  mode,
  across,
  unfilled,
  cells,
}: {
  value: Reduced;
  mode: string;
  across: boolean;
  unfilled: boolean;
  cells: number;
}) {
  const { display, min, max, config } = value;
  const share =
    typeof display.value === 'number' && max > min
      ? Math.min(1, Math.max(0, (display.value - min) / (max - min)))
      : 0;
  const length = `${share * 100}%`;
  const size = across ? { width: length } : { height: length };
  const steps = absoluteSteps(config.thresholds, min, max);
  if (mode === 'lcd') {
    return (
      <div className={across ? styles.lcd : styles.lcdUp}>
        {Array.from({ length: cells }, (_, i) => {
          const at = min + ((max - min) * i) / cells;
          const color = resolveColor([...steps].reverse().find((s) => at >= s.value)?.color ?? 'green');
          const on = i / cells < share;
          return (
            <span
              key={i}
              style={{
                background: on ? color : unfilled ? withAlpha(canvasColor(color), 0.14) : 'transparent',
              }}
            />
          );
        })}
      </div>
    );
  }
  const color = canvasColor(display.color);
  const direction = across ? 'to right' : 'to top';
  const background =
    mode === 'gradient' ? `linear-gradient(${direction}, ${mix(color, '#000000', 0.35)}, ${color})` : color;
  return (
    <div className={styles.track} style={unfilled ? undefined : { background: 'none' }}>
      <div className={across ? styles.fill : styles.fillUp} style={{ ...size, background }} />
    </div>
  );
}
