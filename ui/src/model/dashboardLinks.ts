import type { Dashboard } from './dashboard';
import type { ResolvedVariable } from './interpolate';
import { asArray, asBool, asObjects, asString } from './json';
import type { RawRange } from './time';
import { valuesOf } from './variables';

/** A way from a dashboard to an address, or to all dashboards that have certain tags. */
export interface DashboardLink {
  title: string;
  tooltip: string;
  /** Set for a link to one address. */
  url?: string;
  tags: string[];
  /** The dashboards in a menu, not side by side. */
  dropdown: boolean;
  keepTime: boolean;
  keepVariables: boolean;
  newTab: boolean;
}

export function dashboardLinksOf(d: Dashboard): DashboardLink[] {
  return asObjects(d.links).flatMap((raw): DashboardLink[] => {
    const url = asString(raw.url, '');
    const toAddress = raw.type === 'link';
    if (toAddress && !url) return [];
    return [
      {
        title: asString(raw.title, ''),
        tooltip: asString(raw.tooltip, ''),
        url: toAddress ? url : undefined,
        tags: asArray(raw.tags).map(String),
        dropdown: asBool(raw.asDropdown),
        keepTime: asBool(raw.keepTime),
        keepVariables: asBool(raw.includeVars),
        newTab: asBool(raw.targetBlank),
      },
    ];
  });
}

/** What a link may take along. */
export interface Taken {
  range: RawRange;
  variables: readonly ResolvedVariable[];
}

/** An address with the time and the variables that the link asks for; what it has itself stays. */
export function linkAddress(
  url: string,
  { keepTime, keepVariables }: Pick<DashboardLink, 'keepTime' | 'keepVariables'>,
  { range, variables }: Taken,
): string {
  const [rest = '', hash] = url.split('#', 2);
  const [path = '', query = ''] = rest.split('?', 2);
  const params = new URLSearchParams(query);
  const own = new Set(params.keys());
  const add = (name: string, values: string[]) => {
    if (!own.has(name)) values.forEach((value) => params.append(name, value));
  };
  if (keepTime) {
    add('from', [range.from]);
    add('to', [range.to]);
  }
  if (keepVariables)
    for (const { variable, current } of variables) add(`var-${variable.name}`, valuesOf(current));
  const text = params.toString();
  return path + (text ? `?${text}` : '') + (hash === undefined ? '' : `#${hash}`);
}

/** Those that have all tags; a link without tags leads to all. */
export const withTags = <T extends { tags: string[] }>(list: readonly T[], tags: readonly string[]): T[] =>
  list.filter((d) => tags.every((tag) => d.tags.includes(tag)));
