import { formatDuration, parseDuration } from '../../model/time';

/** How long people silence and acknowledge for. */
export const commonDurations = ['15m', '30m', '1h', '2h', '4h', '8h', '1d', '3d', '7d'];

/** What is wrong with it, or undefined. */
export function durationError(text: string): string | undefined {
  if (parseDuration(text) && !/^\d+$/.test(text.trim())) return undefined;
  return 'write 30m, 2h or 1d12h';
}

/** Of a number of seconds, as rules have it. */
export const durationOf = (seconds: number): string => formatDuration(seconds * 1000);
