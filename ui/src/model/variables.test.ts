import { describe, expect, test } from 'vitest';
import type { PrometheusApi } from '../api/prometheus';
import { resolveVariables } from './resolve';
import {
  chooseValue,
  customOptions,
  optionsFrom,
  parseVariableQuery,
  variablesOf,
  type Variable,
} from './variables';

describe('queries of variables', () => {
  test.each([
    ['label_values(job)', { kind: 'labelValues', selector: '', label: 'job' }],
    [
      'label_values(up{a="x, y"}, instance)',
      { kind: 'labelValues', selector: 'up{a="x, y"}', label: 'instance' },
    ],
    ['metrics(node_.*)', { kind: 'metrics', pattern: 'node_.*' }],
    ['query_result(topk(5, up))', { kind: 'result', expr: 'topk(5, up)' }],
    ['label_names()', { kind: 'labelNames', pattern: '' }],
    ['up{job="a"}', { kind: 'series', selector: 'up{job="a"}' }],
  ])('%s', (query, want) => expect(parseVariableQuery(query)).toEqual(want));
});

test('custom options may name their values and escape commas', () => {
  expect(customOptions('a, Two : 2, c\\,d')).toEqual([
    { text: 'a', value: 'a' },
    { text: 'Two', value: '2' },
    { text: 'c,d', value: 'c,d' },
  ]);
});

describe('options', () => {
  test('are filtered, cut and made unique by an expression', () => {
    expect(optionsFrom(['web-1:80', 'web-2:80', 'db:5432', 'web-1:81'], '/(web-\\d+):.*/', 2)).toEqual([
      { text: 'web-2', value: 'web-2' },
      { text: 'web-1', value: 'web-1' },
    ]);
  });
  test('may take text and value from named groups', () => {
    const got = optionsFrom(['up{name="Web",id="7"} 1'], '/name="(?<text>[^"]+)",id="(?<value>[^"]+)/', 0);
    expect(got).toEqual([{ text: 'Web', value: '7' }]);
  });
  test('are sorted as numbers', () => {
    expect(optionsFrom(['h10', 'h9'], '', 3).map((o) => o.value)).toEqual(['h9', 'h10']);
  });
});

describe('a choice', () => {
  const read = (raw: object) =>
    variablesOf({
      templating: { list: [{ name: 'v', type: 'custom', query: 'a,b', ...raw }] },
    })[0] as Variable;
  test.each([
    ['stays where it is offered', {}, ['b'], 'b'],
    ['falls back to the first', {}, ['gone'], 'a'],
    ['keeps several', { multi: true }, ['a', 'b'], ['a', 'b']],
    ['is All where nothing was chosen', { includeAll: true }, [], '$__all'],
    ['knows All by its text', { includeAll: true, multi: true }, ['All'], ['$__all']],
  ])('%s', (_, raw, wanted, want) => {
    const v = read(raw);
    expect(chooseValue(v, v.options, wanted).value).toEqual(want);
  });
});

test('variables wait for those that they refer to', async () => {
  const asked: string[] = [];
  const api = {
    labelValues: async (label: string, selectors: string[]) => {
      asked.push(`${selectors.join()} ${label}`);
      return label === 'job' ? ['node'] : ['b', 'a'];
    },
  } as unknown as PrometheusApi;
  const variables = variablesOf({
    templating: {
      list: [
        {
          name: 'instance',
          type: 'query',
          query: { query: 'label_values(up{job="$job"}, instance)' },
          sort: 1,
        },
        { name: 'job', type: 'query', query: 'label_values(job)' },
      ],
    },
  });
  const context = { range: { from: 0, to: 1000 }, chosen: new Map() };
  const resolved = await resolveVariables(api, variables, context, new AbortController().signal);
  expect(asked).toEqual([' job', 'up{job="node"} instance']);
  expect([...resolved.keys()]).toEqual(['instance', 'job']);
  expect(resolved.get('instance')?.current.value).toBe('a');
});
