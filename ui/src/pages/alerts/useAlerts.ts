import { useQuery, type UseQueryResult } from '@tanstack/react-query';
import { useCallback } from 'react';
import { useApi } from '../../app/context';
import { useLive } from '../../app/live';
import { canaryName, combine, type AlertItem, type Sources } from './alerts';

const pollMs = 3000;
const safetyMs = 10_000;
const historyMs = 15_000;
const dayMs = 86_400_000;
const maxHistory = 2000;

/** Every part that shows alerts is asked again when one was acknowledged or silenced. */
export const alertsKey = ['alerts'];

/** All alerts of now and those that ended within a day, kept fresh while the page is seen. */
export function useAlerts(): UseQueryResult<AlertItem[]> {
  const { alertmanager, prometheus, notify } = useApi();
  const history = useQuery({
    queryKey: [...alertsKey, 'history'],
    queryFn: ({ signal }) =>
      notify.history(
        {
          filter: [`alertname!="${canaryName}"`],
          from: Math.floor((Date.now() - dayMs) / 1000),
          limit: maxHistory,
        },
        signal,
      ),
    ...useLive(['alerts'], historyMs),
  });
  return useQuery({
    queryKey: [...alertsKey, 'now'],
    queryFn: async ({ signal }) => {
      const [alerts, groups, acks] = await Promise.all([
        alertmanager.alerts([], signal),
        prometheus.rules(signal),
        notify.acknowledgements(signal),
      ]);
      return { alerts, groups, acks };
    },
    select: useCallback(
      (now: Omit<Sources, 'history'>) => combine({ ...now, history: history.data ?? [] }),
      [history.data],
    ),
    ...useLive(['alerts', 'silences', 'rules'], pollMs, safetyMs),
  });
}
