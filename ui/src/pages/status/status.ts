import * as d from '../../api/decode';

/** What the server's status endpoints say; fields that vary by build are shown as they come. */
export const facts = d.map(((value: unknown) => value) as d.Decoder<unknown>);

const count = d.object({ name: d.string, value: d.number });
export type Count = d.TypeOf<typeof count>;

export const tsdb = d.object({
  headStats: d.object({
    numSeries: d.number,
    numLabelPairs: d.withDefault(d.number, 0),
    chunkCount: d.number,
    minTime: d.number,
    maxTime: d.number,
  }),
  seriesCountByMetricName: d.array(count),
  labelValueCountByLabelName: d.array(count),
  memoryInBytesByLabelName: d.array(count),
  seriesCountByLabelValuePair: d.array(count),
});
export type Tsdb = d.TypeOf<typeof tsdb>;

/** camelCase to words: storageRetention → storage retention, CWD → CWD. */
export function words(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .split(' ')
    .map((word) => (/^[A-Z0-9]+$/.test(word) ? word : word.toLowerCase()))
    .join(' ');
}

/** A fact as text; times in the reader's own form. */
export function show(value: unknown, instant: (ms: number) => string): string {
  if (typeof value === 'string' && /^\d{4}-\d\d-\d\dT/.test(value)) {
    const ms = Date.parse(value);
    if (!Number.isNaN(ms)) return instant(ms);
  }
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (value === '' || value === null || value === undefined) return '–';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
