/**
 * Messages and other tools link to the pages of Prometheus, Alertmanager and Grafana.
 * Returns where ours is, relative to the root, or undefined for any other path.
 */
export function translateLink(path: string, search: string, hash: string): string | undefined {
  const [page = '', asked = ''] = hash.split('?', 2);
  const filter = new URLSearchParams(asked.replaceAll('+', '%2B')).get('filter') ?? '';
  switch (page) {
    case '#/silences/new':
      return `silences?${new URLSearchParams({ new: filter.replace(/^\{(.*)\}$/, '$1') })}`;
    case '#/silences':
      return 'silences';
    case '#/alerts':
      return 'alerts';
  }
  if (path === 'graph' || path === 'query') {
    const exprs = [...new URLSearchParams(search)].filter(([name]) => /^g\d+\.expr$/.test(name));
    return `explore?${new URLSearchParams(exprs.map(([, expr]) => ['expr', expr]))}`;
  }
  const uid = /^d\/([^/]+)/.exec(path)?.[1];
  return uid && `dashboards/${uid}${search}`;
}
