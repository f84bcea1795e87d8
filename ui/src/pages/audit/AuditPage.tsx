import { SegmentedControl, Select, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconDatabaseHeart, IconSearch } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { ApiError } from '../../api';
import type { AuditStatus } from '../../api/audit';
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
import { Chosen } from './Chosen';
import { Findings } from './Findings';
import { Matrix } from './Matrix';
import { findingQuery, findingStates, parseStretch, verdict } from './matrix';

const pollMs = 5000;
const pageRows = 100;

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
    queryKey: ['audit', 'status'],
    queryFn: ({ signal }) => audit.status(signal),
    ...useLive(['audit'], pollMs),
  });
  const missing = answer.error instanceof ApiError && answer.error.status === 404;
  return (
    <>
      <PageHeader title="Data sync" subtitle={answer.data && !missing && summary(answer.data)}>
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
          {(status) => <Audit status={status} range={time.range} zoom={time.setRange} />}
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
  range: { from: number; to: number };
  zoom: (range: { from: string; to: string }) => void;
}

function Audit({ status, range, zoom }: Props) {
  const { audit } = useApi();
  const [params, update] = useUrlState();
  const [pages, setPages] = useState(1);
  const filter = findingQuery(params);
  // Each letter of a search would be a question.
  const [search] = useDebouncedValue(filter.search, 250);
  const query = { ...filter, search, limit: pages * pageRows + 1 };
  const live = useLive(['audit'], pollMs);
  const open = useQuery({
    queryKey: ['audit', 'extents', range.from, range.to],
    queryFn: ({ signal }) => audit.extents({ state: 'open', from: range.from, to: range.to }, signal),
    placeholderData: keepPreviousData,
    ...live,
  });
  const findings = useQuery({
    queryKey: ['audit', 'findings', query],
    queryFn: ({ signal }) => audit.findings(query, signal),
    placeholderData: keepPreviousData,
    ...live,
  });
  const at = params.get('at') ?? '';
  const chosen = parseStretch(at);
  const series = status.datasets.flatMap((d) => d.series);
  const pick = (name: 'dataset' | 'account' | 'symbol') => ({
    'aria-label': `${name[0]?.toUpperCase()}${name.slice(1)}`,
    placeholder: `all ${name}s`,
    clearable: true,
    searchable: true,
    clearButtonProps: { 'aria-label': `All ${name}s` },
    data: [...new Set(series.map((s) => s[name]))].filter(Boolean).sort(),
    value: params.get(name),
    onChange: (value: string | null) => update({ [name]: value ?? undefined }),
  });
  const accounts = pick('account');
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
          value={filter.search ?? ''}
          onChange={(e) => update({ search: e.currentTarget.value || undefined })}
        />
        <Select {...pick('dataset')} />
        {accounts.data.length > 0 && <Select {...accounts} />}
        <Select {...pick('symbol')} />
      </div>
      <Answer query={open} what="Where something is missing">
        {(extents) => (
          <Matrix
            status={status}
            findings={extents}
            range={range}
            search={filter.search ?? ''}
            only={{
              dataset: params.get('dataset') ?? '',
              account: params.get('account') ?? '',
              symbol: params.get('symbol') ?? '',
            }}
            selected={at}
            onSelect={(next) => update({ at: next })}
            onZoom={zoom}
          />
        )}
      </Answer>
      {chosen && <Chosen stretch={chosen} status={status} onClear={() => update({ at: undefined })} />}
      <div className={page.bar}>
        <h2 className={page.heading} id="findings">
          Findings
        </h2>
        <SegmentedControl
          size="xs"
          aria-label="State of findings"
          value={filter.state ?? 'all'}
          onChange={(value) => update({ state: value })}
          data={[...findingStates]}
        />
        <Select
          size="xs"
          aria-label="Cause"
          placeholder="any cause"
          clearable
          clearButtonProps={{ 'aria-label': 'Any cause' }}
          data={['platform', 'exchange', 'archive', 'unknown']}
          value={filter.cause ?? null}
          onChange={(value) => update({ cause: value ?? undefined })}
        />
      </div>
      <Answer query={findings} what="Findings">
        {(list) => (
          <Findings
            findings={list.slice(0, pages * pageRows)}
            any={status.datasets.some((d) => d.openFindings > 0)}
            onMore={list.length > pages * pageRows ? () => setPages(pages + 1) : undefined}
          />
        )}
      </Answer>
    </div>
  );
}
