import { formatInstant, type TimeZone } from '../model/time';
import { units, type Unit } from './table';

export interface Formatted {
  text: string;
  prefix: string;
  suffix: string;
}

/** A number in a unit. Without decimals it keeps about three digits that matter. */
export function formatValue(
  value: number,
  unitId: string | undefined,
  decimals?: number,
  zone: TimeZone = 'browser',
): Formatted {
  if (Number.isNaN(value)) return { text: 'NaN', prefix: '', suffix: '' };
  if (!Number.isFinite(value)) return { text: value > 0 ? '∞' : '-∞', prefix: '', suffix: '' };
  const unit = unitOf(unitId);
  switch (unit.kind) {
    case 'plain':
      return { text: fixed(value * unit.factor, decimals), prefix: unit.prefix, suffix: unit.suffix };
    case 'scaled':
      return scaled(value * unit.factor, unit, decimals);
    case 'duration':
      return duration(value * unit.seconds, decimals);
    case 'clock':
      return { text: clock(value * unit.seconds), prefix: '', suffix: '' };
    case 'instant':
      return { text: instant(value * unit.ms, unit.style, zone), prefix: '', suffix: '' };
    case 'boolean':
      return { text: value === 0 ? unit.no : unit.yes, prefix: '', suffix: '' };
    case 'radix':
      return { text: Math.round(value).toString(unit.radix).toUpperCase(), prefix: unit.prefix, suffix: '' };
    case 'text':
      return { text: String(value), prefix: '', suffix: '' };
    case 'scientific':
      return { text: value.toExponential(decimals ?? 2), prefix: '', suffix: '' };
  }
}

export function formatText(
  value: number,
  unitId: string | undefined,
  decimals?: number,
  zone?: TimeZone,
): string {
  const { prefix, text, suffix } = formatValue(value, unitId, decimals, zone);
  return prefix + text + suffix;
}

/** Also the free forms "suffix:x", "prefix:x", "si:x", "currency:x", "count:x", "time:x"; else the text itself is the suffix. */
export function unitOf(id: string | undefined): Unit {
  if (!id) return units.get('short') as Unit;
  const known = units.get(id);
  if (known) return known.unit ? unitOf(known.unit) : known;
  const [kind, rest = ''] = split(id);
  switch (kind) {
    case 'prefix':
    case 'currency':
      return { kind: 'plain', factor: 1, prefix: rest.replace(/^financial:/, ''), suffix: '' };
    case 'suffix':
      return { kind: 'plain', factor: 1, prefix: '', suffix: rest.startsWith(' ') ? rest : ` ${rest}` };
    case 'si':
      return {
        kind: 'scaled',
        factor: 1,
        base: 1000,
        names: ['', 'k', 'M', 'G', 'T', 'P'].map((n) => ` ${n}${rest}`),
        small: [],
      };
    case 'count':
      return {
        kind: 'scaled',
        factor: 1,
        base: 1000,
        names: ['', ' K', ' Mil', ' Bil', ' Tri'].map((n) => `${n} ${rest}`),
        small: [],
      };
    case 'time':
      return { kind: 'instant', ms: 1, style: 'full' };
    case 'bool': {
      const [yes = 'True', no = 'False'] = rest.split('/');
      return { kind: 'boolean', yes, no };
    }
    default:
      return { kind: 'plain', factor: 1, prefix: '', suffix: ` ${id}` };
  }
}

function split(id: string): [string, string?] {
  const at = id.indexOf(':');
  return at < 0 ? [id] : [id.slice(0, at), id.slice(at + 1)];
}

/** Trailing zeros go, unless decimals were asked for. */
function fixed(value: number, decimals?: number): string {
  if (decimals !== undefined) return grouped(value.toFixed(Math.min(20, Math.max(0, decimals))));
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size < 1e-6 || size >= 1e15) return value.toExponential(2);
  const digits =
    size >= 100
      ? Number.isInteger(value)
        ? 0
        : 1
      : Math.min(8, Math.max(0, 2 - Math.floor(Math.log10(size))));
  return grouped(
    value
      .toFixed(digits)
      .replace(/(\.\d*?)0+$/, '$1')
      .replace(/\.$/, ''),
  );
}

/** 12345.6 → 12 345.6 with narrow spaces, from five digits on. */
function grouped(text: string): string {
  const [whole = '', fraction] = text.split('.');
  if (whole.replace('-', '').length < 5) return text;
  const spaced = whole.replace(/\B(?=(\d{3})+(?!\d))/g, '\u202f');
  return fraction === undefined ? spaced : `${spaced}.${fraction}`;
}

function scaled(value: number, unit: Extract<Unit, { kind: 'scaled' }>, decimals?: number): Formatted {
  const prefix = unit.prefix ?? '';
  const size = Math.abs(value);
  if (size === 0) return { text: fixed(0, decimals), prefix, suffix: unit.names[0] ?? '' };
  let power = 0;
  // 999.95 rounds up to 1000: it belongs to the next name already.
  while (power < unit.names.length - 1 && size / unit.base ** power >= unit.base * 0.99995) power++;
  if (power === 0 && unit.small.length > 0) {
    while (-power < unit.small.length && size / unit.base ** power < 1) power--;
  }
  const name = power < 0 ? (unit.small[-power - 1] ?? '') : (unit.names[power] ?? '');
  return { text: fixed(value / unit.base ** power, decimals), prefix, suffix: name };
}

const durations: [string, number][] = [
  [' ns', 1e-9],
  [' µs', 1e-6],
  [' ms', 1e-3],
  [' s', 1],
  [' min', 60],
  [' h', 3600],
  [' d', 86_400],
  [' w', 604_800],
  [' y', 31_557_600],
];

function duration(seconds: number, decimals?: number): Formatted {
  const size = Math.abs(seconds);
  if (size === 0) return { text: '0', prefix: '', suffix: ' s' };
  let chosen = durations[0] ?? [' s', 1];
  for (const step of durations) if (size >= step[1] * 0.99995) chosen = step;
  return { text: fixed(seconds / chosen[1], decimals), prefix: '', suffix: chosen[0] };
}

function clock(seconds: number): string {
  const rest = Math.abs(Math.round(seconds));
  const pad = (n: number) => String(n).padStart(2, '0');
  const days = Math.floor(rest / 86_400);
  const time = `${pad(Math.floor((rest % 86_400) / 3600))}:${pad(Math.floor((rest % 3600) / 60))}:${pad(rest % 60)}`;
  return `${seconds < 0 ? '-' : ''}${days > 0 ? `${days} d ` : ''}${time}`;
}

function instant(ms: number, style: 'full' | 'time' | 'ago', zone: TimeZone): string {
  if (style === 'ago') {
    const { text, suffix } = duration(Math.abs(Date.now() - ms) / 1000, 0);
    return ms <= Date.now() ? `${text}${suffix} ago` : `in ${text}${suffix}`;
  }
  const full = formatInstant(ms, zone);
  return style === 'time' ? full.slice(11) : full;
}
