import fc from 'fast-check';
import { emptyConfig } from './fieldConfig';
import type { Field, Frame, Value } from './frame';
import type { Json, JsonObject } from './json';

/** What the tests of the model share. */

export const anyJson = fc.jsonValue() as fc.Arbitrary<Json>;
export const anyObject = fc.dictionary(fc.string(), anyJson, {
  maxKeys: 4,
  noNullPrototype: true,
}) as fc.Arbitrary<JsonObject>;

const anyPanel = (id: number): fc.Arbitrary<JsonObject> =>
  fc
    .record({
      unknown: anyObject,
      type: fc.constantFrom('timeseries', 'stat', 'row', 'graph', 'somebody-elses-panel'),
      w: fc.integer({ min: 1, max: 24 }),
      h: fc.integer({ min: 1, max: 12 }),
      x: fc.integer({ min: 0, max: 23 }),
      y: fc.integer({ min: 0, max: 40 }),
    })
    .map(({ unknown, type, w, h, x, y }) => ({
      ...unknown,
      id,
      type,
      collapsed: false,
      panels: [],
      gridPos: {
        w: type === 'row' ? 24 : w,
        h: type === 'row' ? 1 : h,
        x: type === 'row' ? 0 : Math.min(x, 24 - w),
        y,
      },
    }));

/** A dashboard with fields and panels that nobody has heard of. */
export const anyDashboard: fc.Arbitrary<JsonObject> = fc
  .tuple(
    anyObject,
    fc
      .integer({ min: 0, max: 6 })
      .chain((n) => fc.tuple(...Array.from({ length: n }, (_, i) => anyPanel(i + 1)))),
  )
  .map(([unknown, panels]) => ({ ...unknown, panels }));

export function frame(
  columns: Record<string, Value[]>,
  options: { labels?: Record<string, string>; refId?: string } = {},
): Frame {
  const fields = Object.entries(columns).map(([name, values]): Field => {
    const first = values.find((v) => v !== null);
    const type = name === 'Time' ? 'time' : typeof first === 'number' ? 'number' : 'string';
    return {
      name,
      type,
      values,
      config: emptyConfig,
      labels: type === 'number' ? options.labels : undefined,
    };
  });
  return { refId: options.refId ?? 'A', fields, length: fields[0]?.values.length ?? 0 };
}

/** Columns by name, as a test wants to compare them. */
export function columns(f: Frame | undefined): Record<string, readonly Value[]> {
  return Object.fromEntries(
    (f?.fields ?? []).map((field) => [field.config.displayName ?? field.name, field.values]),
  );
}
