import { useCallback, useEffect, useMemo, useState } from 'react';
import { useApi } from '../../app/context';
import { useUrlState } from '../../app/urlState';
import type { Dashboard } from '../../model/dashboard';
import { emptyScope, type ResolvedVariable, type Scope } from '../../model/interpolate';
import { resolveVariables } from '../../model/resolve';
import type { TimeRange } from '../../model/time';
import { allValueMarker, variablesOf } from '../../model/variables';

export interface Variables {
  list: ResolvedVariable[];
  scope: Scope;
  /** False until the first answer: queries must not run with holes in them. */
  ready: boolean;
  choose: (name: string, values: string[]) => void;
}

const prefix = 'var-';

/** The variables of a dashboard; what is chosen stands in the address: var-job=node. */
export function useVariables(dashboard: Dashboard, range: TimeRange): Variables {
  const { prometheus } = useApi();
  const [params, update] = useUrlState();
  const templating = dashboard.templating;
  const variables = useMemo(() => variablesOf({ templating }), [templating]);
  const search = [...params].filter(([key]) => key.startsWith(prefix));
  const chosenKey = JSON.stringify(search);
  const [resolved, setResolved] = useState<Map<string, ResolvedVariable>>();
  // A relative range that only moves on with the clock changes no options.
  const rangeKey = `${range.raw.from} ${range.raw.to}`;

  useEffect(() => {
    if (variables.length === 0) return;
    const abort = new AbortController();
    const chosen = new Map<string, string[]>();
    for (const [key, value] of JSON.parse(chosenKey) as [string, string][]) {
      const name = key.slice(prefix.length);
      chosen.set(name, [...(chosen.get(name) ?? []), value]);
    }
    resolveVariables(prometheus, variables, { range, chosen }, abort.signal).then(
      setResolved,
      () => undefined,
    );
    return () => abort.abort();
    // The range is read, but only another choice of it asks again.
  }, [prometheus, variables, chosenKey, rangeKey]);

  const choose = useCallback(
    (name: string, values: string[]) =>
      update({ [prefix + name]: values.length > 0 ? values : [allValueMarker] }),
    [update],
  );
  return useMemo(() => {
    if (variables.length === 0) return { list: [], scope: emptyScope, ready: true, choose };
    const map = resolved ?? new Map<string, ResolvedVariable>();
    return {
      list: [...map.values()],
      scope: { variables: map, extra: {} },
      ready: resolved !== undefined,
      choose,
    };
  }, [variables, resolved, choose]);
}
