import { expect, test } from 'vitest';
import type { DashboardMeta } from '../../api/hedgewatch';
import { groupByFolder } from './groups';

const meta = (uid: string, title: string, folder: string, tags: string[] = []) =>
  ({ uid, title, folder, tags }) as DashboardMeta;
const list = [
  meta('a', 'Host', 'hedgewatch', ['linux']),
  meta('b', 'Orders', ''),
  meta('c', 'Host of Binance', 'Exchange'),
];

test('dashboards are found by words in title, folder and tags', () => {
  const found = (search: string) =>
    groupByFolder(list, search, []).flatMap((g) => g.dashboards.map((d) => d.uid));
  expect(found('host')).toEqual(['a', 'c']);
  expect(found('binance host')).toEqual(['c']);
  expect(found('LINUX')).toEqual(['a']);
  expect(found('none')).toEqual([]);
});

test('those with a star come first, and stay in their folder', () => {
  expect(groupByFolder(list, '', ['b']).map((g) => [g.folder, g.dashboards.length])).toEqual([
    ['Starred', 1],
    ['hedgewatch', 1],
    ['General', 1],
    ['Exchange', 1],
  ]);
});
