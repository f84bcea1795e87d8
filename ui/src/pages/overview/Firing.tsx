import { IconBellOff, IconCircleCheck, IconUserCheck } from '@tabler/icons-react';
import { Link } from 'wouter';
import type { Alert } from '../../api/alertmanager';
import type { Ack } from '../../api/notify';
import { formatText } from '../../units';
import styles from './Overview.module.css';
import type { Level } from './tiles';

const maxShown = 30;

export function severityLevel(severity = ''): Level {
  if (/^(critical|page|fatal|emergency|high)$/i.test(severity)) return 'bad';
  return /^(none|info)$/i.test(severity) ? 'ok' : 'warn';
}

interface Props {
  alerts: Alert[];
  acks: Ack[];
  now: number;
}

/** What fires now, the worst first; what is silenced comes last and looks so. */
export function Firing({ alerts, acks, now }: Props) {
  const ackOf = new Map(acks.map((a) => [a.fingerprint, a]));
  const listed = [...alerts].sort(
    (a, b) => rank(a) - rank(b) || Date.parse(b.startsAt) - Date.parse(a.startsAt),
  );
  if (listed.length === 0) {
    return (
      <div className={styles.quiet}>
        <IconCircleCheck size={22} /> Nothing fires
      </div>
    );
  }
  return (
    <ul className={styles.alerts} tabIndex={0} aria-label="Alerts that fire">
      {listed.slice(0, maxShown).map((alert) => {
        const ack = ackOf.get(alert.fingerprint);
        return (
          <li key={alert.fingerprint}>
            <Link
              href={`/alerts?${isSilent(alert) ? 'state=muted&' : ''}alert=${alert.fingerprint}`}
              className={`${styles.alert} ${styles[isSilent(alert) ? 'unknown' : severityLevel(alert.labels.severity)]}`}
            >
              <span className={styles.alertName}>
                {isSilent(alert) && <IconBellOff size={15} aria-label="silenced" />} {alert.labels.alertname}
              </span>
              <span className={styles.alertAge}>
                {formatText(Math.max(0, now - Date.parse(alert.startsAt)) / 1000, 's', 0)}
              </span>
              <span className={styles.alertText}>
                {alert.annotations.summary ?? alert.annotations.description ?? describeLabels(alert)}
              </span>
              {ack && (
                <span className={styles.taken}>
                  <IconUserCheck size={14} aria-hidden="true" /> {ack.by} is on it
                </span>
              )}
            </Link>
          </li>
        );
      })}
      {listed.length > maxShown && (
        <li className={styles.alertText}>
          <Link href="/alerts">and {listed.length - maxShown} more</Link>
        </li>
      )}
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
