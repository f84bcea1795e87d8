import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { panelsOf, parseDashboard } from './dashboard';
import {
  addPanel,
  compact,
  duplicatePanel,
  movePanel,
  overlap,
  placePanels,
  positions,
  toggleRow,
  updatePanel,
} from './edit';
import { asObjects, setPath, getPath } from './json';
import { anyDashboard, anyJson } from './testing';

describe('a dashboard', () => {
  test('survives reading and writing unchanged', () => {
    fc.assert(
      fc.property(anyDashboard, (d) => {
        const text = JSON.stringify(d);
        const read = parseDashboard(text);
        panelsOf(read);
        expect(JSON.stringify(read)).toBe(text);
      }),
    );
  });

  test('keeps everything unknown when one panel is edited', () => {
    fc.assert(
      fc.property(anyDashboard, anyJson, (d, value) => {
        const before = JSON.stringify(d);
        const edited = updatePanel(d, 1, (p) => setPath(p, ['options', 'tried'], value));
        expect(JSON.stringify(d)).toBe(before);
        const { panels: a, ...restBefore } = d;
        const { panels: b, ...restAfter } = edited;
        expect(restAfter).toEqual(restBefore);
        const [first, ...others] = asObjects(a);
        const [firstNow, ...othersNow] = asObjects(b);
        expect(othersNow).toEqual(others);
        if (!first || !firstNow) return;
        expect({ ...firstNow, options: null }).toEqual({ ...first, options: null });
        expect(getPath(firstNow, ['options', 'tried'])).toEqual(value);
      }),
    );
  });

  test('loses no panel when one is added, copied or moved, and none covers another', () => {
    fc.assert(
      fc.property(
        anyDashboard,
        fc.integer({ min: 0, max: 23 }),
        fc.integer({ min: 0, max: 30 }),
        (d, x, y) => {
          const { dashboard, id } = addPanel(duplicatePanel(d, 1), { type: 'stat', gridPos: { w: 6, h: 4 } });
          const places = movePanel(positions(asObjects(dashboard.panels)), id, { x, y, w: 6, h: 4 });
          const moved = placePanels(dashboard, places);
          expect(asObjects(moved.panels)).toHaveLength(
            asObjects(d.panels).length + (asObjects(d.panels).length > 0 ? 2 : 1),
          );
          const all = [...places.values()];
          all.forEach((a, i) => all.slice(i + 1).forEach((b) => expect(overlap(a, b)).toBe(false)));
        },
      ),
    );
  });

  test('is told from other JSON', () => {
    expect(() => parseDashboard('{"a": 1')).toThrow('this is not JSON');
    expect(() => parseDashboard('[]')).toThrow('JSON object');
    expect(() => parseDashboard('{"title": "x"}')).toThrow('neither "panels" nor "rows"');
    expect(parseDashboard('{"dashboard": {"title": "x", "panels": []}, "meta": {}}').title).toBe('x');
  });
});

test('compacting lets panels rise, but not through each other', () => {
  const places = new Map([
    [1, { x: 0, y: 5, w: 12, h: 4 }],
    [2, { x: 12, y: 9, w: 12, h: 4 }],
    [3, { x: 6, y: 20, w: 12, h: 2 }],
  ]);
  expect([...compact(places).values()].map((p) => p.y)).toEqual([0, 0, 4]);
});

test('a row that is closed takes in its panels, and gives them back', () => {
  const panel = (id: number, y: number) => ({ id, type: 'stat', gridPos: { x: 0, y, w: 24, h: 4 } });
  const row = (id: number, y: number) => ({
    id,
    type: 'row',
    collapsed: false,
    panels: [],
    gridPos: { x: 0, y, w: 24, h: 1 },
  });
  const open = { panels: [row(1, 0), panel(2, 1), panel(3, 5), row(4, 9), panel(5, 10)] };
  const closed = toggleRow(open, 1);
  expect(asObjects(closed.panels).map((p) => [p.id, getPath(p, ['gridPos', 'y'])])).toEqual([
    [1, 0],
    [4, 1],
    [5, 2],
  ]);
  expect(toggleRow(closed, 1)).toEqual(open);
});
