import { useQuery } from '@tanstack/react-query';
import * as d from '../api/decode';
import { parseDuration } from '../model/time';
import { useApi } from './context';

const defaultMs = 15_000;

/** How often the server scrapes if a job says nothing else: the least step that makes sense. */
export function useScrapeInterval(): number {
  const { prometheus } = useApi();
  const { data } = useQuery({
    queryKey: ['scrapeInterval'],
    staleTime: 300_000,
    queryFn: async ({ signal }) => {
      const { yaml } = await prometheus.data('api/v1/status/config', d.object({ yaml: d.string }), {
        signal,
      });
      return globalInterval(yaml);
    },
  });
  return data ?? defaultMs;
}

export function globalInterval(yaml: string): number {
  const global = /^global:\s*\n((?:[ \t]+.*\n?)*)/m.exec(yaml)?.[1] ?? '';
  const interval = /^\s+scrape_interval:\s*(\S+)/m.exec(global)?.[1];
  return (interval && parseDuration(interval)) || defaultMs;
}
