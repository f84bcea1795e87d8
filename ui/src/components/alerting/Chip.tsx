import type { ReactNode } from 'react';
import styles from './alerting.module.css';

export type Tone = 'ok' | 'warn' | 'bad' | 'info' | 'dim' | 'ack';

/** A word about a state, with its colour; the word says it without the colour too. */
export function Chip({ tone, title, children }: { tone: Tone; title?: string; children: ReactNode }) {
  return (
    <span className={`${styles.chip} ${styles[tone]}`} title={title}>
      {children}
    </span>
  );
}
