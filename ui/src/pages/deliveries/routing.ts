import { parse } from 'yaml';
import { formatMatcher, parseMatchers } from '../../components/alerting/matchers';

/** One route of Alertmanager's configuration, with what it inherits. */
export interface RouteNode {
  /** The matchers from the top down to here: the same for the server's answer. */
  path: string;
  matchers: string[];
  receiver: string;
  groupBy: string[];
  groupWait: string;
  groupInterval: string;
  repeatInterval: string;
  continues: boolean;
  mutedBy: string[];
  activeOnly: string[];
  routes: RouteNode[];
}

type Raw = Record<string, unknown>;
type Inherited = Pick<RouteNode, 'receiver' | 'groupBy' | 'groupWait' | 'groupInterval' | 'repeatInterval'>;

/** Reads the tree of routes out of the configuration; undefined if there is none. */
export function readRoutes(config: string): RouteNode | undefined {
  const root: unknown = parse(config);
  const route = isRaw(root) ? root.route : undefined;
  if (!isRaw(route)) return undefined;
  const defaults = { receiver: '', groupBy: [], groupWait: '30s', groupInterval: '5m', repeatInterval: '4h' };
  return readRoute(route, '', defaults);
}

function readRoute(raw: Raw, above: string, inherited: Inherited): RouteNode {
  const matchers = above === '' ? [] : matchersOf(raw);
  const path = above === '' ? '{}' : `${above}/{${matchers.join(',')}}`;
  const own: Inherited = {
    receiver: text(raw.receiver) || inherited.receiver,
    groupBy: raw.group_by === undefined ? inherited.groupBy : texts(raw.group_by),
    groupWait: text(raw.group_wait) || inherited.groupWait,
    groupInterval: text(raw.group_interval) || inherited.groupInterval,
    repeatInterval: text(raw.repeat_interval) || inherited.repeatInterval,
  };
  return {
    ...own,
    path,
    matchers,
    continues: raw.continue === true,
    mutedBy: texts(raw.mute_time_intervals),
    activeOnly: texts(raw.active_time_intervals),
    routes: (Array.isArray(raw.routes) ? raw.routes : []).filter(isRaw).map((r) => readRoute(r, path, own)),
  };
}

/** Of the three ways to write them, sorted as the server sorts them. */
function matchersOf(raw: Raw): string[] {
  const written = texts(raw.matchers).flatMap((m) => parseMatchers(m));
  const pairs = (of: unknown, isRegex: boolean) =>
    Object.entries(isRaw(of) ? of : {}).map(([name, value]) => ({
      name,
      value: text(value),
      isRegex,
      isEqual: true,
    }));
  return [...written, ...pairs(raw.match, false), ...pairs(raw.match_re, true)]
    .sort((a, b) => compare(a.name, b.name) || compare(a.value, b.value))
    .map(formatMatcher);
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
const isRaw = (value: unknown): value is Raw => typeof value === 'object' && value !== null;
const text = (value: unknown): string => (value === undefined || value === null ? '' : String(value));
const texts = (value: unknown): string[] => (Array.isArray(value) ? value.map(text) : []);

/** Labels as people write them: severity=critical, team="trading". */
export function readLabels(input: string): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const { name, value, isRegex, isEqual } of parseMatchers(input)) {
    if (isRegex || !isEqual) throw new Error('an alert has labels, no matchers: write name="value"');
    labels[name] = value;
  }
  return labels;
}
