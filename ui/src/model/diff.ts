import { isObject, type Json } from './json';

export interface Change {
  path: string;
  before?: string;
  after?: string;
}

const maxText = 200;

/** What differs between two JSON values, by path; lists of panels are compared by id. */
export function diffJson(before: Json | undefined, after: Json | undefined, path = ''): Change[] {
  if (before === after) return [];
  if (isObject(before) && isObject(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    return keys.flatMap((key) => diffJson(before[key], after[key], path ? `${path}.${key}` : key));
  }
  if (Array.isArray(before) && Array.isArray(after)) {
    const [old, now] = [named(before), named(after)];
    const keys = [...new Set([...old.keys(), ...now.keys()])];
    return keys.flatMap((key) => diffJson(old.get(key), now.get(key), `${path}[${key}]`));
  }
  return [{ path, before: show(before), after: show(after) }];
}

function named(list: Json[]): Map<string, Json> {
  return new Map(
    list.map((item, i) => {
      const id = isObject(item) ? (item.id ?? item.refId ?? item.name) : undefined;
      const title = isObject(item) && typeof item.title === 'string' ? ` ${item.title}` : '';
      return [id === undefined || id === null ? String(i) : `${String(id)}${title}`, item];
    }),
  );
}

function show(value: Json | undefined): string | undefined {
  if (value === undefined) return undefined;
  const text = JSON.stringify(value);
  return text.length > maxText ? `${text.slice(0, maxText)}…` : text;
}
