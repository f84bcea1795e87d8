import { useMemo, type MouseEvent } from 'react';
import { calcOf } from '../../model/calcs';
import { display, displayText } from '../../model/display';
import { resolveColor } from '../../model/colors';
import type { Value } from '../../model/frame';
import type { Series } from './series';
import styles from './Legend.module.css';

interface Props {
  series: Series[];
  hidden: ReadonlySet<string>;
  mode: 'list' | 'table';
  calcs: string[];
  right: boolean;
  /** With "add" one is switched on or off; else it is shown alone. */
  onToggle: (name: string, add: boolean) => void;
  onHover: (name: string | undefined) => void;
}

/** Every name that is cut is a clip of its own, which the browser would sort anew at each move of the mouse. */
const longName = 24;

export function Legend({ series, hidden, mode, calcs, right, onToggle, onHover }: Props) {
  const rows = useMemo(
    () =>
      series
        .filter((s) => s.inLegend)
        .map((s) => ({
          name: s.name,
          color: resolveColor(s.color),
          values: calcs.map((id) => calcText(s, id)),
        })),
    [series, calcs],
  );
  const toggle = (name: string) => (event: MouseEvent) =>
    onToggle(name, event.ctrlKey || event.metaKey || event.shiftKey);
  const item = (name: string, color: string) => (
    <button
      type="button"
      className={hidden.has(name) ? `${styles.item} ${styles.off}` : styles.item}
      onClick={toggle(name)}
      onMouseEnter={() => onHover(name)}
      onMouseLeave={() => onHover(undefined)}
      aria-pressed={!hidden.has(name)}
      title={name}
    >
      <span className={styles.swatch} style={{ background: color }} />
      <span className={mode === 'table' || name.length > longName ? styles.cut : undefined}>{name}</span>
    </button>
  );
  if (mode === 'table') {
    return (
      <table className={styles.table}>
        <thead>
          <tr>
            <th>Name</th>
            {calcs.map((id) => (
              <th key={id}>{calcOf(id)?.label ?? id}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ name, color, values }, i) => (
            <tr key={i}>
              <td>{item(name, color)}</td>
              {values.map((v, j) => (
                <td key={j}>{v}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    );
  }
  return (
    <div className={right ? `${styles.list} ${styles.right}` : styles.list}>
      {rows.map(({ name, color, values }, i) => (
        <span key={i} className={styles.entry}>
          {item(name, color)}
          {values.map((v, j) => (
            <span key={j} className={styles.calc}>
              <span className={styles.calcName}>{calcOf(calcs[j] ?? '')?.label}</span> {v}
            </span>
          ))}
        </span>
      ))}
    </div>
  );
}

function calcText(s: Series, id: string): string {
  const calc = calcOf(id);
  const value: Value = calc?.run(s.values) ?? null;
  const config = calc?.unitless ? { ...s.config, unit: undefined } : s.config;
  return displayText(display(config, value, { zone: 'utc' }));
}
