import { useInterval } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { messageOf } from '../../api';
import { useApi } from '../../app/context';
import { useLive } from '../../app/live';
import { PageHeader } from '../../components/PageHeader';
import { ErrorState, LoadingState } from '../../components/states';
import { formatClock } from '../../model/time';
import { Firing, isSilent, severityLevel } from './Firing';
import styles from './Overview.module.css';
import { Tile } from './Tile';
import { worst, type Level } from './tiles';
import { useTiles, type TileState } from './useTiles';

const pollMs = 2000;
const safetyMs = 5000;
/** Without an answer for so long, nothing on the page is about now. */
const deadMs = 8000;

/** How things stand, on one screen: for the wall, and for the first look in the morning. */
export default function OverviewPage() {
  const { alertmanager } = useApi();
  const { tiles, pending, error, readAt } = useTiles();
  const alerts = useQuery({
    queryKey: ['overview', 'alerts'],
    queryFn: ({ signal }) => alertmanager.alerts([], signal),
    ...useLive(['alerts', 'silences'], pollMs, safetyMs),
  });
  const [now, setNow] = useState(() => Date.now());
  useInterval(() => setNow(Date.now()), 1000, { autoInvoke: true });

  // A watchdog fires always: it tells that alerting works, not that something is wrong.
  const firing = (alerts.data ?? []).filter(
    (a) => a.labels.alertname !== 'Watchdog' && a.labels.severity !== 'none',
  );
  const loud = firing.filter((a) => !isSilent(a));
  const oldest = Math.min(readAt || now, alerts.dataUpdatedAt || now);
  const dead = readAt > 0 && now - oldest > deadMs;
  const alertLevel: Level =
    alerts.data === undefined || alerts.isError
      ? 'unknown'
      : worst(loud.map((a) => severityLevel(a.labels.severity)));
  const level: Level = dead ? 'unknown' : worst([alertLevel, ...tiles.map((t) => t.level)]);

  return (
    <>
      <PageHeader title="Overview" documentTitle={loud.length > 0 ? `(${loud.length}) Overview` : 'Overview'}>
        <span className={`${styles.live} ${dead || error ? styles.bad : styles.ok}`} role="status">
          <span className={styles.dot} />
          <span className="numeric">
            {dead || error ? `as of ${formatClock(oldest, 'browser')}` : formatClock(now, 'browser')}
          </span>
        </span>
      </PageHeader>
      {pending && !error ? (
        <LoadingState />
      ) : readAt === 0 ? (
        <ErrorState title="The state cannot be read" message={messageOf(error)} />
      ) : (
        <div className={dead ? `${styles.page} ${styles.dead}` : styles.page}>
          <section className={`${styles.verdict} ${styles[level]}`} data-level={level} aria-live="polite">
            {verdict(level, loud.length, tiles, dead)}
          </section>
          <div className={styles.columns}>
            <section className={styles.tiles} aria-label="State">
              {tiles.map((tile) => (
                <Tile key={tile.spec.id} tile={tile} />
              ))}
            </section>
            <section className={styles.firing} aria-label="Alerts">
              <h2>
                Alerts{' '}
                {firing.length > 0 && (
                  <span className={`${styles.count} ${styles[alertLevel]}`}>{loud.length}</span>
                )}
              </h2>
              {alerts.isError ? (
                <ErrorState title="Alerts cannot be read" message={messageOf(alerts.error)} />
              ) : (
                <Firing alerts={firing} now={now} />
              )}
            </section>
          </div>
        </div>
      )}
    </>
  );
}

/** The one sentence that is read first. */
function verdict(level: Level, alerts: number, tiles: TileState[], dead: boolean): string {
  if (dead) return 'Unknown: hedgewatch does not answer';
  const named = (wanted: Level) => tiles.filter((t) => t.level === wanted).map((t) => t.spec.title);
  if (alerts > 0) return alerts === 1 ? 'One alert is firing' : `${alerts} alerts are firing`;
  if (level === 'bad' || level === 'warn')
    return `Look at: ${[...named('bad'), ...named('warn')].join(', ')}`;
  if (level === 'unknown') return `Unknown: ${named('unknown').join(', ') || 'alerts'}`;
  return 'All is well';
}
