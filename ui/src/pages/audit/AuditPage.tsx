import { SegmentedControl, Select, TextInput } from '@mantine/core';
import { IconDatabaseHeart, IconSearch } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { ApiError } from '../../api';
import type { AuditStatus, Finding } from '../../api/audit';
import { useApi } from '../../app/context';
import { useLive } from '../../app/live';
import { useTimeRange } from '../../app/timeRange';
import { useUrlState } from '../../app/urlState';
import { Answer } from '../../components/Answer';
import { HowTo } from '../../components/HowTo';
import { PageHeader } from '../../components/PageHeader';
import page from '../../components/page.module.css';
import { TimePicker } from '../../components/TimePicker';
import styles from './Audit.module.css';
import { Findings } from './Findings';
import { Matrix } from './Matrix';
import { filterFindings, verdict, type FindingFilter } from './matrix';

const pollMs = 5000;

const example = `audit:
  sources:
    - name: platform
      postgres: {dsn_file: /etc/hedgewatch/platform.dsn}
  datasets:
    - {source: platform, market: usdm, preset: klines}
    - {source: platform, market: usdm, preset: ts_user_trades}
    - {source: platform, market: usdm, preset: ts_future_incomes}`;

/** Is what the platform has stored complete and right: since when, where not, and whose fault. */
export default function AuditPage() {
  const { audit } = useApi();
  const time = useTimeRange({ from: 'now-7d', refresh: '1m' });
  const answer = useQuery({
    queryKey: ['audit'],
    queryFn: async ({ signal }) => {
      const [status, findings] = await Promise.all([audit.status(signal), audit.findings(signal)]);
      return { status, findings };
    },
    ...useLive(['audit'], pollMs),
  });
  const missing = answer.error instanceof ApiError && answer.error.status === 404;
  return (
    <>
      <PageHeader title="Data sync" subtitle={answer.data && !missing && summary(answer.data.status)}>
        {!missing && <TimePicker time={time} />}
      </PageHeader>
      {missing ? (
        <HowTo
          icon={<IconDatabaseHeart size={28} stroke={1.4} />}
          title="Nothing is audited"
          message="hedgewatch can prove that the bars, fills and incomes in your tables are complete, and say of each gap whose fault it is and how to fill it. It only reads. Name the tables in the configuration, and restart."
          yaml={example}
        />
      ) : (
        <Answer query={answer} what="The audit">
          {({ status, findings }) => (
            <Audit status={status} findings={findings} range={time.range} zoom={time.setRange} />
          )}
        </Answer>
      )}
    </>
  );
}

function summary(status: AuditStatus): string {
  const v = verdict(status);
  const parts = [`${v.proven} of ${v.series} series are proven`];
  if (v.missing > 0) parts.push(`${v.missing.toLocaleString('en')} rows are missing`);
  if (v.wrong > 0) parts.push(`${v.wrong.toLocaleString('en')} are wrong`);
  if (v.blind > 0) parts.push(v.blind === 1 ? 'a table cannot be read' : `${v.blind} tables cannot be read`);
  if (v.unknown > 0) parts.push(`${v.unknown} unknown`);
  return parts.join(', ');
}

interface Props {
  status: AuditStatus;
  findings: Finding[];
  range: { from: number; to: number };
  zoom: (range: { from: string; to: string }) => void;
}

const states = ['open', 'closed', 'all'] as const;

function Audit({ status, findings, range, zoom }: Props) {
  const [params, update] = useUrlState();
  const chosen = params.get('at')?.split('~');
  const filter = useMemo<FindingFilter>(
    () => ({
      state: states.find((s) => s === params.get('state')) ?? 'open',
      cause: params.get('cause') ?? '',
      dataset: params.get('dataset') ?? '',
      search: params.get('search') ?? '',
      ...(chosen?.length === 3 ? { series: chosen[0], from: Number(chosen[1]), to: Number(chosen[2]) } : {}),
    }),
    [params],
  );
  const shown = useMemo(() => filterFindings(findings, filter), [findings, filter]);
  const datasets = [...new Set(status.datasets.flatMap((d) => d.series.map((s) => s.dataset)))].sort();
  const causes = [...new Set(findings.map((f) => f.cause))].sort();
  return (
    <div className={page.body}>
      {status.datasets
        .filter((d) => d.error !== '' || d.droppedFindings > 0)
        .map((d) => (
          <div key={d.dataset} className={styles.blind} role="alert" data-blind={d.dataset}>
            <strong>
              {d.error !== ''
                ? `${d.dataset} cannot be verified now`
                : `${d.dataset} has more findings than can be kept: ${d.droppedFindings} are not shown, and nothing of it counts as complete`}
            </strong>
            {d.error && <div className={page.mono}>{d.error}</div>}
          </div>
        ))}
      <div className={page.bar}>
        <TextInput
          className={page.grow}
          leftSection={<IconSearch size={14} />}
          placeholder="Symbol, account or evidence"
          aria-label="Search"
          value={filter.search}
          onChange={(e) => update({ search: e.currentTarget.value || undefined })}
        />
        <Select
          aria-label="Dataset"
          placeholder="all datasets"
          clearable
          clearButtonProps={{ 'aria-label': 'All datasets' }}
          data={datasets}
          value={filter.dataset || null}
          onChange={(value) => update({ dataset: value ?? undefined })}
        />
      </div>
      <Matrix
        status={status}
        findings={findings}
        range={range}
        search={filter.search}
        dataset={filter.dataset}
        selected={params.get('at') ?? ''}
        onSelect={(at) => update({ at })}
        onZoom={zoom}
      />
      <div className={page.bar}>
        <h2 className={page.heading} id="findings">
          Findings
        </h2>
        <SegmentedControl
          size="xs"
          aria-label="State of findings"
          value={filter.state}
          onChange={(value) => update({ state: value })}
          data={[...states]}
        />
        <Select
          size="xs"
          aria-label="Cause"
          placeholder="any cause"
          clearable
          clearButtonProps={{ 'aria-label': 'Any cause' }}
          data={causes}
          value={filter.cause || null}
          onChange={(value) => update({ cause: value ?? undefined })}
        />
        {filter.series && (
          <button type="button" className={styles.chosen} onClick={() => update({ at: undefined })}>
            only what was clicked ×
          </button>
        )}
      </div>
      <Findings findings={shown} total={findings.length} />
    </div>
  );
}
