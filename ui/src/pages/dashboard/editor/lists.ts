/**
 * Lists that people type: `a, b`, or with parts `a = b, c = d`. A name that holds
 * one of these signs stands in quotes: `"a, b" = c`.
 */

const needsQuotes = /[,=]|^["'`\s]|\s$|^$/;

function quoted(part: string): string {
  if (!needsQuotes.test(part)) return part;
  const quote = ['"', "'", '`'].find((q) => !part.includes(q)) ?? '"';
  return quote + part.replace(/[\\"'`]/g, (c) => (c === quote || c === '\\' ? `\\${c}` : c)) + quote;
}

export const writeList = (items: readonly string[][]): string =>
  items.map((parts) => parts.map(quoted).join(' = ')).join(', ');

/** Each item as its parts; without a separator an item is one part. Empty ones are left out. */
export function readList(text: string, separator = ''): string[][] {
  const items: string[][] = [];
  let parts: string[] = [];
  let at = 0;
  while (at <= text.length) {
    const { part, given, next } = readPart(text, at, separator);
    const end = text[next];
    if (part !== '' || given || parts.length > 0) parts.push(part);
    if (end !== separator || separator === '') {
      if (parts.length > 0) items.push(parts);
      parts = [];
    }
    at = next + 1;
  }
  return items;
}

/** The part that begins at a place, and the place of what ends it. */
function readPart(text: string, from: number, separator: string) {
  const ends = (c: string | undefined) =>
    c === undefined || c === ',' || (separator !== '' && c === separator);
  let at = from;
  while (/\s/.test(text[at] ?? '')) at++;
  const quote = text[at];
  let part = '';
  const given = quote === '"' || quote === "'" || quote === '`';
  if (given) {
    for (at++; at < text.length && text[at] !== quote; at++) {
      if (text[at] === '\\' && at + 1 < text.length) at++;
      part += text[at];
    }
    at++;
  }
  const begin = at;
  while (!ends(text[at])) at++;
  const rest = text.slice(begin, at);
  return { part: given ? part + rest.trimEnd() : rest.trim(), given, next: at };
}
