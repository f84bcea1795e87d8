import { expect, test } from 'vitest';
import type { Rule, RuleGroup } from '../../api/prometheus';
import { list, storedOf } from './rules';

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
