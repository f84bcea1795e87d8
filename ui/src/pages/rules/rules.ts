import type { StoredGroup } from '../../api/rules';
import type { Rule, RuleGroup } from '../../api/prometheus';

export type RuleFilter = 'all' | 'firing' | 'pending' | 'failing';
export const ruleFilters: RuleFilter[] = ['all', 'firing', 'pending', 'failing'];

export interface ListedGroup {
  group: RuleGroup;
  rules: Rule[];
  /** Made in the UI. */
  stored?: StoredGroup;
}

export const failing = (rule: Rule): boolean => rule.health === 'err';

/** A group of the UI stands in a file of its name in the directory of the state. */
export function storedOf(group: RuleGroup, stored: StoredGroup[]): StoredGroup | undefined {
  return stored.find((s) => s.name === group.name && group.file.endsWith(`/rules/${s.name}.yml`));
}

export function list(
  groups: RuleGroup[],
  stored: StoredGroup[],
  filter: RuleFilter,
  text: string,
): ListedGroup[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return groups
    .map((group) => ({
      group,
      stored: storedOf(group, stored),
      rules: group.rules.filter(
        (rule) =>
          (filter === 'all' || (filter === 'failing' ? failing(rule) : rule.state === filter)) &&
          words.every((word) => haystack(group, rule).includes(word)),
      ),
    }))
    .filter(({ rules }) => rules.length > 0);
}

const haystack = (group: RuleGroup, rule: Rule): string =>
  [
    group.name,
    rule.name,
    rule.query,
    ...Object.entries(rule.labels).map(([name, value]) => `${name}=${value}`),
    ...Object.values(rule.annotations),
  ]
    .join('\n')
    .toLowerCase();

const alertsNamed = (group: RuleGroup, name: string): Rule[] =>
  group.rules.filter((r) => r.type === 'alerting' && r.name === name);

/** Which of the group's alerting rules of its name a rule is. */
export const nthOf = (group: RuleGroup, rule: Rule): number => alertsNamed(group, rule.name).indexOf(rule);

export const nthRule = (group: RuleGroup, name: string, nth: number): Rule | undefined =>
  alertsNamed(group, name)[nth];

/** Rules that hedgewatch ships stand in no file. */
export const inFile = (file: string): boolean => file !== '' && !file.startsWith('shipped:');

/** How much of its interval a group's evaluation takes: above one it is late. */
export const loadOf = (group: RuleGroup): number => group.evaluationTime / group.interval;

export interface FileGroup {
  file: string;
  group: string;
  /** As the list of groups shows it. */
  title: string;
}

/** The groups of rule files, into which a new rule may go. */
export function fileGroups(groups: RuleGroup[], stored: StoredGroup[]): FileGroup[] {
  return groups
    .filter((g) => inFile(g.file) && !storedOf(g, stored))
    .map(({ name, file }) => {
      const base = file.slice(file.lastIndexOf('/') + 1);
      const twice = groups.some((g) => g.name === name && g.file !== file && g.file.endsWith(`/${base}`));
      return { file, group: name, title: `${name} in ${twice ? file : base}` };
    });
}
