import { gridColumns, type GridPos, type Panel } from './dashboard';
import type { Scope } from './interpolate';
import { allValueMarker, valuesOf, textsOf, type VariableValue } from './variables';

/** A panel in its place, with the values that its repetition stands for. */
export interface Placed {
  /** Unique on the page: repetitions share the panel's id. */
  key: string;
  panel: Panel;
  gridPos: GridPos;
  repeats: Readonly<Record<string, VariableValue>>;
  /** Copies follow the first one; they cannot be edited by themselves. */
  copy: boolean;
}

interface Section {
  row?: Placed;
  panels: Placed[];
}

/**
 * Lays out a dashboard: rows and panels are repeated for the values of their
 * variables, collapsed rows hide theirs, and what is below makes room.
 */
export function layout(
  panels: Panel[],
  scope: Scope,
  collapsed: ReadonlySet<string>,
  expanded: ReadonlySet<string>,
): Placed[] {
  const result: Placed[] = [];
  let y = 0;
  for (const section of sectionsOf(panels)) {
    for (const { row, panels: inside } of repeatRow(section, scope)) {
      if (row) {
        const open = row.panel.collapsed ? expanded.has(row.key) : !collapsed.has(row.key);
        result.push({
          ...row,
          panel: { ...row.panel, collapsed: !open },
          gridPos: { x: 0, y, w: gridColumns, h: 1 },
        });
        y += 1;
        if (!open) continue;
      }
      const placed = repeatPanels(inside, scope);
      if (placed.length === 0) continue;
      const top = Math.min(...placed.map((p) => p.gridPos.y));
      // Only below a row is the space above the first panel a leftover.
      const shift = y - top;
      for (const p of placed) result.push({ ...p, gridPos: { ...p.gridPos, y: p.gridPos.y + shift } });
      y += Math.max(...placed.map((p) => p.gridPos.y + p.gridPos.h)) - top;
    }
  }
  return result;
}

function sectionsOf(panels: Panel[]): { row?: Panel; panels: Panel[] }[] {
  const sections: { row?: Panel; panels: Panel[] }[] = [{ panels: [] }];
  for (const panel of panels) {
    if (panel.type === 'row') sections.push({ row: panel, panels: panel.collapsed ? panel.panels : [] });
    else sections[sections.length - 1]?.panels.push(panel);
  }
  return sections.filter((s) => s.row || s.panels.length > 0);
}

function repeatRow({ row, panels }: { row?: Panel; panels: Panel[] }, scope: Scope): Section[] {
  if (!row) return [{ panels: panels.map((p) => place(p, {}, '')) }];
  return valuesFor(row.repeat, scope, {}).map((repeats, i) => {
    const suffix = i === 0 ? '' : `@${i}`;
    return {
      row: { ...place(row, repeats, suffix), copy: i > 0 },
      panels: panels.map((p) => ({ ...place(p, repeats, suffix), copy: i > 0 })),
    };
  });
}

function place(panel: Panel, repeats: Placed['repeats'], suffix: string): Placed {
  return { key: `${panel.id}${suffix}`, panel, gridPos: panel.gridPos, repeats, copy: false };
}

function repeatPanels(panels: Placed[], scope: Scope): Placed[] {
  const result: Placed[] = [];
  let pushed = 0;
  for (const item of panels) {
    const { panel } = item;
    const gridPos = { ...item.gridPos, y: item.gridPos.y + pushed };
    const values = valuesFor(panel.repeat, scope, item.repeats);
    if (panel.repeat === '' || values.length <= 1) {
      result.push({ ...item, gridPos, repeats: { ...item.repeats, ...values[0] } });
      continue;
    }
    const across = panel.repeatDirection === 'h';
    const perRow = across ? Math.min(values.length, panel.maxPerRow) : 1;
    const w = across ? Math.max(1, Math.floor(gridColumns / perRow)) : gridPos.w;
    values.forEach((repeats, i) => {
      const x = across ? (i % perRow) * w : gridPos.x;
      const y = gridPos.y + Math.floor(i / perRow) * gridPos.h;
      const key = i === 0 ? item.key : `${item.key}#${i}`;
      result.push({
        ...item,
        key,
        copy: item.copy || i > 0,
        gridPos: { x, y, w, h: gridPos.h },
        repeats: { ...item.repeats, ...repeats },
      });
    });
    pushed += (Math.ceil(values.length / perRow) - 1) * gridPos.h;
  }
  return result;
}

/** One set of values for each repetition; a single empty one where nothing repeats. */
function valuesFor(name: string, scope: Scope, outer: Placed['repeats']): Record<string, VariableValue>[] {
  const resolved = scope.variables.get(name);
  if (name === '' || !resolved || name in outer) return [{}];
  const { current, options } = resolved;
  const all = valuesOf(current).includes(allValueMarker);
  const values = all ? options.map((o) => o.value) : valuesOf(current);
  const texts = all ? options.map((o) => o.text) : textsOf(current);
  if (values.length === 0) return [{}];
  return values.map((value, i) => ({ [name]: { value, text: texts[i] ?? value } }));
}
