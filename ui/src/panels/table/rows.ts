import { displayName, type Field, type Frame } from '../../model/frame';

/**
 * The tables that frames are shown as. Instant series of one query become the
 * rows of one table; a range of samples is a table of its own.
 */
export function toTables(frames: Frame[]): Frame[] {
  const single = frames.filter((f) => f.kind === 'series' && f.length <= 1);
  const others = frames.filter((f) => !single.includes(f) && f.length > 0);
  const byQuery = new Map<string, Frame[]>();
  for (const f of single) byQuery.set(f.refId, [...(byQuery.get(f.refId) ?? []), f]);
  return [...[...byQuery].map(([refId, list]) => instantTable(refId, list)), ...others];
}

function instantTable(refId: string, frames: Frame[]): Frame {
  const [first] = frames;
  const [time, value] = first?.fields ?? [];
  const column = (source: Field | undefined, values: Field['values'], change: Partial<Field>): Field[] =>
    source ? [{ ...source, labels: undefined, legend: undefined, values, ...change }] : [];
  const names = [...new Set(frames.flatMap((f) => Object.keys(f.fields[1]?.labels ?? {})))].sort();
  const legends = frames.some((f) => f.fields[1]?.legend);
  return {
    refId,
    length: frames.length,
    fields: [
      ...column(
        time,
        frames.map((f) => f.fields[0]?.values[0] ?? null),
        {},
      ),
      ...(legends
        ? column(
            value,
            frames.map((f) => (f.fields[1] ? displayName(f.fields[1], f) : null)),
            { name: 'Series', type: 'string' },
          )
        : names.flatMap((name) =>
            column(
              value,
              frames.map((f) => f.fields[1]?.labels?.[name] ?? null),
              { name, type: 'string' },
            ),
          )),
      ...column(
        value,
        frames.map((f) => f.fields[1]?.values[0] ?? null),
        {},
      ),
    ],
  };
}
