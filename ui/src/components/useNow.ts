import { useInterval } from '@mantine/hooks';
import { useState } from 'react';
import { formatText } from '../units';

/** The present, which moves on as often as it is asked to. */
export function useNow(everyMs = 1000): number {
  const [now, setNow] = useState(() => Date.now());
  useInterval(() => setNow(Date.now()), everyMs, { autoInvoke: true });
  return now;
}

/** "3 min", from an instant to another; no finer than anybody reads. */
export function formatAge(from: number, to: number): string {
  const seconds = Math.max(0, Math.round((to - from) / 1000));
  return formatText(seconds, 's', seconds < 3600 ? 0 : 1);
}
