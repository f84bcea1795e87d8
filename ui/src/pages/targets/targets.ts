import type { ActiveTarget } from '../../api/prometheus';

export type Health = ActiveTarget['health'];

export interface Pool {
  name: string;
  targets: ActiveTarget[];
  up: number;
}

/** Targets by scrape pool, both with those first that are down, as far as health and search allow. */
export function poolsOf(targets: ActiveTarget[], health: Health | undefined, search: string): Pool[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const pools = new Map<string, Pool>();
  for (const target of targets) {
    if (health && target.health !== health) continue;
    const text = [
      target.scrapePool,
      target.scrapeUrl,
      target.lastError,
      ...Object.entries(target.labels).map((l) => l.join('=')),
    ]
      .join(' ')
      .toLowerCase();
    if (!words.every((word) => text.includes(word))) continue;
    const pool = pools.get(target.scrapePool) ?? { name: target.scrapePool, targets: [], up: 0 };
    pool.targets.push(target);
    if (target.health === 'up') pool.up++;
    pools.set(target.scrapePool, pool);
  }
  const all = [...pools.values()];
  for (const pool of all)
    pool.targets.sort((a, b) => rank(a) - rank(b) || a.scrapeUrl.localeCompare(b.scrapeUrl));
  const worst = ({ targets: [first] }: Pool) => (first ? rank(first) : 2);
  return all.sort((a, b) => worst(a) - worst(b) || a.name.localeCompare(b.name));
}

const rank = (t: ActiveTarget) => ({ down: 0, unknown: 1, up: 2 })[t.health];

export interface LabelChange {
  name: string;
  before?: string;
  after?: string;
}

/** What relabelling made of a target's labels, side by side. */
export function labelChanges(target: ActiveTarget): LabelChange[] {
  const names = new Set([...Object.keys(target.labels), ...Object.keys(target.discoveredLabels)]);
  return [...names]
    .sort((a, b) => Number(a.startsWith('__')) - Number(b.startsWith('__')) || a.localeCompare(b))
    .map((name) => ({ name, before: target.discoveredLabels[name], after: target.labels[name] }));
}
