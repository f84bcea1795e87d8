import { describe, expect, test } from 'vitest';
import type { QueryAnswer } from '../api/prometheus';
import { calcOf, reduce } from './calcs';
import { display, displayText } from './display';
import { applyFieldConfig, emptyConfig } from './fieldConfig';
import { displayName, type Frame } from './frame';
import { framesOf } from './query';
import { columns, frame } from './testing';
import { transform } from './transform';
import type { JsonObject } from './json';

const shape = (legend = '', format: 'time_series' | 'table' = 'time_series') => ({
  target: { refId: 'A', format },
  legend,
  start: 0,
  end: 40_000,
  stepMs: 10_000,
});

const matrix: QueryAnswer = {
  warnings: [],
  data: {
    resultType: 'matrix',
    result: [
      {
        metric: { __name__: 'up', job: 'a', instance: 'x' },
        values: [
          [0, '1'],
          [10, 'NaN'],
          [40, '+Inf'],
        ],
      },
      { metric: { __name__: 'up', job: 'a', instance: 'y' }, values: [[20, '2']] },
    ],
  },
};

describe('a range answer', () => {
  test('stands on one grid, with gaps where nothing is', () => {
    const frames = framesOf(matrix, shape());
    expect(frames[0]?.fields[1]?.values).toEqual([1, null, null, null, Infinity]);
    expect(frames[1]?.fields[1]?.values).toEqual([null, null, 2, null, null]);
    expect(frames[0]?.fields[0]?.values).toBe(frames[1]?.fields[0]?.values);
  });
  test.each([
    ['', 'up{instance="x", job="a"}'],
    ['{{ instance }} of {{job}}{{none}}', 'x of a'],
    ['__auto', 'x'],
  ])('legend %j', (legend, want) => {
    const [first] = framesOf(matrix, shape(legend));
    expect(displayName(first!.fields[1]!)).toBe(want);
  });
  test('as a table has a column for each label', () => {
    const [table] = framesOf(matrix, shape('', 'table'));
    expect(columns(table)).toMatchObject({ instance: ['x', 'x', 'y'], Value: [1, Infinity, 2] });
  });
});

test('calculations', () => {
  const values = [null, 1, 4, null, 2];
  const got = ['lastNotNull', 'last', 'min', 'max', 'mean', 'sum', 'count', 'range', 'delta', 'p50'].map(
    (id) => reduce(id, [...values, null]),
  );
  expect(got).toEqual([2, null, 1, 4, 7 / 3, 7, 6, 3, 5, 2]);
  expect(calcOf('nonsense')).toBeUndefined();
});

describe('overrides', () => {
  const config = {
    defaults: { unit: 'bytes', custom: { lineWidth: 1 } },
    overrides: [
      { matcher: { id: 'byName', options: 'in' }, properties: [{ id: 'displayName', value: 'Received' }] },
      {
        matcher: { id: 'byRegexp', options: '/Rec.*/' },
        properties: [
          { id: 'custom.lineWidth', value: 3 },
          { id: 'unit', value: 'bits' },
        ],
      },
      { matcher: { id: 'byFrameRefID', options: 'B' }, properties: [{ id: 'decimals', value: 1 }] },
      { matcher: { id: 'byType', options: 'time' }, properties: [{ id: 'custom.hidden', value: true }] },
    ],
  };
  test('match names as people see them, and set what they name', () => {
    const [first, second] = applyFieldConfig(
      [frame({ Time: [0], in: [1] }), frame({ out: [2] }, { refId: 'B' })],
      config,
    );
    expect(first?.fields[1]?.config).toMatchObject({
      displayName: 'Received',
      unit: 'bits',
      custom: { lineWidth: 3 },
    });
    expect(first?.fields[0]?.config.custom).toEqual({ lineWidth: 1, hidden: true });
    expect(second?.fields[0]?.config).toMatchObject({ unit: 'bytes', decimals: 1 });
  });
});

describe('display', () => {
  const read = (raw: JsonObject) =>
    applyFieldConfig([frame({ v: [1] })], { defaults: raw })[0]!.fields[0]!.config;
  const mappings = [
    { type: 'value', options: { '0': { text: 'down', color: 'red' } } },
    { type: 'range', options: { from: 10, to: 20, result: { text: 'some' } } },
    { type: 'special', options: { match: 'null', result: { text: 'unknown' } } },
    { type: 'regex', options: { pattern: '/v(\\d+).*/', result: { text: 'version $1' } } },
  ];
  test.each([
    [{ mappings }, 0, 'down'],
    [{ mappings }, 15, 'some'],
    [{ mappings }, null, 'unknown'],
    [{ mappings }, 'v3.1', 'version 3'],
    [{ mappings }, 30, '30'],
    [{ noValue: 'none yet' }, null, 'none yet'],
    [{ unit: 'percentunit', decimals: 1 }, 0.5, '50.0%'],
  ])('%#', (raw, value, want) => {
    expect(displayText(display(read(raw as JsonObject), value, { zone: 'utc' }))).toBe(want);
  });
  test('takes the colour of the highest threshold reached', () => {
    const thresholds = {
      mode: 'percentage',
      steps: [
        { color: '#00ff00', value: null },
        { color: '#ff0000', value: 80 },
      ],
    };
    const config = read({ thresholds, min: 0, max: 10 });
    expect([7.9, 8, null].map((v) => display(config, v, { zone: 'utc' }).color)).toEqual([
      '#00ff00',
      '#ff0000',
      '#00ff00',
    ]);
  });
});

describe('transformations', () => {
  const run = (frames: Frame[], id: string, options: JsonObject = {}) =>
    transform(frames, [{ id, options, disabled: false }]).frames;

  test('organize excludes, orders and renames', () => {
    const [got] = run([frame({ a: [1], b: [2], c: [3] })], 'organize', {
      excludeByName: { b: true },
      indexByName: { c: 0, a: 1 },
      renameByName: { a: 'first' },
    });
    expect(Object.entries(columns(got))).toEqual([
      ['c', [3]],
      ['first', [1]],
    ]);
  });
  test('merge joins rows that agree, and keeps the others', () => {
    const [got] = run(
      [frame({ host: ['a', 'b'], up: [1, 0] }), frame({ host: ['b', 'c'], cpu: [0.5, 0.7] })],
      'merge',
    );
    expect(columns(got)).toEqual({ host: ['a', 'b', 'c'], up: [1, 0, null], cpu: [null, 0.5, 0.7] });
  });
  test('merge puts tables of one shape below each other', () => {
    const [got] = run([frame({ host: ['a'], v: [1] }), frame({ host: ['a'], v: [2] })], 'merge');
    expect(columns(got)).toEqual({ host: ['a', 'a'], v: [1, 2] });
  });
  test('reduce makes a row of each series', () => {
    const series = ['x', 'y'].map((i, n) => ({
      ...frame({ Time: [0, 1], Value: [n, n + 2] }, { labels: { i } }),
    }));
    const [got] = run(series, 'reduce', { reducers: ['max', 'mean'], labelsToFields: true });
    expect(columns(got)).toEqual({ Field: ['Value', 'Value'], i: ['x', 'y'], Max: [2, 3], Mean: [1, 2] });
  });
  test('labelsToFields makes columns of labels', () => {
    const series = ['x', 'y'].map((i, n) => frame({ Time: [0], Value: [n] }, { labels: { i } }));
    expect(columns(run(series, 'labelsToFields')[0])).toEqual({ Time: [0, 0], i: ['x', 'y'], Value: [0, 1] });
  });
  test('joinByField aligns series by time', () => {
    const [got] = run(
      [frame({ Time: [0, 1], a: [1, 2] }), frame({ Time: [1, 2], b: [3, 4] })],
      'joinByField',
    );
    expect(columns(got)).toEqual({ Time: [0, 1, 2], a: [1, 2, null], b: [null, 3, 4] });
  });
  test('groupBy aggregates', () => {
    const fields = { h: { operation: 'groupby' }, v: { operation: 'aggregate', aggregations: ['sum'] } };
    const [got] = run([frame({ h: ['a', 'b', 'a'], v: [1, 2, 3] })], 'groupBy', { fields });
    expect(columns(got)).toEqual({ h: ['a', 'b'], 'v (sum)': [4, 2] });
  });
  test('filters, sorts, limits, renames and calculates', () => {
    const table = [frame({ name: ['a', 'b', 'c'], v: [3, 1, 2], w: [1, 1, 1] })];
    expect(columns(run(table, 'filterFieldsByName', { include: { pattern: '^n' } })[0])).toEqual({
      name: ['a', 'b', 'c'],
    });
    expect(columns(run(table, 'sortBy', { sort: [{ field: 'v', desc: true }] })[0]).name).toEqual([
      'a',
      'c',
      'b',
    ]);
    expect(columns(run(table, 'limit', { limitField: 1 })[0]).name).toEqual(['a']);
    const greater = { fieldName: 'v', config: { id: 'greater', options: { value: 1 } } };
    expect(
      columns(run(table, 'filterByValue', { filters: [greater], type: 'include', match: 'any' })[0]).name,
    ).toEqual(['a', 'c']);
    expect(
      columns(run(table, 'renameByRegex', { regex: '(v|w)', renamePattern: 'col-$1' })[0]),
    ).toHaveProperty('col-v');
    const sum = { mode: 'binary', binary: { left: 'v', operator: '+', right: 'w' }, alias: 't' };
    expect(columns(run(table, 'calculateField', sum)[0]).t).toEqual([4, 2, 3]);
  });
  test('an unknown one is named and passed over', () => {
    expect(transform([frame({ a: [1] })], [{ id: 'magic', options: {}, disabled: false }])).toMatchObject({
      unknown: ['magic'],
    });
  });
});

test('a field without configuration shows its own name', () => {
  expect(displayName({ name: 'v', type: 'number', values: [], config: emptyConfig })).toBe('v');
});
