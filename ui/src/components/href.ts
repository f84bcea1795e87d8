/**
 * An address out of a dashboard, for a link. It must lead somewhere and run
 * nothing; Grafana's own pages (/d/uid/…) are ours under another name.
 */
export function safeHref(url: string): string | undefined {
  const trimmed = url.trim();
  if (/^(https?:|mailto:)/i.test(trimmed)) return trimmed;
  if (/^[a-z][a-z0-9+.-]*:/i.test(trimmed) || trimmed.startsWith('//')) return undefined;
  // Relative to the page's base, which is the root with its route prefix.
  return trimmed.replace(/^\//, './').replace(/^(\.\/)?d\/([^/?]+)(\/[^?]*)?/, './dashboards/$2');
}
