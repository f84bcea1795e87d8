import type { Metadata } from '../../api/prometheus';

/** Metrics with all words in name or help; a match in the name comes first. */
export function matching(names: string[], metadata: Metadata, text: string): string[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const inName: string[] = [];
  const inHelp: string[] = [];
  for (const name of names) {
    const lower = name.toLowerCase();
    const help = metadata[name]?.[0]?.help.toLowerCase() ?? '';
    if (words.every((w) => lower.includes(w))) inName.push(name);
    else if (words.every((w) => lower.includes(w) || help.includes(w))) inHelp.push(name);
  }
  return [...inName, ...inHelp];
}

/** What one asks of a metric first, by its type. */
export function queryFor(metric: string, type: string, selector = ''): string {
  const plain = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(metric);
  const inside = [...(plain ? [] : [JSON.stringify(metric)]), ...(selector ? [selector] : [])].join(', ');
  const vector = `${plain ? metric : ''}${inside ? `{${inside}}` : ''}`;
  if (type === 'histogram' && metric.endsWith('_bucket'))
    return `histogram_quantile(0.99, sum by (le) (rate(${vector}[5m])))`;
  if (type === 'counter' || /_(total|count|sum|bucket)$/.test(metric)) return `rate(${vector}[5m])`;
  return vector;
}
