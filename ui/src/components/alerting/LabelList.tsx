import type { Labels } from '../../api/prometheus';
import styles from './alerting.module.css';

interface Props {
  labels: Labels;
  /** Names that are shown elsewhere. */
  without?: readonly string[];
  onPick?: (name: string, value: string) => void;
}

/** Labels as chips; a click narrows a search to one. */
export function LabelList({ labels, without = [], onPick }: Props) {
  const shown = Object.entries(labels)
    .filter(([name]) => !without.includes(name))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  if (shown.length === 0) return null;
  return (
    <span className={styles.labels}>
      {shown.map(([name, value]) => {
        const text = (
          <>
            <span className={styles.labelName}>{name}</span>
            {value}
          </>
        );
        return onPick ? (
          <button
            key={name}
            type="button"
            className={styles.label}
            title={`Only ${name}="${value}"`}
            onClick={(e) => {
              e.stopPropagation();
              onPick(name, value);
            }}
          >
            {text}
          </button>
        ) : (
          <span key={name} className={styles.label}>
            {text}
          </span>
        );
      })}
    </span>
  );
}
