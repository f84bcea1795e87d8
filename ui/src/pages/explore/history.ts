const key = 'hedgewatch.explore.history';
const maxEntries = 50;

/** Queries that were run here, the newest first; kept in this browser. */
export function readHistory(storage: Pick<Storage, 'getItem'>): string[] {
  try {
    const parsed: unknown = JSON.parse(storage.getItem(key) ?? '[]');
    return Array.isArray(parsed) ? parsed.filter((e): e is string => typeof e === 'string') : [];
  } catch {
    return []; // Somebody else wrote there.
  }
}

export function remember(storage: Pick<Storage, 'getItem' | 'setItem'>, expr: string): string[] {
  const entry = expr.trim();
  const old = readHistory(storage);
  if (entry === '' || old[0] === entry) return old;
  const next = [entry, ...old.filter((e) => e !== entry)].slice(0, maxEntries);
  try {
    storage.setItem(key, JSON.stringify(next));
  } catch {
    // Full, or not allowed: the list then lives as long as the page.
  }
  return next;
}
