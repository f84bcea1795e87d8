import { IconBellOff, IconCircleCheck } from '@tabler/icons-react';
import type { Alert } from '../../api/alertmanager';
import { formatText } from '../../units';
import styles from './Overview.module.css';
import type { Level } from './tiles';

const maxShown = 12;

export function severityLevel(severity = ''): Level {
  if (/^(critical|page|fatal|emergency|high)$/i.test(severity)) return 'bad';
  return /^(none|info)$/i.test(severity) ? 'ok' : 'warn';
}

/** What fires now, the worst first; what is silenced comes last and looks so. */
export function Firing({ alerts, now }: { alerts: Alert[]; now: number }) {
  const listed = [...alerts].sort(
    (a, b) => rank(a) - rank(b) || Date.parse(b.startsAt) - Date.parse(a.startsAt),
  );
  if (listed.length === 0) {
    return (
      <div className={styles.quiet}>
        <IconCircleCheck size={20} /> Nothing fires
      </div>
    );
  }
  return (
    <ul className={styles.alerts}>
      {listed.slice(0, maxShown).map((alert) => (
        <li
          key={alert.fingerprint}
          className={`${styles.alert} ${styles[isSilent(alert) ? 'unknown' : severityLevel(alert.labels.severity)]}`}
        >
          <span className={styles.alertName}>
            {isSilent(alert) && <IconBellOff size={14} aria-label="silenced" />} {alert.labels.alertname}
          </span>
          <span className={styles.alertText}>
            {alert.annotations.summary ?? alert.annotations.description ?? describeLabels(alert)}
          </span>
          <span className={styles.alertAge}>
            {formatText(Math.max(0, now - Date.parse(alert.startsAt)) / 1000, 's', 0)}
          </span>
        </li>
      ))}
      {listed.length > maxShown && <li className={styles.alertText}>and {listed.length - maxShown} more</li>}
    </ul>
  );
}

export const isSilent = (alert: Alert): boolean => alert.status.state === 'suppressed';

function rank(alert: Alert): number {
  if (isSilent(alert)) return 3;
  return { bad: 0, warn: 1, unknown: 1, ok: 2 }[severityLevel(alert.labels.severity)];
}

function describeLabels({ labels }: Alert): string {
  return Object.entries(labels)
    .filter(([name]) => name !== 'alertname' && name !== 'severity')
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}
