import { useCallback, useEffect, useMemo, useState } from 'react';
import {
  isRelative,
  parseDuration,
  resolveRange,
  type RawRange,
  type TimeRange,
  type TimeZone,
} from '../model/time';
import { useUrlState } from './urlState';

export interface TimeState {
  range: TimeRange;
  zone: TimeZone;
  /** "" means no refresh; else a duration such as "10s". */
  refresh: string;
  setRange: (raw: RawRange) => void;
  setRefresh: (refresh: string) => void;
  setZone: (zone: TimeZone) => void;
  /** Resolves a relative range against the present, so that everything is asked again. */
  refreshNow: () => void;
}

export interface TimeDefaults {
  from?: string;
  to?: string;
  refresh?: string;
  zone?: TimeZone;
}

/**
 * The time range of a page: from, to, refresh and timezone in the address, as
 * Grafana's links have them. A hidden page does not refresh.
 */
export function useTimeRange(defaults: TimeDefaults = {}): TimeState {
  const [params, update] = useUrlState();
  const [now, setNow] = useState(() => Date.now());
  const from = params.get('from') ?? defaults.from ?? 'now-1h';
  const to = params.get('to') ?? defaults.to ?? 'now';
  const zone = params.get('timezone') ?? defaults.zone ?? 'browser';
  const refresh = params.get('refresh') ?? defaults.refresh ?? '';

  const range = useMemo(
    () =>
      resolveRange({ from, to }, now, zone) ?? {
        from: now - 3_600_000,
        to: now,
        raw: { from: 'now-1h', to: 'now' },
      },
    [from, to, now, zone],
  );

  const refreshNow = useCallback(() => setNow(Date.now()), []);

  const every = refresh ? parseDuration(refresh) : undefined;
  const relative = isRelative({ from, to });
  useEffect(() => {
    if (!every || !relative) return;
    const timer = setInterval(
      () => {
        if (!document.hidden) refreshNow();
      },
      Math.max(every, 1000),
    );
    return () => clearInterval(timer);
  }, [every, relative, refreshNow]);

  const setRange = useCallback(
    (raw: RawRange) => {
      setNow(Date.now());
      update({ from: raw.from, to: raw.to });
    },
    [update],
  );
  const setRefresh = useCallback((value: string) => update({ refresh: value }), [update]);
  const setZone = useCallback((value: TimeZone) => update({ timezone: value }), [update]);

  return useMemo(
    () => ({ range, zone, refresh, setRange, setRefresh, setZone, refreshNow }),
    [range, zone, refresh, setRange, setRefresh, setZone, refreshNow],
  );
}
