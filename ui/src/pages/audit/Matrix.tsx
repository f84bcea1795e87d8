import { Button } from '@mantine/core';
import { useMemo, useState, type CSSProperties } from 'react';
import type { AuditStatus, Extent } from '../../api/audit';
import page from '../../components/page.module.css';
import { EmptyState } from '../../components/states';
import { formatAge, useNow } from '../../components/useNow';
import { absolute, formatInstant } from '../../model/time';
import { formatText } from '../../units';
import styles from './Audit.module.css';
import {
  cellStates,
  cellText,
  matrixOf,
  seriesId,
  shortTitle,
  stretchId,
  type Row,
  type Run,
} from './matrix';

interface Props {
  status: AuditStatus;
  findings: Extent[];
  range: { from: number; to: number };
  search: string;
  /** What series must have; empty is any. */
  only: { dataset: string; account: string; symbol: string };
  /** The stretch that was clicked: series~from~to. */
  selected: string;
  onSelect: (at: string | undefined) => void;
  onZoom: (range: { from: string; to: string }) => void;
}

const firstShown = 60;

/** Each series over time: a hole can be seen, and clicked. */
export function Matrix(props: Props) {
  const { status, findings, range, search, only } = props;
  const [all, setAll] = useState(false);
  const now = useNow(5000);
  const rows = useMemo(() => matrixOf(status, findings, range.from, range.to), [status, findings, range]);
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const found = rows.filter(
    (r) =>
      (!only.dataset || r.series.dataset === only.dataset) &&
      (!only.account || r.series.account === only.account) &&
      (!only.symbol || r.series.symbol === only.symbol) &&
      words.every((w) => r.title.toLowerCase().includes(w)),
  );
  // A search for evidence finds no series; the matrix then stays as it is.
  const shown = found.length > 0 || words.length === 0 ? found : rows;
  if (rows.length === 0)
    return (
      <EmptyState
        title="No series are known yet"
        message="The tables are being looked at, or hold no row of what is audited."
      />
    );
  return (
    <section className={page.card} aria-label="Completeness">
      <div className={styles.legend}>
        {cellStates.map((s) => (
          <span key={s} className={page.note}>
            <span className={`${styles.swatch} ${styles[s]}`} /> {cellText[s]}
          </span>
        ))}
      </div>
      <div className={styles.axis} aria-hidden="true">
        <span>{formatInstant(range.from, 'browser')}</span>
        <span>{formatInstant(range.to, 'browser')}</span>
      </div>
      {(all ? shown : shown.slice(0, firstShown)).map((row) => (
        <MatrixRow key={row.key} {...props} row={row} now={now} />
      ))}
      {!all && shown.length > firstShown && (
        <Button variant="default" onClick={() => setAll(true)}>
          Show all {shown.length} series
        </Button>
      )}
    </section>
  );
}

function MatrixRow({ row, range, selected, onSelect, onZoom, now }: Props & { row: Row; now: number }) {
  const { series, dataset } = row;
  const span = range.to - range.from;
  const here = selected.startsWith(`${seriesId(series)}~`);
  const verified = Date.parse(series.verifiedUntil);
  const compared = Date.parse(series.comparedUntil);
  const facts = [
    verified > 0 ? `proven until ${formatAge(verified, now)} ago` : 'nothing is proven yet',
    compared > 0 ? `compared with the exchange until ${formatAge(compared, now)} ago` : '',
    series.lastSuccess === '' ? '' : `behind by ${formatText(series.lagSeconds, 's', 0)}`,
  ].filter(Boolean);
  return (
    <div className={styles.row} data-series={row.title}>
      <div className={styles.label} title={dataset.dataset}>
        <button
          type="button"
          className={styles.series}
          title={`${row.title}: its findings in all of the time that is shown`}
          aria-pressed={here}
          onClick={() => onSelect(here ? undefined : stretchId(series, range.from, range.to))}
        >
          {shortTitle(series)}
        </button>
        <span className={page.note}>{facts[0]}</span>
      </div>
      <div className={styles.line} title={facts.join(', ')}>
        {row.runs.map((run) => {
          const style = {
            left: `${((run.from - range.from) / span) * 100}%`,
            width: `${((run.to - run.from) / span) * 100}%`,
          } as CSSProperties;
          const text = describe(row, run);
          const at = stretchId(series, run.from, run.to);
          const className = `${styles.run} ${styles[run.state]}`;
          return run.findings > 0 ? (
            <button
              key={run.from}
              type="button"
              className={className}
              style={style}
              data-state={run.state}
              aria-label={text}
              aria-pressed={selected === at}
              title={`${text}. Click for its findings, twice to look closer.`}
              onClick={() => onSelect(selected === at ? undefined : at)}
              onDoubleClick={() => {
                const room = Math.max(60_000, (run.to - run.from) * 2);
                onZoom(absolute(run.from - room, run.to + room));
              }}
            />
          ) : (
            <span
              key={run.from}
              className={className}
              style={style}
              data-state={run.state}
              role="img"
              aria-label={text}
              title={text}
            />
          );
        })}
      </div>
    </div>
  );
}

function describe(row: Row, run: Run): string {
  const when = `${formatInstant(run.from, 'browser')} – ${formatInstant(run.to, 'browser')}`;
  const found = run.findings > 0 ? `, ${run.findings} ${run.findings === 1 ? 'finding' : 'findings'}` : '';
  return `${row.title}, ${when}: ${cellText[run.state]}${found}`;
}
