import type { Value } from '../../model/frame';
import type { Comparison } from './expression';

export interface Threshold {
  op: Comparison;
  value: number;
}

/** Whether the area of the condition lies above its line. */
export const isAbove = (op: Comparison): boolean => op === '>' || op === '>=';
export const isBelow = (op: Comparison): boolean => op === '<' || op === '<=';

export function holds({ op, value }: Threshold, sample: number): boolean {
  switch (op) {
    case '>':
      return sample > value;
    case '>=':
      return sample >= value;
    case '<':
      return sample < value;
    case '<=':
      return sample <= value;
    case '==':
      return sample === value;
    case '!=':
      return sample !== value;
  }
}

/** A number that a hand could have meant: as fine as one pixel in three of the axis, and no finer. */
export function roundTo(value: number, axisLength: number): number {
  if (!(axisLength > 0)) return value;
  const step = 10 ** Math.floor(Math.log10(axisLength / 60));
  const rounded = Math.round(value / step) * step;
  return Number(rounded.toPrecision(12));
}

/** The last value of a column that is one. */
export function lastNumber(values: readonly Value[]): number | undefined {
  const found = values.findLast((v) => typeof v === 'number');
  return typeof found === 'number' ? found : undefined;
}
