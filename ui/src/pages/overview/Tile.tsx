import { useElementSize } from '@mantine/hooks';
import type { CSSProperties } from 'react';
import { Link } from 'wouter';
import { Sparkline } from '../../panels/stat/Sparkline';
import { formatText } from '../../units';
import styles from './Overview.module.css';
import { staleSeconds, type Level } from './tiles';
import type { TileState } from './useTiles';

export const levelWords: Record<Level, string> = {
  ok: 'fine',
  warn: 'warning',
  bad: 'critical',
  unknown: 'unknown',
};

const lineColors: Record<Level, string> = {
  ok: '#8c98ab',
  warn: '#f5b84a',
  bad: '#ff6b6b',
  unknown: '#8c98ab',
};

/** One number that can be read from across the room; leads to its page. */
export function Tile({ tile: { spec, level, text, note, age, history } }: { tile: TileState }) {
  const { ref, width, height } = useElementSize();
  const stale = age !== undefined && age > staleSeconds;
  const points = history.filter((v) => v !== null).length;
  return (
    <Link
      href={spec.link}
      className={`${styles.tile} ${styles[level]}`}
      // As large as it fits, however long it is.
      style={{ '--letters': Math.max(4, text.length) } as CSSProperties}
      data-tile={spec.id}
      data-level={level}
    >
      <div ref={ref} className={styles.spark}>
        {points > 2 && (
          <Sparkline
            values={history}
            width={width}
            height={height / 0.45}
            color={lineColors[level]}
            config={{ min: undefined, max: undefined }}
          />
        )}
      </div>
      <span className={styles.name}>{spec.title}</span>
      <span className={styles.number}>{text}</span>
      <span className="visually-hidden">{levelWords[level]}</span>
      <span className={styles.note}>{stale ? `last heard ${formatText(age, 's', 0)} ago` : note}</span>
    </Link>
  );
}
