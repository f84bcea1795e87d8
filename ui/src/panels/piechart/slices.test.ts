import { expect, test } from 'vitest';
import { frame } from '../../model/testing';
import { reducedValues } from '../stat/reduce';
import { outline, slicesOf } from './slices';

const zone = 'utc';
const sum = { reduceOptions: { calcs: ['sum'] } };
const parts = (order = 'desc') =>
  slicesOf(
    reducedValues(
      [
        frame({ Time: [1, 2], small: [1, 0] }),
        frame({ Time: [1, 2], large: [1, 2] }),
        frame({ Time: [1, 2], none: [0, null] }),
        frame({ Time: [1, 2], negative: [-5, 1] }),
      ],
      sum,
      zone,
    ),
    order,
  );

test.each([
  ['desc', ['large', 'small']],
  ['asc', ['small', 'large']],
  ['none', ['small', 'large']],
])('in order %s, the parts above zero are a whole', (order, names) => {
  const slices = parts(order);
  expect(slices.map((s) => s.name)).toEqual(names);
  expect(slices.reduce((all, s) => all + s.share, 0)).toBeCloseTo(1);
  expect(slices[0]?.from).toBe(0);
  expect(slices.at(-1)?.to).toBeCloseTo(1);
});

test('neighbours differ in colour', () => {
  const [first, second] = parts();
  expect(first?.color).not.toBe(second?.color);
});

test('without anything above zero there is no slice', () => {
  expect(slicesOf(reducedValues([frame({ Time: [1], x: [0] })], sum, zone), 'desc')).toEqual([]);
});

const slice = (from: number, to: number) => ({ name: '', text: '', color: '', share: to - from, from, to });

test('a quarter goes from the top to the right and back to the middle', () => {
  expect(outline(slice(0, 0.25), 10, 0)).toBe('M0.00 -10.00A10 10 0 0 1 10.00 -0.00L0 0Z');
});

test('a whole is drawn although it ends where it began', () => {
  const [, start, end] =
    /^M(\S+ \S+)A\S+ \S+ 0 1 1 (\S+ [^LZ]+)L/.exec(outline(slice(0, 1), 1000, 500)) ?? [];
  expect(start).toBeDefined();
  expect(start).not.toBe(end);
});
