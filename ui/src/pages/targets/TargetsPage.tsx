import { SegmentedControl, TextInput } from '@mantine/core';
import { useHotkeys } from '@mantine/hooks';
import { IconPlugConnected, IconSearch } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useMemo, useRef, useState } from 'react';
import { messageOf } from '../../api';
import type { ActiveTarget } from '../../api/prometheus';
import { useApi } from '../../app/context';
import { useLive } from '../../app/live';
import { useUrlState } from '../../app/urlState';
import { PageHeader } from '../../components/PageHeader';
import { EmptyState, ErrorState, LoadingState } from '../../components/states';
import table from '../../components/table.module.css';
import { formatDuration } from '../../model/time';
import { formatText } from '../../units';
import styles from './TargetsPage.module.css';
import { labelChanges, poolsOf, type Health } from './targets';

const refreshMs = 5_000;

export default function TargetsPage() {
  const { prometheus } = useApi();
  const [params, update] = useUrlState();
  const search = params.get('search') ?? '';
  const health = (params.get('health') ?? undefined) as Health | undefined;
  const targets = useQuery({
    queryKey: ['targets'],
    queryFn: ({ signal }) => prometheus.targets(signal),
    ...useLive(['samples'], refreshMs, 10_000),
  });
  const pools = useMemo(() => poolsOf(targets.data ?? [], health, search), [targets.data, health, search]);
  const down = targets.data?.filter((t) => t.health === 'down').length ?? 0;
  const input = useRef<HTMLInputElement>(null);
  useHotkeys([['/', () => input.current?.focus()]]);
  return (
    <>
      <PageHeader
        title="Targets"
        subtitle={targets.data && `${targets.data.length} targets, ${down === 0 ? 'none' : down} down`}
      >
        <TextInput
          ref={input}
          leftSection={<IconSearch size={14} />}
          placeholder="Label, address or error  ( / )"
          aria-label="Search targets"
          value={search}
          onChange={(e) => update({ search: e.currentTarget.value || undefined })}
        />
        <SegmentedControl
          size="xs"
          aria-label="Health"
          value={health ?? 'all'}
          onChange={(value) => update({ health: value === 'all' ? undefined : value })}
          data={['all', 'up', 'down', 'unknown']}
        />
      </PageHeader>
      {targets.isPending && <LoadingState />}
      {targets.isError && !targets.data && (
        <ErrorState
          title="Targets cannot be read"
          message={messageOf(targets.error)}
          onRetry={() => void targets.refetch()}
        />
      )}
      {targets.data && pools.length === 0 && (
        <EmptyState
          icon={<IconPlugConnected size={28} stroke={1.4} />}
          title={targets.data.length > 0 ? 'No target is like this' : 'Nothing is scraped'}
          message={
            targets.data.length > 0 ? undefined : 'Name targets under scrape_configs in the configuration.'
          }
        />
      )}
      <div className={styles.pools}>
        {pools.map((pool) => (
          <section key={pool.name}>
            <h2 className={styles.pool}>
              {pool.name}
              <span className={styles.count}>
                {pool.up} of {pool.targets.length} up
              </span>
            </h2>
            <div className={table.wrap}>
              <table className={`${table.table} ${styles.table}`}>
                <thead>
                  <tr>
                    <th>State</th>
                    <th>Endpoint</th>
                    <th>Labels</th>
                    <th className={table.number}>Last scrape</th>
                    <th className={table.number}>Took</th>
                    <th className={table.number}>Every</th>
                  </tr>
                </thead>
                <tbody>
                  {pool.targets.map((t) => (
                    <Row
                      key={t.scrapeUrl + JSON.stringify(t.labels)}
                      target={t}
                      now={targets.dataUpdatedAt}
                    />
                  ))}
                </tbody>
              </table>
            </div>
          </section>
        ))}
      </div>
    </>
  );
}

function Row({ target: t, now }: { target: ActiveTarget; now: number }) {
  const [open, setOpen] = useState(false);
  const last = Date.parse(t.lastScrape);
  // Go's zero time is the year 1: it has not been scraped yet.
  const ago =
    last > 0 ? `${formatDuration(Math.max(0, Math.round((now - last) / 1000) * 1000))} ago` : 'never';
  return (
    <>
      <tr>
        <td>
          <span className={styles.state}>
            <span className={`${styles.dot} ${styles[t.health]}`} />
            {t.health}
          </span>
        </td>
        <td>
          <a href={t.globalUrl || t.scrapeUrl} rel="noreferrer" target="_blank">
            {t.scrapeUrl}
          </a>
          {t.lastError && <div className={table.error}>{t.lastError}</div>}
        </td>
        <td>
          <div className={styles.labels}>
            {Object.entries(t.labels).map(([name, value]) => (
              <span key={name}>
                {name}=<b>{value}</b>
              </span>
            ))}
            <button className={styles.more} aria-expanded={open} onClick={() => setOpen(!open)}>
              {open ? 'less' : 'before relabelling'}
            </button>
          </div>
        </td>
        <td className={table.number}>{ago}</td>
        <td className={table.number}>{last > 0 ? formatText(t.lastScrapeDuration, 's') : '–'}</td>
        <td className={table.number}>{t.scrapeInterval}</td>
      </tr>
      {open && (
        <tr>
          <td />
          <td colSpan={5}>
            <table className={table.table}>
              <thead>
                <tr>
                  <th>Label</th>
                  <th>As discovered</th>
                  <th>After relabelling</th>
                </tr>
              </thead>
              <tbody>
                {labelChanges(t).map(({ name, before, after }) => (
                  <tr key={name}>
                    <td className="mono">{name}</td>
                    <td className={before === after ? table.dim : undefined}>{before ?? '–'}</td>
                    <td>{after ?? '–'}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </td>
        </tr>
      )}
    </>
  );
}
