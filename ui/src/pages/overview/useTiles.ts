import { useQuery } from '@tanstack/react-query';
import type { Labels, QueryAnswer } from '../../api/prometheus';
import { useApi } from '../../app/context';
import { useLive } from '../../app/live';
import { parseSample, type Value } from '../../model/frame';
import { formatText } from '../../units';
import { historyQuery, judge, knownQuery, nowQuery, tiles, type Level, type TileSpec } from './tiles';

const pollMs = 2000;
/** Also while the server tells of new samples: an answer proves that it lives. */
const safetyMs = 5000;
const historyMs = 30_000;
const historySeconds = 3600;
const historyStep = 60;

export interface TileState {
  spec: TileSpec;
  level: Level;
  text: string;
  note: string;
  /** Seconds since the newest sample behind it. */
  age?: number;
  history: Value[];
}

export interface Tiles {
  tiles: TileState[];
  pending: boolean;
  error: unknown;
  /** When the numbers were read last. */
  readAt: number;
}

/** The tiles that have something to say, kept fresh while the page is seen. */
export function useTiles(): Tiles {
  const { prometheus } = useApi();
  const now = useQuery({
    queryKey: ['overview', 'now'],
    queryFn: async ({ signal }) => nowOf(await prometheus.query(nowQuery(tiles), undefined, signal)),
    ...useLive(['samples'], pollMs, safetyMs),
  });
  const known = useQuery({
    queryKey: ['overview', 'known'],
    queryFn: async ({ signal }) => byTag(await prometheus.query(knownQuery(tiles), undefined, signal)),
    refetchInterval: historyMs,
  });
  const history = useQuery({
    queryKey: ['overview', 'history'],
    queryFn: async ({ signal }) => {
      const end = Math.floor(Date.now() / 1000 / historyStep) * historyStep;
      const range = { expr: historyQuery(tiles), start: end - historySeconds, end, step: historyStep };
      return histories(await prometheus.queryRange(range, signal), range.start);
    },
    refetchInterval: historyMs,
  });
  const shown = tiles.filter(
    ({ id, always }) => always || known.data?.has(`${id} known`) || now.data?.values.has(`${id} value`),
  );
  return {
    tiles: shown.map((spec) =>
      tileState(spec, now.data ?? { values: new Map(), worst: new Map() }, history.data),
    ),
    pending: now.isPending || known.isPending,
    error: now.error,
    readAt: now.dataUpdatedAt,
  };
}

/** Numbers by their tag, and the labels of the worst series by the tile's. */
interface Now {
  values: ReadonlyMap<string, number>;
  worst: ReadonlyMap<string, Labels>;
}

function tileState(spec: TileSpec, now: Now, past: ReadonlyMap<string, Value[]> | undefined): TileState {
  const value = now.values.get(`${spec.id} value`);
  const age = now.values.get(`${spec.id} age`);
  const noteValue = now.values.get(`${spec.id} note`);
  const known = value !== undefined && !Number.isNaN(value);
  const notes = [
    (spec.worst && now.worst.get(`${spec.id} worst`)?.[spec.worst.label]) ?? '',
    spec.note && noteValue !== undefined && !Number.isNaN(noteValue)
      ? spec.note.text(noteValue, formatText)
      : '',
  ];
  return {
    spec,
    level: judge(spec, value, age),
    age,
    text: known ? (spec.text?.(value) ?? formatText(value, spec.unit, spec.decimals)) : 'unknown',
    note: notes.filter(Boolean).join(' · '),
    history: past?.get(`${spec.id} value`) ?? [],
  };
}

function nowOf(answer: QueryAnswer): Now {
  const worst = new Map<string, Labels>();
  if (answer.data.resultType === 'vector')
    for (const { metric } of answer.data.result) if (metric.tile) worst.set(metric.tile, metric);
  return { values: byTag(answer), worst };
}

function byTag({ data }: QueryAnswer): Map<string, number> {
  const values = new Map<string, number>();
  if (data.resultType !== 'vector') return values;
  for (const { metric, value } of data.result) {
    if (metric.tile && value) values.set(metric.tile, parseSample(value[1]) ?? NaN);
  }
  return values;
}

function histories({ data }: QueryAnswer, start: number): Map<string, Value[]> {
  const result = new Map<string, Value[]>();
  if (data.resultType !== 'matrix') return result;
  for (const { metric, values = [] } of data.result) {
    const points = new Array<Value>(historySeconds / historyStep + 1).fill(null);
    for (const [at, text] of values) points[Math.round((at - start) / historyStep)] = parseSample(text);
    if (metric.tile) result.set(metric.tile, points);
  }
  return result;
}
