import { useElementSize } from '@mantine/hooks';
import { memo, useCallback, useRef, useState, type PointerEvent, type ReactNode } from 'react';
import { gridColumns, type GridPos } from '../../model/dashboard';
import { compact, movePanel } from '../../model/edit';
import type { Placed } from '../../model/layout';
import styles from './Grid.module.css';

const cellHeight = 30;
const gap = 8;
const phoneWidth = 700;

interface Props {
  items: Placed[];
  editing: boolean;
  children: (item: Placed) => ReactNode;
  /** The new places, after a panel was moved or resized. */
  onPlace: (places: Map<number, GridPos>) => void;
}

interface Drag {
  id: number;
  resize: boolean;
  startX: number;
  startY: number;
  from: GridPos;
  to: GridPos;
}

/** Panels on a grid of 24 columns; on a phone below each other. */
export function Grid({ items, editing, children, onPlace }: Props) {
  const { ref, width } = useElementSize();
  const [drag, setDrag] = useState<Drag>();
  const phone = width > 0 && width < phoneWidth;
  const column = (width + gap) / gridColumns;
  const places = drag ? movePanel(placesOf(items), drag.id, drag.to) : undefined;
  const live = useRef({ places, items });
  live.current = { places, items };

  const begin = useCallback((event: PointerEvent<HTMLElement>, id: number, resize: boolean) => {
    const item = live.current.items.find((i) => i.panel.id === id && !i.copy);
    if (!item || event.button !== 0) return;
    event.preventDefault();
    event.currentTarget.setPointerCapture(event.pointerId);
    setDrag({
      id,
      resize,
      startX: event.clientX,
      startY: event.clientY,
      from: item.gridPos,
      to: item.gridPos,
    });
  }, []);
  const move = (event: PointerEvent) => {
    if (!drag) return;
    const dx = Math.round((event.clientX - drag.startX) / column);
    const dy = Math.round((event.clientY - drag.startY) / (cellHeight + gap));
    const { from } = drag;
    const to = drag.resize
      ? { ...from, w: Math.max(2, from.w + dx), h: Math.max(2, from.h + dy) }
      : { ...from, x: from.x + dx, y: from.y + dy };
    if (to.x !== drag.to.x || to.y !== drag.to.y || to.w !== drag.to.w || to.h !== drag.to.h)
      setDrag({ ...drag, to });
  };
  const end = () => {
    if (drag && live.current.places) onPlace(live.current.places);
    setDrag(undefined);
  };

  let phoneTop = 0;
  const boxes = items.map((item) => {
    const pos = (!item.copy && places?.get(item.panel.id)) || item.gridPos;
    const height = pos.h * (cellHeight + gap) - gap;
    if (!phone)
      return {
        item,
        left: pos.x * column,
        top: pos.y * (cellHeight + gap),
        width: pos.w * column - gap,
        height,
      };
    const tall = item.panel.type === 'row' ? height : Math.max(height, 120);
    const box = { item, left: 0, top: phoneTop, width, height: tall };
    phoneTop += tall + gap;
    return box;
  });
  const total = boxes.reduce((bottom, b) => Math.max(bottom, b.top + b.height), 0);
  return (
    <div
      ref={ref}
      className={styles.grid}
      style={{ height: total }}
      onPointerMove={move}
      onPointerUp={end}
      onPointerCancel={() => setDrag(undefined)}
    >
      {width > 0 &&
        boxes.map(({ item, ...box }) => (
          <div
            key={item.key}
            className={
              drag?.id === item.panel.id && !item.copy ? `${styles.item} ${styles.dragged}` : styles.item
            }
            style={{
              transform: `translate(${box.left}px, ${box.top}px)`,
              width: box.width,
              height: box.height,
            }}
          >
            {children(item)}
            {editing && !item.copy && !phone && (
              <Handles id={item.panel.id} row={item.panel.type === 'row'} onBegin={begin} />
            )}
          </div>
        ))}
    </div>
  );
}

const Handles = memo(function Handles({
  id,
  row,
  onBegin,
}: {
  id: number;
  row: boolean;
  onBegin: (e: PointerEvent<HTMLElement>, id: number, resize: boolean) => void;
}) {
  return (
    <>
      <div
        className={row ? styles.moveRow : styles.move}
        onPointerDown={(e) => onBegin(e, id, false)}
        aria-hidden="true"
      />
      {!row && (
        <div className={styles.resize} onPointerDown={(e) => onBegin(e, id, true)} aria-hidden="true" />
      )}
    </>
  );
});

function placesOf(items: Placed[]): Map<number, GridPos> {
  return compact(new Map(items.filter((i) => !i.copy).map((i) => [i.panel.id, i.gridPos])));
}
