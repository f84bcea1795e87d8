import type { CapacityItem, CapacityReport, Verdict } from '../../api/capacity';
import { exploreLink } from '../links';
import { formatText } from '../../units';

export const verdictText: Record<Verdict, string> = {
  leak: 'leak?',
  risk: 'at risk',
  over: 'too large',
  unlimited: 'no limit',
  fits: 'fits',
  unknown: 'too little known',
  gone: 'gone',
};

export const orders = ['verdict', 'headroom', 'giveBack', 'name'] as const;
export type Order = (typeof orders)[number];

export const orderText: Record<Order, string> = {
  verdict: 'what needs somebody',
  headroom: 'least left at the peak',
  giveBack: 'most to give back',
  name: 'name',
};

export interface Filter {
  search: string;
  kind: string;
  verdict: string;
  order: Order;
}

/** The server's order is that of verdicts; what has no number comes last in the others. */
export function choose(items: CapacityItem[], filter: Filter): CapacityItem[] {
  const words = filter.search.toLowerCase().split(/\s+/).filter(Boolean);
  const found = items.filter((i) => {
    const text = `${i.kind} ${i.name} ${i.resource} ${Object.values(i.labels).join(' ')}`.toLowerCase();
    return (
      (filter.kind === '' || i.kind === filter.kind) &&
      (filter.verdict === '' || i.verdict === filter.verdict) &&
      words.every((w) => text.includes(w))
    );
  });
  switch (filter.order) {
    case 'headroom':
      return found.sort((a, b) => (a.headroom ?? 2) - (b.headroom ?? 2));
    case 'giveBack':
      return found.sort((a, b) => share(b) - share(a));
    case 'name':
      return found.sort((a, b) => `${a.name} ${a.resource}`.localeCompare(`${b.name} ${b.resource}`));
    default:
      return found;
  }
}

/** Cores and bytes cannot be compared, shares of what is granted can. */
function share(i: CapacityItem): number {
  const granted = i.request ?? i.limit;
  return i.giveBack === undefined || !granted ? 0 : i.giveBack / Math.max(1, i.replicas) / granted;
}

export function valueText(value: number, unit: string): string {
  if (unit === 'bytes') return formatText(value, 'bytes');
  const text = value.toLocaleString('en', { maximumSignificantDigits: value >= 1000 ? 21 : 3 });
  return unit === 'cores' ? `${text} ${text === '1' ? 'core' : 'cores'}` : text;
}

export interface Bar {
  /** Widths of the parts, one on the other, as shares of the whole. */
  usual: number;
  p95: number;
  peak: number;
  /** Places of the marks, if they are known. */
  request?: number;
  limit?: number;
  advised?: number;
}

/** Everything on one scale, with the largest at its end. */
export function barOf(i: CapacityItem): Bar {
  const advised = i.newLimit ?? i.newRequest;
  const top = Math.max(i.peak.value, i.request ?? 0, i.limit ?? 0, advised ?? 0) || 1;
  const at = (v: number | undefined) => (v === undefined ? undefined : Math.max(0, Math.min(1, v / top)));
  return {
    usual: at(i.usual) ?? 0,
    p95: at(i.p95) ?? 0,
    peak: at(i.peak.value) ?? 0,
    request: at(i.request),
    limit: at(i.limit),
    advised: at(advised),
  };
}

/** The bar for those who do not see it. */
export function barText(i: CapacityItem): string {
  const parts = [
    `usually ${valueText(i.usual, i.unit)}`,
    `95 % of the time at most ${valueText(i.p95, i.unit)}`,
    `peak ${valueText(i.peak.value, i.unit)}`,
  ];
  if (i.request !== undefined) parts.push(`request ${valueText(i.request, i.unit)}`);
  if (i.limit !== undefined) parts.push(`limit ${valueText(i.limit, i.unit)}`);
  if (i.newLimit !== undefined) parts.push(`advised ${valueText(i.newLimit, i.unit)}`);
  return parts.join(', ');
}

/** Where more of it is to be seen: [text, address]. */
export function linksOf(i: CapacityItem, range: string): [string, string][] {
  const links: [string, string][] = [
    ['Explore', `${exploreLink(i.explore)}&${new URLSearchParams({ from: `now-${range}`, to: 'now' })}`],
  ];
  const instance = i.labels['instance'] ?? '';
  switch (i.kind) {
    case 'host':
      links.push([
        'Dashboard',
        `/dashboards/hedgewatch-host?${new URLSearchParams({ 'var-instance': instance, from: `now-${range}` })}`,
      ]);
      break;
    case 'exchange':
      links.push(['Rate limits', '/rate-limits']);
      break;
    case 'workload':
    case 'container':
    case 'unit':
    case 'process':
      links.push(['Service', `/services?${new URLSearchParams({ search: lastPart(i.name) })}`]);
  }
  return links;
}

const lastPart = (name: string) => name.slice(name.lastIndexOf('/') + 1);

/** What was seen, and what could be given back, in a line. */
export function summary(r: CapacityReport): string {
  const counts = new Map<Verdict, number>();
  for (const i of r.items) counts.set(i.verdict, (counts.get(i.verdict) ?? 0) + 1);
  const parts = (['leak', 'risk', 'over'] as const)
    .filter((v) => counts.has(v))
    .map((v) => `${counts.get(v)} ${{ leak: 'may leak', risk: 'at risk', over: 'larger than needed' }[v]}`);
  return parts.length > 0 ? parts.join(', ') : 'nothing is at risk';
}

/** Rows of the week, of 24 shares of the peak each; undefined is unknown. */
export function weekOf(i: CapacityItem): { day: string; hours: (number | undefined)[] }[] {
  const top = i.peak.value || 1;
  return ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'].map((day, n) => ({
    day,
    hours: Array.from({ length: 24 }, (_, hour) => {
      const v = i.week[n * 24 + hour];
      return v === undefined ? undefined : Math.max(0, v / top);
    }),
  }));
}
