import type { Delivery } from '../../api/notify';

export interface Stage {
  name: 'scrape' | 'evaluate' | 'group' | 'send';
  ms: number;
}

export interface Latency {
  stages: Stage[];
  /** From the sample to the destination's answer. */
  totalMs: number;
  receiver: string;
}

/** How long each stage of an alert's way took, up to the first message about it that arrived. */
export function latencyOf(deliveries: Delivery[], fingerprint: string): Latency | undefined {
  const first = deliveries
    .filter((d) => d.outcome === 'delivered' && d.alerts.some((a) => concerns(a, fingerprint)))
    .sort((a, b) => Date.parse(a.attemptedAt) - Date.parse(b.attemptedAt))[0];
  const origin = first?.alerts.find((a) => concerns(a, fingerprint))?.origin;
  if (!first || !origin) return undefined;
  const end = Date.parse(first.attemptedAt) + first.latencySeconds * 1000;
  const moments: [Stage['name'], number][] = [
    ['scrape', time(origin.committed)],
    ['evaluate', time(origin.put ?? origin.evaluated)],
    ['group', time(first.queuedAt)],
    ['send', end],
  ];
  const stages: Stage[] = [];
  let before = time(origin.sampled);
  const start = Number.isNaN(before) ? time(origin.put) : before;
  for (const [name, at] of moments) {
    if (Number.isNaN(at)) continue;
    // Alerts that no rule made have no sample: their way begins at the door.
    if (!Number.isNaN(before)) stages.push({ name, ms: Math.max(0, at - before) });
    before = at;
  }
  return { stages, totalMs: Math.max(0, end - start), receiver: first.receiver };
}

const concerns = (a: Delivery['alerts'][number], fingerprint: string) =>
  a.fingerprint === fingerprint && a.status === 'firing';

const time = (text: string | undefined): number => (text === undefined ? NaN : Date.parse(text));

export const formatMs = (ms: number): string =>
  ms < 1 ? '<1 ms' : ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toPrecision(3)} s`;
