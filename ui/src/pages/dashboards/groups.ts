import type { DashboardMeta } from '../../api/hedgewatch';

export interface Group {
  folder: string;
  dashboards: DashboardMeta[];
}

/** Folders in order, those with a star first; each word must be in title, folder or a tag. */
export function groupByFolder(list: DashboardMeta[], search: string, starred: string[]): Group[] {
  const words = search
    .toLowerCase()
    .split(/\s+/)
    .filter((w) => w !== '');
  const found = list.filter((d) => {
    const text = `${d.title} ${d.folder} ${d.tags.join(' ')}`.toLowerCase();
    return words.every((w) => text.includes(w));
  });
  const groups = new Map<string, DashboardMeta[]>();
  const favourites = found.filter((d) => starred.includes(d.uid));
  if (favourites.length > 0) groups.set('Starred', favourites);
  for (const d of found) {
    const folder = d.folder || 'General';
    groups.set(folder, [...(groups.get(folder) ?? []), d]);
  }
  return [...groups].map(([folder, dashboards]) => ({ folder, dashboards }));
}
