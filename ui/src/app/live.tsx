import { useQueryClient, type QueryClient } from '@tanstack/react-query';
import { useEffect, useSyncExternalStore } from 'react';
import type { Topic } from '../api/changes';
import { useApi } from './context';

declare module '@tanstack/react-query' {
  interface Register {
    /** What a query is about: it is asked again when the server says that this has changed. */
    queryMeta: { topics?: readonly Topic[] };
  }
}

/** How often is asked while the server tells of changes: for what it does not tell. */
const safetyMs = 30_000;
const pauseMs = 300;

/**
 * Options of a query that follows the stream of changes. While there is none, it
 * is asked every pollMs, else every safetyNetMs.
 */
export function useLive(topics: readonly Topic[], pollMs: number, safetyNetMs = safetyMs) {
  const { changes } = useApi();
  const up = useSyncExternalStore(changes.subscribe, () => changes.up);
  return { meta: { topics }, refetchInterval: up ? Math.max(pollMs, safetyNetMs) : pollMs };
}

/** Asks again for what has changed, as long as somebody looks. */
export function LiveUpdates() {
  const { changes } = useApi();
  const queries = useQueryClient();
  useEffect(() => {
    const refresher = new Refresher((topics) => refetch(queries, topics));
    const unsubscribe = changes.subscribe((heard) => {
      if (heard.kind === 'changed') refresher.changed(heard.topics);
      // Nobody knows what happened before the stream was there.
      if (heard.kind === 'up') refresher.changed('everything');
    });
    const look = () => changes.want(!document.hidden);
    look();
    document.addEventListener('visibilitychange', look);
    return () => {
      document.removeEventListener('visibilitychange', look);
      changes.want(false);
      unsubscribe();
      refresher.stop();
    };
  }, [changes, queries]);
  return null;
}

export type Changed = ReadonlySet<string> | 'everything';

async function refetch(queries: QueryClient, changed: Changed): Promise<void> {
  const concerned = (topics: readonly string[] | undefined) =>
    topics?.some((t) => changed === 'everything' || changed.has(t) || changed.has('configuration')) ?? false;
  await queries.invalidateQueries({ predicate: (q) => concerned(q.meta?.topics) }, { cancelRefetch: false });
}

/**
 * Asks at once after the first change, and after a pause for all that came
 * meanwhile: a storm must neither ask without end nor cancel its own questions.
 */
export class Refresher {
  private pending: Set<string> | 'everything' | undefined;
  private busy = false;
  private stopped = false;

  constructor(private readonly refetch: (changed: Changed) => Promise<unknown>) {}

  changed(topics: Changed): void {
    if (topics === 'everything' || this.pending === 'everything') this.pending = 'everything';
    else this.pending = new Set([...(this.pending ?? []), ...topics]);
    void this.run();
  }

  stop(): void {
    this.stopped = true;
  }

  private async run(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    while (this.pending !== undefined && !this.stopped) {
      const changed = this.pending;
      this.pending = undefined;
      await this.refetch(changed).catch(() => undefined); // Each query shows its own error.
      await new Promise((done) => setTimeout(done, pauseMs));
    }
    this.busy = false;
  }
}
