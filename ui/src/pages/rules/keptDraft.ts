import { useCallback, useEffect, useState } from 'react';
import type { RuleDraft } from './draft';

/**
 * A draft that outlives its page, in this tab: whoever follows a link in the middle of
 * an edit, reloads, or has to log in again finds it as it was.
 */
export function useKeptDraft(place: string, initial: RuleDraft) {
  const key = `hedgewatch.rule.${place}`;
  const base = JSON.stringify(initial);
  const [kept] = useState(() => read(key, base));
  const [draft, setDraft] = useState(kept ?? initial);
  const dirty = JSON.stringify(draft) !== base;
  useEffect(() => {
    try {
      if (dirty) sessionStorage.setItem(key, JSON.stringify({ base, draft }));
      else sessionStorage.removeItem(key);
    } catch {
      // No room or no storage: the edit lives in this page alone.
    }
  }, [key, base, dirty, draft]);
  const discard = useCallback(() => setDraft(initial), [initial]);
  /** Of an edit that is saved. */
  const forget = useCallback(() => sessionStorage.removeItem(key), [key]);
  return { draft, setDraft, dirty, restored: kept !== undefined, discard, forget };
}

/** An edit of what is another rule by now is not brought back: it would undo what others saved. */
function read(key: string, base: string): RuleDraft | undefined {
  try {
    const kept = JSON.parse(sessionStorage.getItem(key) ?? '{}') as { base?: string; draft?: RuleDraft };
    return kept.base === base ? kept.draft : undefined;
  } catch {
    return undefined;
  }
}
