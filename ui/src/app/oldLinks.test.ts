import { expect, test } from 'vitest';
import { translateLink } from './oldLinks';

test.each([
  ['graph', '?g0.expr=up+%3D%3D+0&g0.tab=1&g1.expr=x', '', 'explore?expr=up+%3D%3D+0&expr=x'],
  ['graph', '', '', 'explore?'],
  ['', '', '#/silences/new?filter=%7Ba%3D%22b%20c%22%7D', 'silences?new=a%3D%22b+c%22'],
  ['', '', '#/silences/new?filter=%7Ba%3D%22b+c%22%7D', 'silences?new=a%3D%22b%2Bc%22'],
  ['', '', '#/alerts?receiver=x', 'alerts'],
  ['d/node/node-exporter', '?from=now-6h&var-job=a', '', 'dashboards/node?from=now-6h&var-job=a'],
  ['d/node', '', '', 'dashboards/node'],
  ['d', '', '', undefined],
  ['', '', '#main', undefined],
  ['dashboards', '?g0.expr=up', '', undefined],
])('%s%s%s', (path, search, hash, want) => expect(translateLink(path, search, hash)).toBe(want));
