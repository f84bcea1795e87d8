/**
 * Time ranges in Grafana's notation: "now-6h", "now/d", "now-1d/d", Unix
 * milliseconds, or ISO dates. Instants here are Unix milliseconds.
 */
export interface RawRange {
  from: string;
  to: string;
}

export interface TimeRange {
  from: number;
  to: number;
  raw: RawRange;
}

/** "browser", "utc" or an IANA name such as "Europe/Berlin". */
export type TimeZone = string;

type Unit = 's' | 'm' | 'h' | 'd' | 'w' | 'M' | 'Q' | 'y';

const secondMs = 1000;
const fixedUnits: Record<string, number> = {
  ms: 1,
  s: secondMs,
  m: 60 * secondMs,
  h: 3600 * secondMs,
  d: 86_400 * secondMs,
  w: 7 * 86_400 * secondMs,
  M: 30 * 86_400 * secondMs,
  Q: 91 * 86_400 * secondMs,
  y: 365 * 86_400 * secondMs,
};

/** Reads "90s", "1h30m", "1d"; undefined if it is no duration. A bare number is seconds. */
export function parseDuration(text: string): number | undefined {
  const trimmed = text.trim();
  if (/^\d+(\.\d+)?$/.test(trimmed)) return Number(trimmed) * secondMs;
  if (!/^(\d+(\.\d+)?(ms|[smhdwMQy]))+$/.test(trimmed)) return undefined;
  let total = 0;
  for (const [, amount, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)(ms|[smhdwMQy])/g)) {
    total += Number(amount) * (fixedUnits[unit ?? ''] ?? 0);
  }
  return total;
}

/** The shortest exact form that PromQL reads: 90000 → "1m30s". */
export function formatDuration(ms: number): string {
  if (!Number.isFinite(ms) || ms <= 0) return '0s';
  let rest = Math.round(ms);
  let text = '';
  for (const unit of ['d', 'h', 'm', 's', 'ms']) {
    const size = fixedUnits[unit] ?? 1;
    const amount = Math.floor(rest / size);
    if (amount > 0) text += `${amount}${unit}`;
    rest -= amount * size;
  }
  return text;
}

/** The end of a range keeps the whole unit that it is rounded to: now/d as an end is tonight. */
export function parseInstant(text: string, now: number, isEnd: boolean, zone: TimeZone): number | undefined {
  const trimmed = text.trim();
  if (/^\d{10,}$/.test(trimmed)) return Number(trimmed);
  const relative = /^now((?:[-+]\d+[smhdwMQy])*)(?:\/([smhdwMQy]))?$/.exec(trimmed);
  if (!relative) {
    const parsed = Date.parse(trimmed.replace(' ', 'T'));
    return Number.isNaN(parsed) ? undefined : parsed;
  }
  let instant = now;
  for (const [, sign, amount, unit] of (relative[1] ?? '').matchAll(/([-+])(\d+)([smhdwMQy])/g)) {
    instant = shift(instant, Number(amount) * (sign === '-' ? -1 : 1), unit as Unit, zone);
  }
  const rounding = relative[2] as Unit | undefined;
  if (!rounding) return instant;
  const start = startOf(instant, rounding, zone);
  return isEnd ? shift(start, 1, rounding, zone) - 1 : start;
}

/** Undefined if one end cannot be read, or the range is empty. */
export function resolveRange(raw: RawRange, now: number, zone: TimeZone): TimeRange | undefined {
  const from = parseInstant(raw.from, now, false, zone);
  const to = parseInstant(raw.to, now, true, zone);
  if (from === undefined || to === undefined || from >= to) return undefined;
  return { from, to, raw };
}

export function isRelative(raw: RawRange): boolean {
  return raw.from.includes('now') || raw.to.includes('now');
}

export function absolute(from: number, to: number): RawRange {
  return { from: String(Math.round(from)), to: String(Math.round(to)) };
}

/** Twice as long around the same middle, but never into the future. */
export function zoomOut(range: TimeRange, now: number): RawRange {
  const half = (range.to - range.from) / 2;
  const to = Math.min(range.to + half, Math.max(now, range.to));
  return absolute(to - 4 * half, to);
}

/** Half a range to the left (-1) or to the right (1). */
export function pan(range: TimeRange, direction: -1 | 1): RawRange {
  const half = ((range.to - range.from) / 2) * direction;
  return absolute(range.from + half, range.to + half);
}

const unitWords: Record<string, string> = {
  s: 'second',
  m: 'minute',
  h: 'hour',
  d: 'day',
  w: 'week',
  M: 'month',
  y: 'year',
};

/** "Last 6 hours", "Today", or both ends. */
export function describeRange(raw: RawRange, zone: TimeZone): string {
  const last = /^now-(\d+)([smhdwMy])$/.exec(raw.from);
  if (last && raw.to === 'now') {
    const word = unitWords[last[2] ?? ''] ?? '';
    return Number(last[1]) === 1 ? `Last ${word}` : `Last ${last[1]} ${word}s`;
  }
  if (raw.from === 'now/d' && (raw.to === 'now/d' || raw.to === 'now')) return 'Today';
  if (raw.from === 'now-1d/d' && raw.to === 'now-1d/d') return 'Yesterday';
  const show = (text: string) => (/^\d{10,}$/.test(text) ? formatInstant(Number(text), zone) : text);
  return `${show(raw.from)} – ${show(raw.to)}`;
}

// Making an Intl format costs far more than using it.
const formats = new Map<string, Intl.DateTimeFormat>();

function format(key: string, zone: TimeZone, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const cacheKey = `${key} ${zone}`;
  let found = formats.get(cacheKey);
  if (!found) {
    found = new Intl.DateTimeFormat('en-GB', { ...options, hourCycle: 'h23', ...zoneOption(zone) });
    formats.set(cacheKey, found);
  }
  return found;
}

function zoneOption(zone: TimeZone): Intl.DateTimeFormatOptions {
  if (zone === 'browser' || zone === '') return {};
  try {
    new Intl.DateTimeFormat('en-GB', { timeZone: zone });
    return { timeZone: zone };
  } catch {
    return {}; // A zone that this browser does not know: its own.
  }
}

export interface CalendarTime {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
}

export function calendar(instant: number, zone: TimeZone): CalendarTime {
  const parts = format('parts', zone, {
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  }).formatToParts(instant);
  const value = (type: string) => Number(parts.find((p) => p.type === type)?.value ?? 0);
  return {
    year: value('year'),
    month: value('month'),
    day: value('day'),
    hour: value('hour'),
    minute: value('minute'),
    second: value('second'),
  };
}

/** The offset of the zone is looked up twice, because it may change between guess and answer. */
export function fromCalendar(c: CalendarTime, zone: TimeZone): number {
  const asUtc = Date.UTC(c.year, c.month - 1, c.day, c.hour, c.minute, c.second);
  let guess = asUtc - offsetAt(asUtc, zone);
  guess = asUtc - offsetAt(guess, zone);
  return guess;
}

function offsetAt(instant: number, zone: TimeZone): number {
  const c = calendar(instant, zone);
  const asUtc = Date.UTC(c.year, c.month - 1, c.day, c.hour, c.minute, c.second);
  return asUtc - Math.floor(instant / 1000) * 1000;
}

const two = (n: number) => String(n).padStart(2, '0');

/** 2026-05-17 14:03:09, in the zone, for 24 hours. */
export function formatInstant(instant: number, zone: TimeZone, withMs = false): string {
  if (!(Math.abs(instant) <= 8.64e15)) return '–'; // Beyond what a date can be.
  const c = calendar(instant, zone);
  const time = `${two(c.hour)}:${two(c.minute)}:${two(c.second)}`;
  const ms = withMs ? `.${String(((instant % 1000) + 1000) % 1000).padStart(3, '0')}` : '';
  return `${c.year}-${two(c.month)}-${two(c.day)} ${time}${ms}`;
}

export function formatClock(instant: number, zone: TimeZone): string {
  return formatInstant(instant, zone).slice(11);
}

function shift(instant: number, amount: number, unit: Unit, zone: TimeZone): number {
  if (unit === 's' || unit === 'm' || unit === 'h') return instant + amount * (fixedUnits[unit] ?? 0);
  const c = calendar(instant, zone);
  const ms = ((instant % 1000) + 1000) % 1000;
  if (unit === 'd') c.day += amount;
  if (unit === 'w') c.day += 7 * amount;
  if (unit === 'M' || unit === 'Q' || unit === 'y') {
    const months = c.month - 1 + amount * (unit === 'M' ? 1 : unit === 'Q' ? 3 : 12);
    c.year += Math.floor(months / 12);
    c.month = (((months % 12) + 12) % 12) + 1;
    // The 31st of a month that is shorter is its last day.
    c.day = Math.min(c.day, new Date(Date.UTC(c.year, c.month, 0)).getUTCDate());
  }
  return fromCalendar(c, zone) + ms;
}

function startOf(instant: number, unit: Unit, zone: TimeZone): number {
  const c = calendar(instant, zone);
  c.second = 0;
  if (unit === 's') return Math.floor(instant / 1000) * 1000;
  if (unit !== 'm') c.minute = 0;
  if (unit !== 'm' && unit !== 'h') c.hour = 0;
  if (unit === 'w') {
    const weekday = new Date(Date.UTC(c.year, c.month - 1, c.day)).getUTCDay();
    c.day -= (weekday + 6) % 7; // Weeks start on Monday.
  }
  if (unit === 'M' || unit === 'y' || unit === 'Q') c.day = 1;
  if (unit === 'Q') c.month -= (c.month - 1) % 3;
  if (unit === 'y') c.month = 1;
  return fromCalendar(c, zone);
}
