import { useCallback, useEffect, useMemo, useState } from 'react';
import type { Dashboard } from '../../model/dashboard';
import { equalJson } from '../../model/json';

export interface Draft {
  dashboard: Dashboard;
  changed: boolean;
  change: (edit: (d: Dashboard) => Dashboard) => void;
  undo: () => void;
  canUndo: boolean;
  discard: () => void;
}

const maxSteps = 100;
const storageKey = (id: string) => `hedgewatch.draft.${id}`;

/**
 * A dashboard while it is edited. Every state is kept for undo, and the last one
 * in the tab's storage: neither a reload nor an expired session loses an edit.
 */
export function useDraft(original: Dashboard, id: string): Draft {
  const [steps, setSteps] = useState<Dashboard[]>(() => [original, ...restored(id, original)]);
  const dashboard = steps[steps.length - 1] ?? original;
  const changed = useMemo(() => !equalJson(dashboard, original), [dashboard, original]);

  const change = useCallback((edit: (d: Dashboard) => Dashboard) => {
    setSteps((old) => {
      const next = edit(old[old.length - 1] ?? {});
      return next === old[old.length - 1] ? old : [...old.slice(-maxSteps), next];
    });
  }, []);
  const undo = useCallback(() => setSteps((old) => (old.length > 1 ? old.slice(0, -1) : old)), []);
  const discard = useCallback(() => setSteps([original]), [original]);

  useEffect(() => {
    try {
      if (changed)
        sessionStorage.setItem(storageKey(id), JSON.stringify({ base: original.version ?? 0, dashboard }));
      else sessionStorage.removeItem(storageKey(id));
    } catch {
      // No room or no storage: the edit lives in this page alone.
    }
  }, [changed, dashboard, id, original]);

  useEffect(() => {
    if (!changed) return;
    const warn = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener('beforeunload', warn);
    return () => window.removeEventListener('beforeunload', warn);
  }, [changed]);

  return { dashboard, changed, change, undo, canUndo: steps.length > 1, discard };
}

/** A draft of another version is not brought back: it would undo what others saved. */
function restored(id: string, original: Dashboard): Dashboard[] {
  try {
    const text = sessionStorage.getItem(storageKey(id));
    if (!text) return [];
    const { base, dashboard } = JSON.parse(text) as { base: unknown; dashboard: Dashboard };
    return base === (original.version ?? 0) ? [dashboard] : [];
  } catch {
    return [];
  }
}

export function forgetDraft(id: string): void {
  try {
    sessionStorage.removeItem(storageKey(id));
  } catch {
    // Then there was none.
  }
}
