import { IconPlugConnectedX } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import styles from './ConnectionBanner.module.css';
import { useApi, useConnection } from './context';

const retryMs = 2000;

/**
 * Says that the server does not answer, since when, and asks for it until it
 * does. Then everything on the page is loaded again. Nothing typed is lost.
 */
export function ConnectionBanner() {
  const api = useApi();
  const connection = useConnection();
  const queries = useQueryClient();
  const lostSince = connection.kind === 'lost' ? connection.since : undefined;
  const [now, setNow] = useState(0);

  useEffect(() => {
    if (lostSince === undefined) return;
    let stopped = false;
    let timer = 0;
    const attempt = async () => {
      try {
        await api.hedgewatch.status(AbortSignal.timeout(5000));
        await queries.invalidateQueries();
      } catch {
        // Still away, or still starting: the next attempt will tell.
      }
      if (stopped) return;
      setNow(Date.now());
      timer = window.setTimeout(attempt, retryMs);
    };
    timer = window.setTimeout(attempt, retryMs);
    return () => {
      stopped = true;
      clearTimeout(timer);
    };
  }, [api, lostSince, queries]);

  if (lostSince === undefined) return null;
  const seconds = Math.max(0, Math.round((now - lostSince) / 1000));
  return (
    <div className={styles.banner} role="alert">
      <IconPlugConnectedX size={18} />
      <span>
        hedgewatch does not answer{seconds > 0 ? ` for ${seconds} s` : ''}. What you see is as old as that.
        Trying again…
      </span>
    </div>
  );
}
