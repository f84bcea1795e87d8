import { matcherFor, emptyConfig } from '../fieldConfig';
import { displayName, type Field, type Frame, type Value } from '../frame';
import { asArray, asNumber, asObject, asObjects, asString, type JsonObject } from '../json';
import { reduce } from '../calcs';
import { slashedRegExp } from '../variables';

/** Transformations that keep the rows' meaning: they choose, order and rename. */

export function pickRows(frame: Frame, rows: readonly number[]): Frame {
  const fields = frame.fields.map((f) => ({ ...f, values: rows.map((i) => f.values[i] ?? null) }));
  return { ...frame, fields, length: rows.length };
}

function withFields(frame: Frame, fields: Field[]): Frame {
  return { ...frame, fields, length: fields.length === 0 ? 0 : frame.length };
}

function rename(field: Field, name: string): Field {
  return { ...field, name, legend: undefined, config: { ...field.config, displayName: name } };
}

export function organize(frames: Frame[], options: JsonObject): Frame[] {
  const exclude = asObject(options.excludeByName);
  const include = asObject(options.includeByName);
  const order = asObject(options.indexByName);
  const names = asObject(options.renameByName);
  const includes = Object.values(include).some((v) => v === true);
  return frames.map((frame) => {
    const kept = frame.fields
      .map((field, position) => ({ field, name: displayName(field, frame), position }))
      .filter(({ field, name }) => exclude[name] !== true && exclude[field.name] !== true)
      .filter(({ name }) => !includes || include[name] === true);
    const place = (name: string, position: number) => asNumber(order[name], 1000 + position);
    kept.sort((a, b) => place(a.name, a.position) - place(b.name, b.position));
    return withFields(
      frame,
      kept.map(({ field, name }) => {
        const wanted = asString(names[name], '') || asString(names[field.name], '');
        return wanted ? rename(field, wanted) : field;
      }),
    );
  });
}

export function filterFieldsByName(frames: Frame[], options: JsonObject): Frame[] {
  const matches = (side: unknown): ((name: string) => boolean) | undefined => {
    const { names, pattern } = asObject(side);
    const list = asArray(names);
    const regex = asString(pattern, '') ? slashedRegExp(looseRegExp(asString(pattern, ''))) : undefined;
    return list.length === 0 && !regex
      ? undefined
      : (name) => list.includes(name) || (regex?.test(name) ?? false);
  };
  const included = matches(options.include);
  const excluded = matches(options.exclude);
  return frames
    .map((frame) =>
      withFields(
        frame,
        frame.fields.filter((field) => {
          const name = displayName(field, frame);
          return (included?.(name) ?? true) && !(excluded?.(name) ?? false);
        }),
      ),
    )
    .filter((frame) => frame.fields.length > 0);
}

/** Here an expression without slashes may match anywhere in the name. */
const looseRegExp = (pattern: string): string => (pattern.startsWith('/') ? pattern : `/${pattern}/`);

export function filterFramesByRefId(frames: Frame[], options: JsonObject): Frame[] {
  const pattern = asString(options.include, '') || asString(asObject(options.include).options, '');
  if (!pattern) return frames;
  const regex = slashedRegExp(pattern);
  return frames.filter((f) => regex.test(f.refId));
}

export function renameByRegex(frames: Frame[], options: JsonObject): Frame[] {
  const pattern = asString(options.regex, '');
  if (!pattern) return frames;
  const regex = slashedRegExp(looseRegExp(pattern));
  const global = new RegExp(regex.source, `${regex.flags.replace('g', '')}g`);
  const replacement = asString(options.renamePattern, '');
  return frames.map((frame) => ({
    ...frame,
    fields: frame.fields.map((field) => {
      if (field.type === 'time') return field;
      const name = displayName(field, frame);
      return regex.test(name) ? rename(field, name.replace(global, replacement)) : field;
    }),
  }));
}

export function sortBy(frames: Frame[], options: JsonObject): Frame[] {
  const sort = asObjects(options.sort)[0];
  if (!sort) return frames;
  const by = asString(sort.field, '');
  return frames.map((frame) => {
    const field = frame.fields.find((f) => f.name === by || displayName(f, frame) === by);
    if (!field) return frame;
    const rows = Array.from({ length: frame.length }, (_, i) => i);
    const sign = sort.desc === true ? -1 : 1;
    rows.sort((a, b) => sign * compareValues(field.values[a] ?? null, field.values[b] ?? null));
    return pickRows(frame, rows);
  });
}

/** Missing values come first; text is compared as people count. */
export function compareValues(a: Value, b: Value): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? -1 : 1;
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return naturalOrder(String(a), String(b));
}

const naturalOrder = new Intl.Collator('en', { numeric: true }).compare;

export function limit(frames: Frame[], options: JsonObject): Frame[] {
  const count = asNumber(options.limitField, 10);
  return frames.map((frame) =>
    frame.length <= count
      ? frame
      : pickRows(
          frame,
          Array.from({ length: count }, (_, i) => i),
        ),
  );
}

type Condition = (value: Value, options: JsonObject) => boolean;

const compare =
  (test: (a: number, b: number) => boolean): Condition =>
  (value, options) =>
    typeof value === 'number' && test(value, asNumber(options.value, NaN));

const conditions: Record<string, Condition> = {
  isNull: (v) => v === null,
  isNotNull: (v) => v !== null,
  greater: compare((a, b) => a > b),
  greaterOrEqual: compare((a, b) => a >= b),
  lower: compare((a, b) => a < b),
  lowerOrEqual: compare((a, b) => a <= b),
  equal: (v, o) => String(v) === String(o.value),
  notEqual: (v, o) => String(v) !== String(o.value),
  regex: (v, o) => v !== null && slashedRegExp(looseRegExp(String(o.value ?? ''))).test(String(v)),
  substring: (v, o) =>
    v !== null &&
    String(v)
      .toLowerCase()
      .includes(String(o.value ?? '').toLowerCase()),
  notSubstring: (v, o) =>
    v === null ||
    !String(v)
      .toLowerCase()
      .includes(String(o.value ?? '').toLowerCase()),
  between: (v, o) =>
    typeof v === 'number' && v >= asNumber(o.from, -Infinity) && v <= asNumber(o.to, Infinity),
};

export function filterByValue(frames: Frame[], options: JsonObject): Frame[] {
  const filters = asObjects(options.filters);
  const all = options.match === 'all';
  const exclude = options.type === 'exclude';
  return frames.map((frame) => {
    const tests = filters.flatMap((filter) => {
      const name = asString(filter.fieldName, '');
      const field = frame.fields.find((f) => f.name === name || displayName(f, frame) === name);
      const config = asObject(filter.config);
      const condition = conditions[asString(config.id, '')];
      return field && condition
        ? [(row: number) => condition(field.values[row] ?? null, asObject(config.options))]
        : [];
    });
    if (tests.length === 0) return frame;
    const rows: number[] = [];
    for (let i = 0; i < frame.length; i++) {
      const met = all ? tests.every((t) => t(i)) : tests.some((t) => t(i));
      if (met !== exclude) rows.push(i);
    }
    return pickRows(frame, rows);
  });
}

const operators: Record<string, (a: number, b: number) => number> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '**': (a, b) => a ** b,
  '%': (a, b) => a % b,
};

export function calculateField(frames: Frame[], options: JsonObject): Frame[] {
  const replace = options.replaceFields === true;
  return frames.map((frame) => {
    const made =
      options.mode === 'binary'
        ? binary(frame, asObject(options.binary))
        : reduceRow(frame, asObject(options.reduce));
    if (!made) return frame;
    const name = asString(options.alias, '') || made.name;
    const field: Field = { name, type: 'number', values: made.values, config: emptyConfig };
    const kept = replace ? frame.fields.filter((f) => f.type === 'time') : frame.fields;
    return { ...frame, fields: [...kept, field] };
  });
}

function binary(frame: Frame, options: JsonObject): { name: string; values: Value[] } | undefined {
  const operator = asString(options.operator, '+');
  const run = operators[operator];
  const textOf = (raw: unknown): string =>
    typeof raw === 'string'
      ? raw
      : asString(asObject(asObject(raw).matcher).options, '') || asString(asObject(raw).fixed, '');
  const side = (text: string): ((row: number) => Value) | undefined => {
    const field = frame.fields.find((f) => displayName(f, frame) === text || f.name === text);
    if (field) return (row) => field.values[row] ?? null;
    const constant = asNumber(text, undefined);
    return constant === undefined ? undefined : () => constant;
  };
  const [leftText, rightText] = [textOf(options.left), textOf(options.right)];
  const [left, right] = [side(leftText), side(rightText)];
  if (!run || !left || !right) return undefined;
  const values = Array.from({ length: frame.length }, (_, i): Value => {
    const [a, b] = [left(i), right(i)];
    return typeof a === 'number' && typeof b === 'number' ? run(a, b) : null;
  });
  return { name: `${leftText} ${operator} ${rightText}`, values };
}

function reduceRow(frame: Frame, options: JsonObject): { name: string; values: Value[] } {
  const wanted = asArray(options.include);
  const numeric = matcherFor('numeric', undefined);
  const fields = frame.fields.filter(
    (f) => numeric(f, frame) && (wanted.length === 0 || wanted.includes(displayName(f, frame))),
  );
  const calc = asString(options.reducer, 'sum');
  const values = Array.from({ length: frame.length }, (_, i) =>
    reduce(
      calc,
      fields.map((f) => f.values[i] ?? null),
    ),
  );
  return { name: calc === 'sum' ? 'Total' : calc, values };
}
