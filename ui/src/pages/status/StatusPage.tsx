import { SegmentedControl } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { CSSProperties, ReactNode } from 'react';
import { messageOf } from '../../api';
import * as d from '../../api/decode';
import { useApi } from '../../app/context';
import { useUrlState } from '../../app/urlState';
import { PageHeader } from '../../components/PageHeader';
import { EmptyState, ErrorState, LoadingState } from '../../components/states';
import table from '../../components/table.module.css';
import { formatInstant } from '../../model/time';
import { formatText } from '../../units';
import styles from './StatusPage.module.css';
import { facts, show, tsdb, words, type Count } from './status';

const views = ['Server', 'Storage', 'Configuration', 'Flags'] as const;
type View = (typeof views)[number];

export default function StatusPage() {
  const [params, update] = useUrlState();
  const view = views.find((v) => v === params.get('view')) ?? 'Server';
  return (
    <>
      <PageHeader title="Status" subtitle="What runs here, what it keeps, and how it is configured">
        <SegmentedControl
          size="xs"
          aria-label="View"
          value={view}
          onChange={(value) => update({ view: value })}
          data={[...views]}
        />
      </PageHeader>
      <div className={styles.page}>{content(view)}</div>
    </>
  );
}

function content(view: View): ReactNode {
  switch (view) {
    case 'Server':
      return (
        <>
          <Facts title="Runtime" path="runtimeinfo" />
          <Facts title="Build" path="buildinfo" />
          <Facts title="Write-ahead log replay" path="walreplay" />
        </>
      );
    case 'Storage':
      return <Storage />;
    case 'Configuration':
      return <Configuration />;
    case 'Flags':
      return <Facts title="Command line" path="flags" plain />;
  }
}

/** One endpoint below /api/v1/status, checked and kept fresh. */
function useStatus<T>(path: string, decode: d.Decoder<T>) {
  const { prometheus } = useApi();
  return useQuery({
    queryKey: ['status', path],
    queryFn: ({ signal }) => prometheus.data(`api/v1/status/${path}`, decode, { signal }),
    refetchInterval: 10_000,
  });
}

/** Loading and error states around what an endpoint answers. */
function Answer<T>({
  query,
  children,
}: {
  query: ReturnType<typeof useStatus<T>>;
  children: (data: T) => ReactNode;
}) {
  if (query.data !== undefined) return children(query.data);
  if (query.isError) {
    return (
      <ErrorState
        title="This cannot be read"
        message={messageOf(query.error)}
        onRetry={() => void query.refetch()}
      />
    );
  }
  return <LoadingState />;
}

function Facts({ title, path, plain = false }: { title: string; path: string; plain?: boolean }) {
  const query = useStatus(path, facts);
  return (
    <section className={plain ? styles.wide : undefined}>
      <h2 className={styles.title}>{title}</h2>
      <Answer query={query}>
        {(data) => (
          <div className={table.wrap}>
            <table className={table.table}>
              <tbody>
                {Object.entries(data).map(([name, value]) => (
                  <tr key={name}>
                    <td className={plain ? 'mono' : table.dim}>{plain ? `--${name}` : words(name)}</td>
                    <td>{show(value, (ms) => formatInstant(ms, 'browser'))}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Answer>
    </section>
  );
}

function Storage() {
  const query = useStatus('tsdb', tsdb);
  return (
    <Answer query={query}>
      {(data) => (
        <>
          <section className={styles.wide}>
            <h2 className={styles.title}>In memory</h2>
            <div className={table.wrap}>
              <table className={table.table}>
                <tbody>
                  <Fact name="Series" value={formatText(data.headStats.numSeries, 'short')} />
                  <Fact name="Label pairs" value={formatText(data.headStats.numLabelPairs, 'short')} />
                  <Fact name="Chunks" value={formatText(data.headStats.chunkCount, 'short')} />
                  {data.headStats.numSeries > 0 && (
                    <Fact
                      name="Samples"
                      value={`${formatInstant(data.headStats.minTime, 'browser')} to ${formatInstant(data.headStats.maxTime, 'browser')}`}
                    />
                  )}
                </tbody>
              </table>
            </div>
          </section>
          <Top title="Metrics with most series" unit="short" counts={data.seriesCountByMetricName} />
          <Top title="Label pairs with most series" unit="short" counts={data.seriesCountByLabelValuePair} />
          <Top title="Labels with most values" unit="short" counts={data.labelValueCountByLabelName} />
          <Top title="Labels with most text" unit="bytes" counts={data.memoryInBytesByLabelName} />
        </>
      )}
    </Answer>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <tr>
      <td className={table.dim}>{name}</td>
      <td>{value}</td>
    </tr>
  );
}

function Top({ title, unit, counts }: { title: string; unit: string; counts: Count[] }) {
  const most = Math.max(1, ...counts.map((c) => c.value));
  return (
    <section>
      <h2 className={styles.title}>{title}</h2>
      {counts.length === 0 ? (
        <EmptyState title="Nothing yet" />
      ) : (
        <div className={table.wrap}>
          <table className={table.table}>
            <tbody>
              {counts.map(({ name, value }) => (
                <tr key={name}>
                  <td
                    className={styles.bar}
                    style={{ '--share': `${(100 * value) / most}%` } as CSSProperties}
                  >
                    <span>{name}</span>
                  </td>
                  <td className={table.number}>{formatText(value, unit)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function Configuration() {
  const query = useStatus('config', d.object({ yaml: d.string }));
  return (
    <section className={styles.wide}>
      <h2 className={styles.title}>As it runs, without secrets</h2>
      <Answer query={query}>{(data) => <pre className={styles.config}>{data.yaml}</pre>}</Answer>
    </section>
  );
}
