import type { AuditStatus, Dataset, Extent, Finding, FindingQuery, Series, SeriesKey } from '../../api/audit';

/** What is known of a stretch of one series; the later in this list, the more it matters. */
export const cellStates = ['complete', 'exchange', 'unknown', 'archive', 'platform'] as const;
export type CellState = (typeof cellStates)[number];

export const cellText: Record<CellState, string> = {
  complete: 'complete',
  exchange: 'the exchange had none',
  unknown: 'unknown: not verified',
  archive: 'the archive breaks off',
  platform: 'missing or wrong',
};

export interface Run {
  from: number;
  to: number;
  state: CellState;
  /** How many findings lie in it. */
  findings: number;
}

export interface Row {
  key: string;
  title: string;
  dataset: Dataset;
  series: Series;
  runs: Run[];
}

/** Tells series of all sources apart. */
export const seriesId = (s: SeriesKey): string =>
  [s.source, s.market, s.dataset, s.account, s.symbol, s.interval].join('|');

/** A stretch of a series as the address has it: series~from~to. */
export const stretchId = (s: SeriesKey, from: number, to: number): string => `${seriesId(s)}~${from}~${to}`;

export interface Stretch {
  series: SeriesKey;
  from: number;
  to: number;
}

/** Reads what stretchId writes. */
export function parseStretch(text: string): Stretch | undefined {
  const [id = '', from, to] = text.split('~');
  const [source, market, dataset, account, symbol, interval] = id.split('|');
  if (
    source === undefined ||
    market === undefined ||
    dataset === undefined ||
    account === undefined ||
    symbol === undefined ||
    interval === undefined ||
    !(Number(from) < Number(to))
  )
    return undefined;
  const series = { source, market, dataset, account, symbol, interval };
  return { series, from: Number(from), to: Number(to) };
}

export const seriesTitle = (s: SeriesKey): string =>
  [s.dataset, s.account, s.symbol, s.interval].filter(Boolean).join(' ');

/** The same for a narrow column: of an id as long as a UUID the end tells it from others. */
export const shortTitle = (s: SeriesKey): string =>
  seriesTitle({ ...s, account: s.account.length > 16 ? `…${s.account.slice(-8)}` : s.account });

export const isOpen = (f: Pick<Finding, 'closedAt'>): boolean => f.closedAt === '';

/** The series that a finding is about; one that many symbols share is about each of them. */
export function concerned(f: Extent): string[] {
  if (f.symbols.length === 0) return [seriesId(f.series)];
  return f.symbols.map((symbol) => seriesId({ ...f.series, symbol }));
}

/** What a finding makes of its stretch. A cause of a later version is unknown, never fine. */
export function stateOf(f: Pick<Finding, 'cause' | 'kind'>): CellState {
  if (f.kind === 'unchecked') return 'unknown';
  return f.cause === 'platform' || f.cause === 'exchange' || f.cause === 'archive' ? f.cause : 'unknown';
}

/** All series over the time from–to with what is open, those first that need somebody. */
export function matrixOf(status: AuditStatus, findings: Extent[], from: number, to: number): Row[] {
  const bySeries = new Map<string, Extent[]>();
  for (const f of findings) {
    for (const id of concerned(f)) {
      const list = bySeries.get(id);
      if (list) list.push(f);
      else bySeries.set(id, [f]);
    }
  }
  const rows = status.datasets.flatMap((dataset) =>
    dataset.series.map((series): Row => {
      const id = seriesId(series);
      return {
        key: `${dataset.dataset} ${id}`,
        title: seriesTitle(series),
        dataset,
        series,
        // Findings that nobody could keep may be anywhere in it.
        runs: runsOf(series, bySeries.get(id) ?? [], from, to, dataset.droppedFindings === 0),
      };
    }),
  );
  const rank = (r: Row) => Math.max(...r.runs.map((run) => cellStates.indexOf(run.state)), 0);
  const worst = new Map(rows.map((r) => [r, rank(r)]));
  return rows.sort(
    (a, b) =>
      (worst.get(b) ?? 0) - (worst.get(a) ?? 0) || (a.title < b.title ? -1 : a.title > b.title ? 1 : 0),
  );
}

/**
 * One series from–to, without a gap: what was not verified is unknown, and a
 * finding covers what was. The worst wins where several meet.
 */
export function runsOf(
  series: Pick<Series, 'from' | 'until'>,
  findings: Pick<Extent, 'from' | 'to' | 'cause' | 'kind'>[],
  from: number,
  to: number,
  complete: boolean,
): Run[] {
  interface Edge {
    at: number;
    state: CellState;
    step: 1 | -1;
    finding: boolean;
  }
  const edges: Edge[] = [];
  const cover = (a: number, b: number, state: CellState, finding: boolean) => {
    const start = Math.max(a, from);
    const end = Math.min(b, to);
    if (!(end > start)) return;
    edges.push({ at: start, state, step: 1, finding }, { at: end, state, step: -1, finding });
  };
  const verifiedFrom = Date.parse(series.from);
  const verifiedTo = Date.parse(series.until);
  if (complete && verifiedTo > verifiedFrom) {
    cover(from, verifiedFrom, 'unknown', false);
    cover(verifiedFrom, verifiedTo, 'complete', false);
    cover(verifiedTo, to, 'unknown', false);
  } else {
    cover(from, to, 'unknown', false);
  }
  for (const f of findings) {
    const start = Date.parse(f.from);
    // A row without an interval is a moment, which has to be seen too.
    cover(start, Math.max(Date.parse(f.to), start + 1), stateOf(f), true);
  }
  edges.sort((a, b) => a.at - b.at);

  const runs: Run[] = [];
  const open = new Map<CellState, number>();
  let at = from;
  let here = 0; // Findings that are open.
  let begun = 0; // Findings that begin where the present stretch does.
  for (let i = 0; i < edges.length;) {
    const next = (edges[i] as Edge).at;
    if (next > at) add(runs, { from: at, to: next, state: worst(open), findings: here }, begun);
    at = next;
    begun = 0;
    for (; i < edges.length && (edges[i] as Edge).at === next; i++) {
      const { state, step, finding } = edges[i] as Edge;
      open.set(state, (open.get(state) ?? 0) + step);
      if (!finding) continue;
      here += step;
      if (step > 0) begun++;
    }
  }
  return runs;
}

function worst(open: ReadonlyMap<CellState, number>): CellState {
  for (let i = cellStates.length - 1; i >= 0; i--) {
    const state = cellStates[i] as CellState;
    if ((open.get(state) ?? 0) > 0) return state;
  }
  return 'unknown';
}

/** Neighbours of one state are one run, with the findings that begin in it. */
function add(runs: Run[], run: Run, begun: number): void {
  const last = runs[runs.length - 1];
  if (last && last.state === run.state && last.to === run.from) {
    last.to = run.to;
    last.findings += begun;
  } else {
    runs.push(run);
  }
}

export const findingStates = ['open', 'closed', 'all'] as const;

/** What the table asks for, as the address of the page has it. */
export function findingQuery(params: URLSearchParams): FindingQuery {
  const text = (name: string) => params.get(name) ?? undefined;
  const state = text('state') ?? 'open';
  const chosen = parseStretch(text('at') ?? '');
  return {
    state: state === 'open' || state === 'closed' ? state : undefined,
    cause: text('cause'),
    dataset: text('dataset'),
    account: text('account'),
    symbol: text('symbol'),
    search: text('search'),
    ...(chosen && { ...chosen.series, from: chosen.from, to: chosen.to }),
  };
}

export interface Verdict {
  series: number;
  proven: number;
  missing: number;
  wrong: number;
  unknown: number;
  /** Tables that cannot be read now. */
  blind: number;
}

/** How many series stand how: one that is nowhere verified is unknown. */
export function verdict(status: AuditStatus): Verdict {
  const sum = { series: 0, proven: 0, missing: 0, wrong: 0, unknown: 0, blind: 0 };
  for (const d of status.datasets) {
    if (d.error !== '') sum.blind++;
    for (const s of d.series) {
      sum.series++;
      sum.missing += s.missing;
      sum.wrong += s.duplicate + s.mismatched;
      if (d.error !== '' || d.droppedFindings > 0 || s.lastSuccess === '') sum.unknown++;
      else if (s.missing + s.duplicate + s.mismatched === 0) sum.proven++;
    }
  }
  return sum;
}
