import { useElementSize, useInterval, useViewportSize } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { useState, type CSSProperties } from 'react';
import { Link } from 'wouter';
import { messageOf } from '../../api';
import { useApi } from '../../app/context';
import { useLive } from '../../app/live';
import { PageHeader } from '../../components/PageHeader';
import { ErrorState, LoadingState } from '../../components/states';
import { formatClock } from '../../model/time';
import { Firing, isSilent, severityLevel } from './Firing';
import styles from './Overview.module.css';
import { Tile } from './Tile';
import { columnsFor, worst, type Level } from './tiles';
import { useTiles, type TileState } from './useTiles';

const pollMs = 2000;
const safetyMs = 5000;
/** Without an answer for so long, nothing on the page is about now. */
const deadMs = 8000;

/** How things stand, on one screen: for the wall, and for the first look in the morning. */
export default function OverviewPage() {
  const { alertmanager, notify } = useApi();
  const { tiles, pending, error, readAt } = useTiles();
  const alerts = useQuery({
    queryKey: ['overview', 'alerts'],
    queryFn: ({ signal }) => alertmanager.alerts([], signal),
    ...useLive(['alerts', 'silences'], pollMs, safetyMs),
  });
  const acks = useQuery({
    queryKey: ['overview', 'acks'],
    queryFn: ({ signal }) => notify.acknowledgements(signal),
    ...useLive(['alerts'], 10_000),
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
            <Link href={loud.length > 0 ? '/alerts' : '/'}>{verdict(level, loud.length, tiles, dead)}</Link>
            {loud.length > 0 && <span className={styles.also}>{also(tiles)}</span>}
          </section>
          <div className={styles.columns}>
            <Tiles tiles={tiles} />
            <section className={styles.firing} aria-label="Alerts">
              <h2>
                <Link href="/alerts">Alerts</Link>{' '}
                {firing.length > 0 && (
                  <span className={`${styles.count} ${styles[alertLevel]}`}>{loud.length}</span>
                )}
              </h2>
              {alerts.isError ? (
                <ErrorState title="Alerts cannot be read" message={messageOf(alerts.error)} />
              ) : (
                <Firing alerts={firing} acks={acks.data ?? []} now={now} />
              )}
            </section>
          </div>
        </div>
      )}
    </>
  );
}

/** What is above the tiles, in pixels. */
const headHeight = 170;

function Tiles({ tiles }: { tiles: TileState[] }) {
  const { ref, width } = useElementSize();
  const { height } = useViewportSize();
  const columns = columnsFor(tiles.length, width, height - headHeight);
  // The last one takes what is left of its row.
  const rest = columns - ((tiles.length - 1) % columns);
  return (
    <section
      ref={ref}
      className={styles.tiles}
      style={{ '--columns': columns, '--rest': rest } as CSSProperties}
      aria-label="State"
    >
      {tiles.map((tile) => (
        <Tile key={tile.spec.id} tile={tile} />
      ))}
    </section>
  );
}

const titles = (tiles: TileState[], ...wanted: Level[]): string[] =>
  wanted.flatMap((level) => tiles.filter((t) => t.level === level).map((t) => t.spec.title));

/** What is wrong or unknown besides the alerts. */
function also(tiles: TileState[]): string {
  const bad = titles(tiles, 'bad', 'warn');
  const unknown = titles(tiles, 'unknown');
  return [bad.join(', '), unknown.length > 0 ? `unknown: ${unknown.join(', ')}` : '']
    .filter(Boolean)
    .join('; ');
}

/** The one sentence that is read first. */
function verdict(level: Level, alerts: number, tiles: TileState[], dead: boolean): string {
  if (dead) return 'Unknown: hedgewatch does not answer';
  if (alerts > 0) return alerts === 1 ? 'One alert is firing' : `${alerts} alerts are firing`;
  if (level === 'bad' || level === 'warn') return `Look at: ${titles(tiles, 'bad', 'warn').join(', ')}`;
  if (level === 'unknown') return `Unknown: ${titles(tiles, 'unknown').join(', ') || 'alerts'}`;
  return 'All is well';
}
