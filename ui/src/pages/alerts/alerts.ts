import type { Alert } from '../../api/alertmanager';
import type { Ack, Transition } from '../../api/notify';
import type { Labels, Rule, RuleAlert, RuleGroup } from '../../api/prometheus';
import { levelOf, levelRank, type Level } from '../../components/alerting/severity';

export type AlertState = 'firing' | 'pending' | 'muted' | 'resolved';
export const alertStates: AlertState[] = ['firing', 'pending', 'muted', 'resolved'];

/** One alert with all that is known of it, whoever knows it. */
export interface AlertItem {
  key: string;
  /** Pending alerts have none: only Alertmanager gives them. */
  fingerprint?: string;
  name: string;
  level: Level;
  state: AlertState;
  labels: Labels;
  annotations: Labels;
  since: number;
  /** Of one that is over. */
  endedAt?: number;
  value?: string;
  expr?: string;
  /** How long the rule waits, in seconds. */
  forSeconds?: number;
  rule?: { name: string; group: string; file: string; labels: Labels };
  receivers: string[];
  silencedBy: string[];
  inhibitedBy: string[];
  mutedBy: string[];
  ack?: Ack;
}

export interface Sources {
  alerts: Alert[];
  groups: RuleGroup[];
  acks: Ack[];
  /** The newest first. */
  history: Transition[];
}

/** hedgewatch tests its own path with this one, every minute: it is news to nobody. */
export const canaryName = 'HedgewatchCanary';

export function combine({ alerts, groups, acks, history }: Sources): AlertItem[] {
  const known = ruleAlerts(groups);
  const ackOf = new Map(acks.map((a) => [a.fingerprint, a]));
  const taken = new Set<RuleAlert>();
  const items: AlertItem[] = [];
  for (const alert of alerts) {
    const name = alert.labels.alertname ?? '';
    if (name === canaryName) continue;
    const found = known
      .get(name)
      ?.find(({ alert: a }) => a.state === 'firing' && isPart(a.labels, alert.labels));
    if (found) taken.add(found.alert);
    items.push({
      key: alert.fingerprint,
      fingerprint: alert.fingerprint,
      name,
      level: levelOf(alert.labels.severity),
      state: alert.status.state === 'suppressed' ? 'muted' : 'firing',
      labels: alert.labels,
      annotations: alert.annotations,
      since: Date.parse(alert.startsAt),
      value: found?.alert.value,
      expr: found?.rule.query ?? exprOf(alert.generatorURL),
      forSeconds: found?.rule.duration,
      rule: found && ruleOf(found),
      receivers: alert.receivers.map((r) => r.name),
      silencedBy: alert.status.silencedBy,
      inhibitedBy: alert.status.inhibitedBy,
      mutedBy: alert.status.mutedBy,
      ack: ackOf.get(alert.fingerprint),
    });
  }
  for (const found of [...known.values()].flat()) {
    if (found.alert.state === 'pending') items.push(pendingItem(found));
  }
  const firing = new Set(items.map((i) => i.fingerprint));
  return [...items, ...resolvedItems(history, firing)];
}

interface Known {
  alert: RuleAlert;
  rule: Rule;
  group: RuleGroup;
}

function ruleAlerts(groups: RuleGroup[]): Map<string, Known[]> {
  const byName = new Map<string, Known[]>();
  for (const group of groups)
    for (const rule of group.rules)
      for (const alert of rule.alerts) {
        const list = byName.get(rule.name) ?? [];
        list.push({ alert, rule, group });
        byName.set(rule.name, list);
      }
  return byName;
}

const ruleOf = ({ rule, group }: Known) => ({
  name: rule.name,
  group: group.name,
  file: group.file,
  labels: rule.labels,
});

function pendingItem(known: Known): AlertItem {
  const { alert, rule } = known;
  return {
    key: `pending ${labelKey(alert.labels)}`,
    name: rule.name,
    level: levelOf(alert.labels.severity),
    state: 'pending',
    labels: alert.labels,
    annotations: alert.annotations,
    since: Date.parse(alert.activeAt ?? ''),
    value: alert.value,
    expr: rule.query,
    forSeconds: rule.duration,
    rule: ruleOf(known),
    receivers: [],
    silencedBy: [],
    inhibitedBy: [],
    mutedBy: [],
  };
}

/** What has ended and not begun again, each alert once. */
function resolvedItems(history: Transition[], firing: ReadonlySet<string | undefined>): AlertItem[] {
  const items = new Map<string, AlertItem>();
  for (const t of history) {
    if (firing.has(t.fingerprint) || t.labels.alertname === canaryName) continue;
    const known = items.get(t.fingerprint);
    if (t.to === 'resolved' && !known) {
      items.set(t.fingerprint, {
        key: t.fingerprint,
        fingerprint: t.fingerprint,
        name: t.labels.alertname ?? '',
        level: levelOf(t.labels.severity),
        state: 'resolved',
        labels: t.labels,
        annotations: t.annotations,
        since: NaN,
        endedAt: Date.parse(t.time),
        receivers: [],
        silencedBy: [],
        inhibitedBy: [],
        mutedBy: [],
      });
    } else if (t.to === 'firing' && known && Number.isNaN(known.since)) {
      known.since = Date.parse(t.time);
    }
  }
  return [...items.values()];
}

/** External labels are added on the way, so an alert may have more than its rule knows. */
function isPart(some: Labels, all: Labels): boolean {
  return Object.entries(some).every(([name, value]) => all[name] === value);
}

/** The expression in a link to Prometheus' own graph. */
export function exprOf(generatorURL: string): string | undefined {
  try {
    return new URL(generatorURL).searchParams.get('g0.expr') ?? undefined;
  } catch {
    return undefined;
  }
}

export const labelKey = (labels: Labels): string =>
  JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));

/** Words that all have to be in an alert: in its text, or as name=value. */
export function search(items: AlertItem[], text: string): AlertItem[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return items;
  return items.filter((item) => {
    const { labels, annotations } = item;
    const haystack = [
      ...Object.entries(labels).map(([name, value]) => `${name}=${value}`),
      ...Object.values(annotations),
      item.ack?.by ?? '',
    ]
      .join('\n')
      .toLowerCase();
    return words.every((word) => haystack.includes(word.replaceAll('"', '')));
  });
}

/** The worst first, and of those what nobody has taken on, and then the newest. */
export function inOrder(items: AlertItem[]): AlertItem[] {
  return [...items].sort(
    (a, b) =>
      levelRank(a.level) - levelRank(b.level) ||
      Number(a.ack !== undefined) - Number(b.ack !== undefined) ||
      (b.endedAt ?? b.since) - (a.endedAt ?? a.since) ||
      (a.key < b.key ? -1 : 1),
  );
}

export interface Group {
  /** The value of the label; empty without grouping. */
  title: string;
  items: AlertItem[];
}

export function groupBy(items: AlertItem[], label: string): Group[] {
  if (label === '') return items.length > 0 ? [{ title: '', items }] : [];
  const groups = new Map<string, AlertItem[]>();
  for (const item of items) {
    const title = item.labels[label] ?? '';
    groups.set(title, [...(groups.get(title) ?? []), item]);
  }
  return [...groups].map(([title, list]) => ({ title, items: list }));
}

/** Labels that could group: those that some, but not all alone, have. */
export function groupLabels(items: AlertItem[]): string[] {
  const counts = new Map<string, number>();
  for (const item of items)
    for (const name of Object.keys(item.labels)) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([name]) => name);
}

export const summaryOf = ({ annotations }: AlertItem): string =>
  annotations.summary ?? annotations.message ?? annotations.description ?? '';
