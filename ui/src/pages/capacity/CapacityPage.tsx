import { Button, SegmentedControl, Select, TextInput } from '@mantine/core';
import { IconRuler2, IconSearch } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { verdicts, type CapacityReport } from '../../api/capacity';
import { useApi } from '../../app/context';
import { useUrlState } from '../../app/urlState';
import { Answer } from '../../components/Answer';
import { PageHeader } from '../../components/PageHeader';
import page from '../../components/page.module.css';
import { EmptyState } from '../../components/states';
import { formatInstant } from '../../model/time';
import { choose, orders, orderText, summary, valueText, verdictText, type Filter } from './capacity';
import styles from './Capacity.module.css';
import { ItemRow } from './ItemRow';

const ranges = ['1d', '7d', '30d', '90d'];
const margins = ['0.1', '0.2', '0.5'];
const firstShown = 60;
/** A week does not change within minutes, and reading it is work. */
const freshMs = 300_000;
const hourMs = 3_600_000;

/** What is too small for the next peak, what is larger than any peak needs, and when peaks come. */
export default function CapacityPage() {
  const { capacity } = useApi();
  const [params, update] = useUrlState();
  const range = params.get('range') ?? '7d';
  const margin = params.get('margin') ?? '0.2';
  const answer = useQuery({
    queryKey: ['capacity', range, margin],
    queryFn: ({ signal }) => capacity.report(range, margin, signal),
    staleTime: freshMs,
    refetchOnWindowFocus: false,
  });
  return (
    <>
      <PageHeader title="Capacity" subtitle={answer.data && summary(answer.data)}>
        <Select
          size="xs"
          w={140}
          aria-label="Margin above the peak"
          allowDeselect={false}
          value={margin}
          onChange={(value) => update({ margin: value ?? undefined })}
          data={[...new Set([...margins, margin])].map((m) => ({
            value: m,
            label: `${Math.round(Number(m) * 100)} % margin`,
          }))}
        />
        <SegmentedControl
          size="xs"
          aria-label="How far to look back"
          value={range}
          onChange={(value) => update({ range: value })}
          data={[...new Set([...ranges, range])]}
        />
      </PageHeader>
      <Answer query={answer} what="Capacity">
        {(report) =>
          report.items.length === 0 ? (
            <EmptyState
              icon={<IconRuler2 size={28} stroke={1.4} />}
              title="Nothing that has a size is stored"
              message="Hosts, containers, units, process groups, the exchange's limits and databases are looked at as soon as their series are stored."
            />
          ) : (
            <Report report={report} range={range} />
          )
        }
      </Answer>
    </>
  );
}

function Report({ report, range }: { report: CapacityReport; range: string }) {
  const [params, update] = useUrlState();
  const [all, setAll] = useState(false);
  const filter = useMemo<Filter>(
    () => ({
      search: params.get('search') ?? '',
      kind: params.get('kind') ?? '',
      verdict: params.get('verdict') ?? '',
      order: orders.find((o) => o === params.get('sort')) ?? 'verdict',
    }),
    [params],
  );
  const found = useMemo(() => choose(report.items, filter), [report, filter]);
  const shown = all ? found : found.slice(0, firstShown);
  const count = (verdict: string) => report.items.filter((i) => i.verdict === verdict).length;
  const late =
    report.storedFrom !== undefined && Date.parse(report.storedFrom) - Date.parse(report.from) > hourMs;
  return (
    <div className={page.body}>
      {late && (
        <div className={page.note} role="status">
          The first value that is known is of {formatInstant(Date.parse(report.storedFrom ?? ''), 'browser')}:
          what is older is not in these numbers.
        </div>
      )}
      {report.giveBack.length > 0 && (
        <div className={page.card} data-give-back>
          <h2 className={page.heading}>Could be given back</h2>
          <div className={styles.sums}>
            {report.giveBack.map((s) => (
              <div key={`${s.kind} ${s.resource}`}>
                <span className={`${styles.big} numeric`}>{valueText(s.value, s.unit)}</span>{' '}
                <span className={page.note}>
                  {s.resource === 'memory' ? 'of memory, ' : ''}
                  {s.kind}s
                </span>
              </div>
            ))}
          </div>
        </div>
      )}
      <div className={page.bar}>
        <TextInput
          className={page.grow}
          leftSection={<IconSearch size={14} />}
          placeholder="Name, kind or resource"
          aria-label="Search"
          value={filter.search}
          onChange={(e) => update({ search: e.currentTarget.value || undefined })}
        />
        <Select
          aria-label="Verdict"
          placeholder="all verdicts"
          clearable
          clearButtonProps={{ 'aria-label': 'All verdicts' }}
          value={filter.verdict || null}
          onChange={(value) => update({ verdict: value ?? undefined })}
          data={verdicts
            .filter((v) => count(v) > 0)
            .map((v) => ({ value: v, label: `${verdictText[v]} (${count(v)})` }))}
        />
        <Select
          aria-label="Kind"
          placeholder="all kinds"
          clearable
          clearButtonProps={{ 'aria-label': 'All kinds' }}
          value={filter.kind || null}
          onChange={(value) => update({ kind: value ?? undefined })}
          data={[...new Set(report.items.map((i) => i.kind))]}
        />
        <Select
          aria-label="Sort by"
          allowDeselect={false}
          value={filter.order}
          onChange={(value) => update({ sort: value ?? undefined })}
          data={orders.map((o) => ({ value: o, label: orderText[o] }))}
        />
      </div>
      <Legend />
      <ul className={styles.items}>
        {shown.map((i) => (
          <ItemRow
            key={`${i.kind} ${i.resource} ${Object.values(i.labels).join(' ')}`}
            item={i}
            range={range}
          />
        ))}
      </ul>
      {found.length === 0 && <EmptyState title="Nothing is like that" message="Search for less." />}
      {shown.length < found.length && (
        <Button variant="default" onClick={() => setAll(true)}>
          Show all {found.length}
        </Button>
      )}
      {report.omitted > 0 && <div className={page.note}>{report.omitted} more are not in the report.</div>}
    </div>
  );
}

const parts = [
  ['usual', styles.usual],
  ['95 %', styles.p95],
  ['peak', styles.peak],
] as const;
const marks = [
  ['request', styles.request],
  ['limit', styles.limit],
  ['advised', styles.advised],
] as const;

function Legend() {
  return (
    <div className={`${styles.legend} ${page.note}`} aria-hidden>
      {parts.map(([text, style]) => (
        <span key={text}>
          <span className={`${styles.swatch} ${style}`} /> {text}
        </span>
      ))}
      {marks.map(([text, style]) => (
        <span key={text}>
          <span className={`${styles.mark} ${style}`} /> {text}
        </span>
      ))}
    </div>
  );
}
