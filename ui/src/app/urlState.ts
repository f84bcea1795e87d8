import { useCallback, useMemo } from 'react';
import { useLocation, useSearch } from 'wouter';

export type Patch = Record<string, string | string[] | undefined>;

/**
 * The query of the address is where a page keeps what a shared link should
 * show. Undefined removes a parameter. Replaces the history entry unless told
 * otherwise: going back should leave the page, not undo a zoom.
 */
export function useUrlState(): [URLSearchParams, (patch: Patch, options?: { push?: boolean }) => void] {
  const search = useSearch();
  const [path, navigate] = useLocation();
  const params = useMemo(() => new URLSearchParams(search), [search]);
  const update = useCallback(
    (patch: Patch, options: { push?: boolean } = {}) => {
      // Read at the time of the call: two updates in one event must not undo each other.
      const next = applyPatch(new URLSearchParams(window.location.search), patch).toString();
      navigate(next ? `${path}?${next}` : path, { replace: !options.push });
    },
    [navigate, path],
  );
  return [params, update];
}

export function applyPatch(params: URLSearchParams, patch: Patch): URLSearchParams {
  for (const [key, value] of Object.entries(patch)) {
    params.delete(key);
    if (Array.isArray(value)) value.forEach((v) => params.append(key, v));
    else if (value !== undefined) params.set(key, value);
  }
  return params;
}
