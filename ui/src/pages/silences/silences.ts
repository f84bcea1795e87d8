import type { Silence } from '../../api/alertmanager';
import type { CalendarSilence } from '../../api/notify';
import { formatMatchers } from '../../components/alerting/matchers';
import type { SilenceDraft } from '../../components/alerting/SilenceDialog';
import { emptySilence } from '../../components/alerting/SilenceDialog';
import { formatDuration } from '../../model/time';

const order = { active: 0, pending: 1, expired: 2 };

/** Those in effect first, and of those the one that ends first; what has ended comes last. */
export function inOrder(silences: Silence[]): Silence[] {
  return [...silences].sort((a, b) => {
    const by = order[a.status.state] - order[b.status.state];
    if (by !== 0) return by;
    const [x, y] = [Date.parse(a.endsAt), Date.parse(b.endsAt)];
    return a.status.state === 'expired' ? y - x : x - y;
  });
}

export function draftOfSilence(silence: Silence, now: number): SilenceDraft {
  const ended = silence.status.state === 'expired';
  const left = Date.parse(silence.endsAt) - now;
  const whole = Date.parse(silence.endsAt) - Date.parse(silence.startsAt);
  const minutes = Math.max(1, Math.round((ended ? whole : left) / 60_000));
  return {
    ...emptySilence,
    // One that has ended is made again.
    id: ended ? undefined : silence.id,
    startsAt: ended ? undefined : silence.startsAt,
    matchers: formatMatchers(silence.matchers),
    duration: formatDuration(minutes * 60_000),
    comment: silence.comment,
  };
}

export function draftOfCalendar(c: CalendarSilence): SilenceDraft {
  return {
    kind: 'recurring',
    id: c.id,
    matchers: formatMatchers(c.matchers),
    duration: c.duration,
    schedule: c.schedule,
    timeZone: c.timeZone || 'UTC',
    comment: c.comment,
  };
}

/** The silences that a calendar has made, by their id. */
export function calendarOf(calendars: CalendarSilence[]): Map<string, CalendarSilence> {
  return new Map(
    calendars.flatMap((c) => c.next.flatMap((n) => (n.silenceID ? [[n.silenceID, c] as const] : []))),
  );
}
