/** How many columns and rows let cells come closest to a pleasant shape. */
export function gridFor(
  count: number,
  width: number,
  height: number,
  orientation: string,
): { columns: number; rows: number } {
  if (orientation === 'vertical') return { columns: count, rows: 1 };
  if (orientation === 'horizontal') return { columns: 1, rows: count };
  let best = { columns: count, rows: 1, badness: Infinity };
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const ratio = width / columns / (height / rows);
    const empty = columns * rows - count;
    const badness = Math.abs(Math.log(ratio / 2.2)) + empty * 0.12;
    if (badness < best.badness) best = { columns, rows, badness };
  }
  return best;
}
