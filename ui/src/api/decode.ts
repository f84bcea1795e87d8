/**
 * Checks of values that come from outside. A decoder returns the value in its
 * type or throws a DecodeError that names the place: "data.result[3].metric".
 */
export type Decoder<T> = (value: unknown, path: string) => T;

export class DecodeError extends Error {
  constructor(path: string, want: string, got: unknown) {
    super(`unexpected answer: ${path || 'body'} is ${describe(got)}, want ${want}`);
    this.name = 'DecodeError';
  }
}

function describe(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'an array' : `a ${typeof value}`;
}

export const string: Decoder<string> = (value, path) => {
  if (typeof value !== 'string') throw new DecodeError(path, 'a string', value);
  return value;
};

export const number: Decoder<number> = (value, path) => {
  if (typeof value !== 'number') throw new DecodeError(path, 'a number', value);
  return value;
};

export const boolean: Decoder<boolean> = (value, path) => {
  if (typeof value !== 'boolean') throw new DecodeError(path, 'a boolean', value);
  return value;
};

export const unknown: Decoder<unknown> = (value) => value;

export const record: Decoder<Record<string, unknown>> = (value, path) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new DecodeError(path, 'an object', value);
  }
  return value as Record<string, unknown>;
};

/** Go encodes an empty slice as null: both are the empty array here. */
export function array<T>(item: Decoder<T>): Decoder<T[]> {
  return (value, path) => {
    if (value === null || value === undefined) return [];
    if (!Array.isArray(value)) throw new DecodeError(path, 'an array', value);
    return value.map((v, i) => item(v, `${path}[${i}]`));
  };
}

export function map<T>(item: Decoder<T>): Decoder<Record<string, T>> {
  return (value, path) => {
    if (value === null || value === undefined) return {};
    const entries = Object.entries(record(value, path));
    return Object.fromEntries(entries.map(([key, v]) => [key, item(v, `${path}.${key}`)]));
  };
}

export function optional<T>(item: Decoder<T>): Decoder<T | undefined> {
  return (value, path) => (value === null || value === undefined ? undefined : item(value, path));
}

export function withDefault<T>(item: Decoder<T>, fallback: T): Decoder<T> {
  return (value, path) => (value === null || value === undefined ? fallback : item(value, path));
}

type Fields = Record<string, Decoder<unknown>>;
type Decoded<F extends Fields> = { [K in keyof F]: ReturnType<F[K]> };

/** Fields that are not named are ignored: the API may add some. */
export function object<F extends Fields>(fields: F): Decoder<Decoded<F>> {
  const entries = Object.entries(fields);
  return (value, path) => {
    const source = record(value, path);
    const result: Record<string, unknown> = {};
    for (const [key, decode] of entries) result[key] = decode(source[key], path ? `${path}.${key}` : key);
    return result as Decoded<F>;
  };
}

export function oneOf<const T extends string>(...values: T[]): Decoder<T> {
  return (value, path) => {
    if (!values.includes(value as T)) throw new DecodeError(path, values.join(' or '), value);
    return value as T;
  };
}

/** The type that a decoder returns. */
export type TypeOf<D> = D extends Decoder<infer T> ? T : never;
