import type { Transition } from '../../api/notify';
import { formatInstant } from '../../model/time';
import styles from './Timeline.module.css';
import { chapters } from './chapters';

const tones: Record<string, string | undefined> = {
  firing: styles.bad,
  resolved: styles.ok,
  acknowledged: styles.ack,
};

/** What happened to an alert, the newest first. */
export function Timeline({ transitions }: { transitions: Transition[] }) {
  if (transitions.length === 0) return <div className={styles.empty}>Nothing is on record.</div>;
  return (
    <ol className={styles.timeline}>
      {chapters(transitions).map(({ last, receivers, messages }) => (
        <li key={last.id} className={tones[last.to] ?? styles.dim}>
          <time className="numeric" dateTime={last.time}>
            {formatInstant(Date.parse(last.time), 'browser', true)}
          </time>
          <span className={styles.text}>{messages > 0 ? told(receivers, messages) : describe(last)}</span>
        </li>
      ))}
    </ol>
  );
}

const told = (receivers: string[], messages: number): string =>
  `${receivers.join(', ')} told${messages > receivers.length ? `, ${messages} messages` : ''}`;

function describe(t: Transition): string {
  switch (t.to) {
    case 'firing':
      return t.value === undefined ? 'fires' : `fires with ${Number(t.value)}`;
    case 'resolved':
      return 'resolved';
    case 'acknowledged':
      return `acknowledged by ${t.who || 'somebody'}${t.note ? `: ${t.note}` : ''}`;
    default:
      return t.note ? `${t.to}: ${t.note}` : t.to;
  }
}
