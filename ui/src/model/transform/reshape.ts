import { calcOf, reduce } from '../calcs';
import { emptyConfig } from '../fieldConfig';
import { displayName, timeField, type Field, type FieldType, type Frame, type Value } from '../frame';
import { asArray, asBool, asObject, asString, type JsonObject } from '../json';
import { compareValues, pickRows } from './columns';

/** Transformations that make other rows: they join, group and turn. */

const column = (name: string, type: FieldType, values: Value[]): Field => ({
  name,
  type,
  values,
  config: emptyConfig,
});

const typeOf = (values: readonly Value[]): FieldType => {
  const first = values.find((v) => v !== null);
  return typeof first === 'number' ? 'number' : typeof first === 'boolean' ? 'boolean' : 'string';
};

/** One row for each field, one column for each calculation; or one row with each field reduced. */
export function reduceFields(frames: Frame[], options: JsonObject): Frame[] {
  const wanted = asArray(options.reducers).map(String);
  const calcs = wanted.length > 0 ? wanted : ['max'];
  if (options.mode === 'reduceFields') {
    return frames.map((frame) => {
      const fields = frame.fields.filter(
        (f) => f.type === 'number' || (options.includeTimeField === true && f.type === 'time'),
      );
      return {
        ...frame,
        kind: undefined,
        length: 1,
        fields: fields.flatMap((f) => calcs.map((id) => ({ ...f, values: [reduce(id, f.values)] }))),
      };
    });
  }
  const sources = frames.flatMap((frame) =>
    frame.fields.filter((f) => f.type === 'number').map((field) => ({ field, frame })),
  );
  if (sources.length === 0) return [];
  const withLabels = asBool(options.labelsToFields);
  const names = withLabels
    ? [...new Set(sources.flatMap(({ field }) => Object.keys(field.labels ?? {})))]
    : [];
  const fields = [
    column(
      'Field',
      'string',
      sources.map(({ field, frame }) => (withLabels ? field.name : displayName(field, frame))),
    ),
    ...names.map((name) =>
      column(
        name,
        'string',
        sources.map(({ field }) => field.labels?.[name] ?? null),
      ),
    ),
    ...calcs.map((id) =>
      column(
        calcOf(id)?.label ?? id,
        'number',
        sources.map(({ field }) => reduce(id, field.values)),
      ),
    ),
  ];
  return [{ refId: frames[0]?.refId ?? 'A', fields, length: sources.length }];
}

/** Each label of a series becomes a column, or a row. */
export function labelsToFields(frames: Frame[], options: JsonObject): Frame[] {
  const keep = asArray(options.keepLabels).map(String);
  const chosen = (field: Field) =>
    Object.entries(field.labels ?? {}).filter(([name]) => keep.length === 0 || keep.includes(name));
  if (options.mode === 'rows') {
    return frames.flatMap((frame) =>
      frame.fields
        .filter((f) => f.labels)
        .map((field) => {
          const entries = chosen(field);
          const fields = [
            column(
              'label',
              'string',
              entries.map(([name]) => name),
            ),
            column(
              'value',
              'string',
              entries.map(([, value]) => value),
            ),
          ];
          return { refId: frame.refId, fields, length: entries.length };
        }),
    );
  }
  const valueLabel = asString(options.valueLabel, '');
  return mergeRows(
    frames.map((frame) => {
      const labels = new Map<string, string>();
      for (const field of frame.fields) for (const [name, value] of chosen(field)) labels.set(name, value);
      const named = valueLabel ? labels.get(valueLabel) : undefined;
      if (valueLabel) labels.delete(valueLabel);
      const time = frame.fields.find((f) => f.type === 'time');
      const rest = frame.fields.filter((f) => f !== time);
      const added = [...labels].map(([name, value]) =>
        column(name, 'string', Array<Value>(frame.length).fill(value)),
      );
      const values = rest.map((f) => ({ ...f, labels: undefined, legend: undefined, name: named ?? f.name }));
      return { ...frame, kind: undefined, fields: [...(time ? [time] : []), ...added, ...values] };
    }),
  );
}

/** Rows with the same values in all columns that the frames share become one. */
export function merge(frames: Frame[]): Frame[] {
  return mergeRows(frames.map(unlabelled));
}

/** In a table the labels of a series have no place of their own. */
function unlabelled(frame: Frame): Frame {
  return {
    ...frame,
    kind: undefined,
    fields: frame.fields.map((f) => (f.legend ? { ...f, name: f.legend } : f)),
  };
}

function mergeRows(frames: Frame[]): Frame[] {
  const filled = frames.filter((f) => f.length > 0);
  const [first] = filled;
  if (!first || filled.length === 1) return filled;
  const names = [...new Set(filled.flatMap((f) => f.fields.map((field) => field.name)))];
  const shared = names.filter((name) => filled.every((f) => f.fields.some((field) => field.name === name)));
  // Frames of one shape are parts of one table: their rows stand below each other.
  const keys = shared.length === names.length ? [] : shared;
  const rows: Map<string, Value>[] = [];
  const index = new Map<string, Map<string, Value>[]>();
  for (const frame of filled) {
    for (let i = 0; i < frame.length; i++) {
      const values = new Map(frame.fields.map((f) => [f.name, f.values[i] ?? null]));
      const key = JSON.stringify(keys.map((k) => values.get(k) ?? null));
      const found = keys.length === 0 ? undefined : index.get(key)?.find((row) => compatible(row, values));
      if (found) {
        values.forEach((value, name) => found.set(name, value));
        continue;
      }
      rows.push(values);
      const same = index.get(key);
      if (same) same.push(values);
      else index.set(key, [values]);
    }
  }
  const fields = names.map((name): Field => {
    const source = filled.flatMap((f) => f.fields).find((f) => f.name === name);
    const values = rows.map((row) => row.get(name) ?? null);
    return source ? { ...source, labels: undefined, values } : column(name, typeOf(values), values);
  });
  return [{ refId: first.refId, fields, length: rows.length }];
}

function compatible(row: ReadonlyMap<string, Value>, other: ReadonlyMap<string, Value>): boolean {
  for (const [name, value] of other) if (row.has(name) && row.get(name) !== value) return false;
  return true;
}

/** One row for each value of a field that all frames have, the time by default. */
export function joinByField(frames: Frame[], options: JsonObject): Frame[] {
  const by = asString(options.byField, '');
  const inner = options.mode === 'inner';
  const find = (frame: Frame) =>
    by ? frame.fields.find((f) => f.name === by || displayName(f, frame) === by) : timeField(frame);
  const sources = frames.flatMap((frame) => {
    const key = find(frame);
    return key ? [{ frame, key }] : [];
  });
  const [first] = sources;
  if (!first || sources.length === 1) return frames;
  const rowOf = sources.map(({ key }) => new Map(key.values.map((value, i) => [value, i])));
  const all = new Set(sources.flatMap(({ key }) => [...key.values]));
  const keys = [...all].filter((k) => !inner || rowOf.every((rows) => rows.has(k))).sort(compareValues);
  const twice = repeatedNames(sources.flatMap(({ frame, key }) => frame.fields.filter((f) => f !== key)));
  const fields = sources.flatMap(({ frame, key }, i) =>
    frame.fields
      .filter((f) => f !== key)
      .map((f, position) => ({
        ...f,
        name:
          twice.has(f.name) && f.type !== 'number'
            ? `${f.name} ${i * frame.fields.length + position + 1}`
            : f.name,
        values: keys.map((k) => {
          const row = rowOf[i]?.get(k);
          return row === undefined ? null : (f.values[row] ?? null);
        }),
      })),
  );
  return [
    { refId: first.frame.refId, fields: [{ ...first.key, values: keys }, ...fields], length: keys.length },
  ];
}

function repeatedNames(fields: Field[]): Set<string> {
  const seen = new Set<string>();
  const twice = new Set<string>();
  for (const { name } of fields) (seen.has(name) ? twice : seen).add(name);
  return twice;
}

/** All series below each other: time, name, value; the newest first. */
export function seriesToRows(frames: Frame[]): Frame[] {
  const rows = frames.flatMap((frame) => {
    const time = timeField(frame);
    if (!time) return [];
    return frame.fields
      .filter((f) => f.type === 'number')
      .flatMap((f) =>
        f.values.map((value, i) => ({ time: time.values[i] ?? null, name: displayName(f, frame), value })),
      );
  });
  rows.sort((a, b) => compareValues(b.time, a.time));
  const fields = [
    column(
      'Time',
      'time',
      rows.map((r) => r.time),
    ),
    column(
      'Metric',
      'string',
      rows.map((r) => r.name),
    ),
    column(
      'Value',
      'number',
      rows.map((r) => r.value),
    ),
  ];
  return [{ refId: frames[0]?.refId ?? 'A', fields, length: rows.length }];
}

export function groupBy(frames: Frame[], options: JsonObject): Frame[] {
  const rules = asObject(options.fields);
  return frames.map((frame) => {
    const rule = (field: Field) => asObject(rules[displayName(field, frame)] ?? rules[field.name]);
    const keys = frame.fields.filter((f) => rule(f).operation === 'groupby');
    if (keys.length === 0) return frame;
    const groups = new Map<string, number[]>();
    for (let i = 0; i < frame.length; i++) {
      const key = JSON.stringify(keys.map((k) => k.values[i] ?? null));
      const group = groups.get(key);
      if (group) group.push(i);
      else groups.set(key, [i]);
    }
    const members = [...groups.values()];
    const heads = pickRows(
      { ...frame, fields: keys },
      members.map((rows) => rows[0] ?? 0),
    );
    const made = frame.fields
      .filter((f) => rule(f).operation === 'aggregate')
      .flatMap((f) =>
        asArray(rule(f).aggregations).map((raw): Field => {
          const id = String(raw);
          const values = members.map((rows) =>
            reduce(
              id,
              rows.map((i) => f.values[i] ?? null),
            ),
          );
          return {
            ...f,
            name: `${displayName(f, frame)} (${id})`,
            legend: undefined,
            labels: undefined,
            values,
            type: typeOf(values),
          };
        }),
      );
    return { ...heads, kind: undefined, fields: [...heads.fields, ...made], length: members.length };
  });
}
