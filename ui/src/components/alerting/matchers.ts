import type { Matcher } from '../../api/alertmanager';
import type { Labels } from '../../api/prometheus';

/** Reads `{a="b", c!~"d|e"}`, with or without braces; throws a sentence that says what is wrong. */
export function parseMatchers(text: string): Matcher[] {
  const inside = text.trim().replace(/^\{([\s\S]*)\}$/, '$1');
  const matchers: Matcher[] = [];
  const pattern =
    /\s*("(?:[^"\\]|\\.)*"|[^\s"=!~,{}]+)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*"|[^\s",{}]*)\s*(,|$)/y;
  while (pattern.lastIndex < inside.length && inside.slice(pattern.lastIndex).trim() !== '') {
    const at = pattern.lastIndex;
    const found = pattern.exec(inside);
    if (!found) throw new Error(`cannot read ${JSON.stringify(inside.slice(at).trim())}; write name="value"`);
    const [, name = '', operator = '=', value = ''] = found;
    matchers.push({
      name: unquote(name),
      value: unquote(value),
      isRegex: operator.endsWith('~'),
      isEqual: operator.startsWith('='),
    });
  }
  return matchers;
}

function unquote(text: string): string {
  if (!text.startsWith('"')) return text;
  return text.slice(1, -1).replace(/\\(.)/g, (_, c: string) => (c === 'n' ? '\n' : c));
}

const quote = (value: string): string =>
  `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;

export function formatMatcher({ name, value, isRegex, isEqual }: Matcher): string {
  const plain = /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) ? name : quote(name);
  const operator = isEqual ? (isRegex ? '=~' : '=') : isRegex ? '!~' : '!=';
  return `${plain}${operator}${quote(value)}`;
}

export const formatMatchers = (matchers: Matcher[]): string => matchers.map(formatMatcher).join(', ');

/** Matchers for exactly these labels. */
export const matchersFor = (labels: Labels): Matcher[] =>
  Object.entries(labels)
    .sort(([a], [b]) => rank(a) - rank(b) || (a < b ? -1 : 1))
    .map(([name, value]) => ({ name, value, isRegex: false, isEqual: true }));

const rank = (name: string) => (name === 'alertname' ? 0 : 1);

/** Matches everything: Alertmanager refuses a silence whose matchers all match the empty label set. */
export const matchesEmpty = (matchers: Matcher[]): boolean =>
  matchers.every(({ value, isRegex, isEqual }) => {
    if (!isRegex) return (value === '') === isEqual;
    try {
      return new RegExp(`^(?:${value})$`).test('') === isEqual;
    } catch {
      return false; // A notation that only the server knows; it decides.
    }
  });
