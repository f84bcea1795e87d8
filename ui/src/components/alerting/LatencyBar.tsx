import { formatMs, type Latency } from './latency';
import styles from './LatencyBar.module.css';

const words = {
  scrape: 'Scrape: from the sample to the store',
  evaluate: 'Evaluate: from the store to the alert',
  group: 'Group: waits for others of its group',
  send: 'Send: to the answer of the destination',
};

/** The way of an alert, as long as each stage took. */
export function LatencyBar({ latency }: { latency: Latency }) {
  return (
    <div>
      <div className={styles.bar} aria-hidden="true">
        {latency.stages.map(({ name, ms }) => (
          <span
            key={name}
            className={styles[name]}
            style={{ flexGrow: Math.max(ms, latency.totalMs / 60) }}
          />
        ))}
      </div>
      <dl className={styles.stages}>
        {latency.stages.map(({ name, ms }) => (
          <div key={name} title={words[name]}>
            <dt>
              <span className={`${styles.dot} ${styles[name]}`} />
              {name}
            </dt>
            <dd>{formatMs(ms)}</dd>
          </div>
        ))}
        <div>
          <dt>in all, to {latency.receiver}</dt>
          <dd className={styles.total}>{formatMs(latency.totalMs)}</dd>
        </div>
      </dl>
    </div>
  );
}
