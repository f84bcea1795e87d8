import { expect, test } from 'vitest';
import { panelsOf } from './dashboard';
import { getPath } from './json';

test('a graph of the old schema is read as a time series', () => {
  const [panel] = panelsOf({
    panels: [
      {
        id: 1,
        type: 'graph',
        fill: 2,
        stack: true,
        legend: { values: true, avg: true, current: true, alignAsTable: true },
        yaxes: [{ format: 'bytes', min: '0' }, {}],
        seriesOverrides: [{ alias: '/out/', transform: 'negative-Y', yaxis: 2 }],
      },
    ],
  });
  expect(panel?.type).toBe('timeseries');
  expect(getPath(panel!.options, ['legend', 'calcs'])).toEqual(['mean', 'lastNotNull']);
  expect(getPath(panel!.fieldConfig, ['defaults', 'unit'])).toBe('bytes');
  expect(getPath(panel!.fieldConfig, ['defaults', 'min'])).toBe(0);
  expect(getPath(panel!.fieldConfig, ['defaults', 'custom', 'stacking', 'mode'])).toBe('normal');
  expect(getPath(panel!.fieldConfig, ['overrides', 0, 'properties', 0])).toEqual({
    id: 'custom.transform',
    value: 'negative-Y',
  });
  expect(panel?.raw.type).toBe('graph');
});

test('a single stat is read with its thresholds', () => {
  const [panel] = panelsOf({
    panels: [
      {
        id: 1,
        type: 'singlestat',
        valueName: 'current',
        thresholds: '10,20',
        colors: ['#0f0', '#ff0', '#f00'],
      },
    ],
  });
  expect(panel?.type).toBe('stat');
  expect(getPath(panel!.fieldConfig, ['defaults', 'thresholds', 'steps'])).toEqual([
    { color: '#0f0', value: null },
    { color: '#ff0', value: 10 },
    { color: '#f00', value: 20 },
  ]);
});

test('rows of the oldest schema become places on the grid', () => {
  const panels = panelsOf({
    rows: [
      {
        title: 'CPU',
        height: '250px',
        panels: [
          { id: 1, span: 6, type: 'graph' },
          { id: 2, span: 6, type: 'graph' },
          { id: 3, span: 12, type: 'graph' },
        ],
      },
      { title: 'Closed', collapse: true, panels: [{ id: 4, span: 12, type: 'graph' }] },
    ],
  });
  expect(panels.map((p) => [p.type, p.gridPos.x, p.gridPos.y, p.gridPos.w])).toEqual([
    ['row', 0, 0, 24],
    ['timeseries', 0, 1, 12],
    ['timeseries', 12, 1, 12],
    ['timeseries', 0, 8, 24],
    ['row', 0, 15, 24],
  ]);
  expect(panels[4]?.panels.map((p) => p.id)).toEqual([4]);
});

test.each([
  ['old', { yAxis: { format: 'bytes' } }, 'bytes'],
  ["today's", { options: { yAxis: { unit: 's' } } }, 's'],
])('a heatmap of %s schema has its unit', (_, raw, unit) => {
  const [panel] = panelsOf({ panels: [{ id: 1, type: 'heatmap', ...raw }] });
  expect(getPath(panel!.options, ['yAxis', 'unit'])).toBe(unit);
});
