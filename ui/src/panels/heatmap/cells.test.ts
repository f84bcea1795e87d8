import { expect, test } from 'vitest';
import type { Frame } from '../../model/frame';
import { frame } from '../../model/testing';
import { heatOf } from './cells';

type Bucket = [lower: number, upper: number, count: number];

const native = (...buckets: Bucket[]): Frame => ({
  ...frame({ Time: [0], Count: [1] }),
  kind: 'histogram',
  stepMs: 1000,
  histogram: [{ time: 0, buckets: buckets.map(([lower, upper, count]) => ({ lower, upper, count })) }],
});

test('the counts of several native histograms are added', () => {
  const { cells, log } = heatOf([native([1, 2, 3], [2, 4, 1]), native([1, 2, 4])], false);
  expect(cells).toEqual([
    { from: 0, to: 1000, low: 1, high: 2, count: 7 },
    { from: 0, to: 1000, low: 2, high: 4, count: 1 },
  ]);
  expect(log).toBe(true);
});

test.each<[string, Bucket[], { min: number; max: number; log: boolean }]>([
  [
    'around zero',
    [
      [-1e-128, 1e-128, 5],
      [3, 4, 1],
    ],
    { min: 2, max: 4, log: true },
  ],
  [
    'up from zero',
    [
      [0, 3, 5],
      [3, 4, 1],
    ],
    { min: 2, max: 4, log: true },
  ],
  [
    'without an end',
    [
      [-Infinity, 3, 1],
      [3, 4, 1],
      [4, Infinity, 1],
    ],
    { min: 2, max: 6, log: true },
  ],
  [
    'below zero',
    [
      [-4, -2, 1],
      [-1e-128, 1e-128, 1],
      [2, 4, 1],
    ],
    { min: -4, max: 4, log: false },
  ],
  [
    'below zero without an end',
    [
      [-Infinity, -10, 1],
      [-10, 5, 1],
    ],
    { min: -11, max: 5, log: false },
  ],
])('a bucket %s leaves room for the others, and says its true bounds', (_, buckets, want) => {
  const { cells, min, max, log } = heatOf([native(...buckets)], false);
  expect({ min, max, log }).toEqual(want);
  expect(cells.map((c) => c.truly ?? [c.low, c.high])).toEqual(buckets.map(([low, high]) => [low, high]));
});

test('empty buckets are not drawn', () => {
  expect(heatOf([native([-2, -1, 0], [1, 2, 0])], false).cells).toEqual([]);
});
