import { reduce } from '../../model/calcs';
import { display, type Display } from '../../model/display';
import type { FieldConfig } from '../../model/fieldConfig';
import { displayName, type Field, type Frame, type Value } from '../../model/frame';
import { asArray, asBool, asNumber, asObject, asString, type JsonObject } from '../../model/json';
import { slashedRegExp } from '../../model/variables';
import type { TimeZone } from '../../model/time';

/** One value of a stat, a gauge or a bar, with the series that it came from. */
export interface Reduced {
  name: string;
  display: Display;
  config: FieldConfig;
  values: readonly Value[];
  /** The range of all data, for gauges without min and max. */
  min: number;
  max: number;
}

/** "reduceOptions": each field to one value, or each row one. */
export function reducedValues(frames: Frame[], options: JsonObject, zone: TimeZone): Reduced[] {
  const raw = asObject(options.reduceOptions);
  const calc = asArray(raw.calcs).map(String)[0] ?? 'lastNotNull';
  const everyRow = asBool(raw.values);
  const wanted = fieldFilter(asString(raw.fields, ''));
  const fields = frames.flatMap((frame) =>
    frame.fields.filter((f) => wanted(f, frame)).map((field) => ({ field, frame })),
  );
  const { min, max } = extremes(fields.map(({ field }) => field));
  const several = fields.length > 1;
  const results: Reduced[] = [];
  for (const { field, frame } of fields) {
    const rows = everyRow ? rowsOf(field, asNumber(raw.limit, 25)) : [reduce(calc, field.values)];
    for (const [i, value] of rows.entries()) {
      const context = { zone, index: results.length, min, max };
      results.push({
        name: everyRow ? (rowName(frame, i) ?? displayName(field, frame)) : displayName(field, frame),
        display: display(field.config, value, context, field.type),
        config: field.config,
        values: everyRow || !several ? field.values : field.values,
        min: field.config.min ?? min,
        max: field.config.max ?? max,
      });
    }
  }
  return results;
}

/** "" means all numbers; else a name or a /pattern/. */
function fieldFilter(text: string): (field: Field, frame: Frame) => boolean {
  if (text === '') return (field) => field.type === 'number';
  const pattern = slashedRegExp(text);
  return (field, frame) => pattern.test(displayName(field, frame)) || pattern.test(field.name);
}

const rowsOf = (field: Field, limit: number): Value[] => field.values.slice(0, limit);

/** Rows of a table are named by their text. */
function rowName(frame: Frame, row: number): string | undefined {
  const texts = frame.fields.filter((f) => f.type === 'string').map((f) => String(f.values[row] ?? ''));
  return texts.length > 0 ? texts.join(' ') : undefined;
}

function extremes(fields: Field[]): { min: number; max: number } {
  let [min, max] = [Infinity, -Infinity];
  for (const { values } of fields) {
    for (const v of values) {
      if (typeof v !== 'number' || !Number.isFinite(v)) continue;
      if (v < min) min = v;
      if (v > max) max = v;
    }
  }
  return min <= max
    ? { min: Math.min(0, min), max: max === min ? Math.max(100, max) : max }
    : { min: 0, max: 100 };
}
