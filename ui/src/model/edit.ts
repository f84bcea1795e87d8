import { gridColumns, panelsOf, type Dashboard, type GridPos } from './dashboard';
import { asNumber, asObject, asObjects, type Json, type JsonObject } from './json';

/** Changes of a dashboard's JSON: each returns a copy and keeps what it does not know. */

/** Replaces the JSON of one panel, wherever it stands; undefined removes it. */
export function updatePanel(
  d: Dashboard,
  id: number,
  change: (panel: JsonObject) => JsonObject | undefined,
): Dashboard {
  const visit = (list: Json | undefined): Json[] =>
    asObjects(list).flatMap((panel): JsonObject[] => {
      if (panel.id === id) {
        const next = change(panel);
        return next ? [next] : [];
      }
      return panel.type === 'row' && Array.isArray(panel.panels)
        ? [{ ...panel, panels: visit(panel.panels) }]
        : [panel];
    });
  return { ...d, panels: visit(d.panels) };
}

export function nextPanelId(d: Dashboard): number {
  const ids = panelsOf(d).flatMap((p) => [p.id, ...p.panels.map((inner) => inner.id)]);
  return Math.max(0, ...ids) + 1;
}

/** Puts a new panel on top, above everything else. */
export function addPanel(d: Dashboard, panel: JsonObject): { dashboard: Dashboard; id: number } {
  const id = nextPanelId(d);
  const size = asObject(panel.gridPos);
  const w = asNumber(size.w, 12);
  const h = asNumber(size.h, 8);
  const moved = asObjects(d.panels).map((p) => {
    const grid = asObject(p.gridPos);
    return { ...p, gridPos: { ...grid, y: asNumber(grid.y, 0) + h } };
  });
  return { dashboard: { ...d, panels: [{ ...panel, id, gridPos: { x: 0, y: 0, w, h } }, ...moved] }, id };
}

export function duplicatePanel(d: Dashboard, id: number): Dashboard {
  const original = asObjects(d.panels).find((p) => p.id === id);
  if (!original) return d;
  const grid = asObject(original.gridPos);
  const copy = {
    ...original,
    id: nextPanelId(d),
    gridPos: { ...grid, y: asNumber(grid.y, 0) + asNumber(grid.h, 8) },
  };
  return placePanels(
    { ...d, panels: [...asObjects(d.panels), copy] },
    compact(positions([...asObjects(d.panels), copy])),
  );
}

export function positions(panels: JsonObject[]): Map<number, GridPos> {
  return new Map(
    panels.map((p) => {
      const grid = asObject(p.gridPos);
      const pos = {
        x: asNumber(grid.x, 0),
        y: asNumber(grid.y, 0),
        w: asNumber(grid.w, 12),
        h: asNumber(grid.h, 8),
      };
      return [asNumber(p.id, 0), pos];
    }),
  );
}

export function placePanels(d: Dashboard, places: ReadonlyMap<number, GridPos>): Dashboard {
  const panels = asObjects(d.panels).map((p) => {
    const place = places.get(asNumber(p.id, 0));
    return place ? { ...p, gridPos: { ...asObject(p.gridPos), ...place } } : p;
  });
  panels.sort((a, b) => {
    const [ga, gb] = [asObject(a.gridPos), asObject(b.gridPos)];
    return asNumber(ga.y, 0) - asNumber(gb.y, 0) || asNumber(ga.x, 0) - asNumber(gb.x, 0);
  });
  return { ...d, panels };
}

/**
 * Moves or resizes one panel: it stays where it was put, those in its way go
 * below it, and then everything rises as far as it can.
 */
export function movePanel(
  places: ReadonlyMap<number, GridPos>,
  id: number,
  to: GridPos,
): Map<number, GridPos> {
  const w = Math.min(gridColumns, Math.max(1, to.w));
  const target = {
    w,
    h: Math.max(1, to.h),
    x: Math.min(gridColumns - w, Math.max(0, to.x)),
    y: Math.max(0, to.y),
  };
  return compact(new Map(places).set(id, target), id);
}

/** Lets panels rise to the first place where nothing is in the way; the pinned one first among equals. */
export function compact(places: ReadonlyMap<number, GridPos>, pinned?: number): Map<number, GridPos> {
  const order = [...places].sort(
    ([idA, a], [idB, b]) => a.y - b.y || (idA === pinned ? -1 : idB === pinned ? 1 : 0) || a.x - b.x,
  );
  const result = new Map<number, GridPos>();
  for (const [id, place] of order) {
    const settled = [...result.values()];
    let { y } = place;
    while (settled.some((other) => overlap({ ...place, y }, other))) y++;
    while (y > 0 && !settled.some((other) => overlap({ ...place, y: y - 1 }, other))) y--;
    result.set(id, { ...place, y });
  }
  return result;
}

export function overlap(a: GridPos, b: GridPos): boolean {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}

/** Collapsing a row takes in the panels down to the next row; expanding puts them back. */
export function toggleRow(d: Dashboard, id: number): Dashboard {
  const panels = asObjects(d.panels);
  const at = panels.findIndex((p) => p.id === id);
  const row = panels[at];
  if (!row) return d;
  if (row.collapsed === true) {
    const y = asNumber(asObject(row.gridPos).y, 0);
    const inside = asObjects(row.panels);
    const top = Math.min(...inside.map((p) => asNumber(asObject(p.gridPos).y, 0)));
    const back = inside.map((p) => {
      const grid = asObject(p.gridPos);
      return { ...p, gridPos: { ...grid, y: asNumber(grid.y, 0) - top + y + 1 } };
    });
    const bottom = Math.max(
      0,
      ...back.map((p) => asNumber(asObject(p.gridPos).y, 0) + asNumber(asObject(p.gridPos).h, 8)),
    );
    const shift = Math.max(0, bottom - y - 1);
    const after = panels.slice(at + 1).map((p) => {
      const grid = asObject(p.gridPos);
      return { ...p, gridPos: { ...grid, y: asNumber(grid.y, 0) + shift } };
    });
    return {
      ...d,
      panels: [...panels.slice(0, at), { ...row, collapsed: false, panels: [] }, ...back, ...after],
    };
  }
  let end = at + 1;
  while (end < panels.length && panels[end]?.type !== 'row') end++;
  const closed = { ...row, collapsed: true, panels: panels.slice(at + 1, end) };
  const rest = [...panels.slice(0, at), closed, ...panels.slice(end)];
  return placePanels({ ...d, panels: rest }, compact(positions(rest)));
}
