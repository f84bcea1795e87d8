import { paletteColor, resolveColor } from '../../model/colors';
import { displayText } from '../../model/display';
import type { Reduced } from '../stat/reduce';

export interface Slice {
  name: string;
  text: string;
  color: string;
  share: number;
  /** Where it begins and ends, in turns from the top. */
  from: number;
  to: number;
}

/** Parts of the whole. What is not above zero is no part of it, and is left out. */
export function slicesOf(values: readonly Reduced[], order: string): Slice[] {
  const parts = values.flatMap((value, i) => {
    const amount = value.display.value;
    if (typeof amount !== 'number' || !Number.isFinite(amount) || amount <= 0) return [];
    // Parts are told apart by colour unless the dashboard says otherwise.
    const color = value.config.color.mode === '' ? paletteColor(i) : value.display.color;
    return [{ name: value.name, text: displayText(value.display), color: resolveColor(color), amount }];
  });
  if (order !== 'none') parts.sort((a, b) => (order === 'asc' ? a.amount - b.amount : b.amount - a.amount));
  const total = parts.reduce((sum, { amount }) => sum + amount, 0);
  let from = 0;
  return parts.map(({ amount, ...part }) => {
    const share = amount / total;
    const slice = { ...part, share, from, to: from + share };
    from = slice.to;
    return slice;
  });
}

/** The outline of a slice around 0,0. */
export function outline({ from, to, share }: Slice, outer: number, inner: number): string {
  // An arc that ends where it began is none.
  const end = share > 0.9999 ? to - 0.0001 : to;
  const at = (turn: number, radius: number) => {
    const angle = turn * 2 * Math.PI;
    return `${(Math.sin(angle) * radius).toFixed(2)} ${(-Math.cos(angle) * radius).toFixed(2)}`;
  };
  const large = end - from > 0.5 ? 1 : 0;
  const back = inner > 0 ? `L${at(end, inner)}A${inner} ${inner} 0 ${large} 0 ${at(from, inner)}` : 'L0 0';
  return `M${at(from, outer)}A${outer} ${outer} 0 ${large} 1 ${at(end, outer)}${back}Z`;
}
