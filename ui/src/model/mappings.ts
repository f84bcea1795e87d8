import type { Value } from './frame';
import { asNumber, asObject, asObjects, asString, type JsonObject } from './json';
import { slashedRegExp } from './variables';

export interface MappedValue {
  text?: string;
  color?: string;
}

export type Mapping = (value: Value) => MappedValue | undefined;

/** The kinds value, range, regex and special, and the older list form. */
export function readMappings(raw: unknown): Mapping[] {
  return asObjects(raw).flatMap((m): Mapping[] => {
    const options = asObject(m.options);
    switch (m.type) {
      case 'value': {
        const entries = new Map(Object.entries(options).map(([key, result]) => [key, readResult(result)]));
        return [(value) => (value === null ? undefined : entries.get(String(value)))];
      }
      case 'range': {
        const [from, to] = [asNumber(options.from, -Infinity), asNumber(options.to, Infinity)];
        const result = readResult(options.result);
        return [(value) => (typeof value === 'number' && value >= from && value <= to ? result : undefined)];
      }
      case 'regex': {
        const pattern = slashedRegExp(asString(options.pattern, ''));
        const result = readResult(options.result);
        return [
          (value) =>
            typeof value === 'string' && pattern.test(value) ? filled(result, pattern, value) : undefined,
        ];
      }
      case 'special': {
        const result = readResult(options.result);
        const special = asString(options.match, '');
        return [(value) => (isSpecial(value, special) ? result : undefined)];
      }
      default:
        return oldMapping(m);
    }
  });
}

function readResult(raw: unknown): MappedValue {
  const { text, color } = asObject(raw);
  return { text: asString(text, undefined), color: asString(color, undefined) };
}

function filled(result: MappedValue, pattern: RegExp, value: string): MappedValue {
  return result.text === undefined ? result : { ...result, text: value.replace(pattern, result.text) };
}

function isSpecial(value: Value, kind: string): boolean {
  switch (kind) {
    case 'null':
      return value === null;
    case 'nan':
      return typeof value === 'number' && Number.isNaN(value);
    case 'null+nan':
      return value === null || (typeof value === 'number' && Number.isNaN(value));
    case 'true':
      return value === true;
    case 'false':
      return value === false;
    case 'empty':
      return value === '';
    default:
      return false;
  }
}

function oldMapping(m: JsonObject): Mapping[] {
  const result = { text: asString(m.text, undefined) };
  if (m.value !== undefined && m.value !== null) {
    const wanted = String(m.value);
    return [
      (value) => ((wanted === 'null' ? value === null : String(value) === wanted) ? result : undefined),
    ];
  }
  if (m.from !== undefined && m.to !== undefined) {
    const [from, to] = [Number(m.from), Number(m.to)];
    return [(value) => (typeof value === 'number' && value >= from && value <= to ? result : undefined)];
  }
  return [];
}

export function mapValue(mappings: Mapping[], value: Value): MappedValue | undefined {
  for (const mapping of mappings) {
    const mapped = mapping(value);
    if (mapped) return mapped;
  }
  return undefined;
}
