import { expect, test } from 'vitest';
import type { Rule, RuleGroup } from '../../api/prometheus';
import { fileGroups, list, storedOf } from './rules';

const rule = (patch: Partial<Rule>): Rule => ({
  type: 'alerting',
  name: 'A',
  query: 'a > 1',
  labels: { team: 'ops' },
  annotations: {},
  health: 'ok',
  state: 'inactive',
  lastError: '',
  duration: 0,
  keepFiringFor: 0,
  evaluationTime: 0,
  lastEvaluation: '',
  alerts: [],
  ...patch,
});
const group = (file: string, rules: Rule[]): RuleGroup => ({
  name: 'g',
  file,
  interval: 10,
  limit: 0,
  evaluationTime: 1,
  lastEvaluation: '',
  rules,
});
const stored = { name: 'g', version: 1, updated: '', updatedBy: '', message: '', yaml: '' };

test('a group of the same name in another file is not the one of the UI', () => {
  expect(storedOf(group('data/state/rules/g.yml', []), [stored])).toBe(stored);
  expect(storedOf(group('rules/other.yml', []), [stored])).toBeUndefined();
});

test('rules are found by state, health and words; groups without any are left out', () => {
  const groups = [group('f', [rule({ state: 'firing' }), rule({ name: 'B', health: 'err' })])];
  const names = (filter: Parameters<typeof list>[2], text = '') =>
    list(groups, [], filter, text).flatMap((g) => g.rules.map((r) => r.name));
  expect(names('all')).toEqual(['A', 'B']);
  expect(names('firing')).toEqual(['A']);
  expect(names('failing')).toEqual(['B']);
  expect(names('all', 'team=ops b')).toEqual(['B']);
  expect(list(groups, [], 'pending', '')).toEqual([]);
});

test('a new rule may go into groups of files, told apart by their path where names are twice', () => {
  const groups = [
    group('/etc/a/desk.yml', []),
    group('/etc/b/desk.yml', []),
    { ...group('/etc/a/desk.yml', []), name: 'other' },
    group('shipped:host.yml', []),
    group('/data/rules/g.yml', []),
  ];
  const stored = [{ name: 'g', version: 1, updated: '', updatedBy: '', message: '', yaml: '' }];
  expect(fileGroups(groups, stored).map((g) => g.title)).toEqual([
    'g in /etc/a/desk.yml',
    'g in /etc/b/desk.yml',
    'other in desk.yml',
  ]);
});
