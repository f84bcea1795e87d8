import type uPlot from 'uplot';
import { canvasColor } from '../../model/colors';
import type { Exemplar } from '../../model/exemplars';
import { hiddenFrom } from '../../model/fieldConfig';
import { formatInstant, type TimeZone } from '../../model/time';
import { formatText } from '../../units';
import type { Mark } from '../types';
import { exemplarAt, exemplarColor } from './exemplars';
import type { Series } from './series';
import styles from './tooltip.module.css';

const maxRows = 16;
const nearPx = 6;

export interface TooltipOptions {
  series: () => Series[];
  marks: () => Mark[];
  exemplars?: () => Exemplar[];
  zone: TimeZone;
  mode: 'single' | 'multi' | 'none';
  sort: 'none' | 'asc' | 'desc';
}

/**
 * The values under the mouse. Written into the document by hand: sixty moves a
 * second through React would cost more than drawing the graph.
 */
export function tooltipPlugin(options: TooltipOptions): uPlot.Plugin {
  const box = document.createElement('div');
  box.className = styles.box ?? '';
  box.style.display = 'none';
  let over: HTMLElement | undefined;
  let inside = false;
  const show = (u: uPlot) => {
    const { left, top, idx } = u.cursor;
    if (
      !inside ||
      options.mode === 'none' ||
      idx === null ||
      idx === undefined ||
      left === undefined ||
      left < 0
    ) {
      box.style.display = 'none';
      return;
    }
    const rows = rowsAt(u, idx, options);
    box.replaceChildren(
      head(formatInstant(Number(u.data[0][idx]), options.zone)),
      ...marksAt(u, left, options.marks()).map(markRow),
      ...exemplarRows(exemplarAt(u, options.exemplars?.() ?? [], options.series()), options),
      ...rows.shown,
      ...(rows.more > 0 ? [note(`and ${rows.more} more`)] : []),
    );
    box.style.display = 'block';
    box.style.transform = beside(u.rect.left + left, u.rect.top + (top ?? 0));
  };
  const enter = () => (inside = true);
  const leave = () => {
    inside = false;
    box.style.display = 'none';
  };
  return {
    hooks: {
      init: (u) => {
        over = u.over;
        over.addEventListener('mouseenter', enter);
        over.addEventListener('mouseleave', leave);
        document.body.append(box);
      },
      setCursor: show,
      destroy: () => {
        over?.removeEventListener('mouseenter', enter);
        over?.removeEventListener('mouseleave', leave);
        box.remove();
      },
    },
  };
}

function rowsAt(
  u: uPlot,
  idx: number,
  { series, mode, sort }: TooltipOptions,
): { shown: HTMLElement[]; more: number } {
  const focused = nearest(u, idx);
  const entries = series()
    .map((s, i) => ({ s, value: s.values[idx], index: i + 1 }))
    .filter(({ s, value }) => !s.hidden && typeof value === 'number' && !hiddenFrom(s.config, 'tooltip'));
  if (mode === 'single') {
    const only = entries.filter((e) => e.index === focused);
    return { shown: only.map((e) => row(e.s, e.value as number, true)), more: 0 };
  }
  const order = sort === 'asc' ? 1 : -1;
  // Many series are only readable in order, whatever the dashboard says.
  if (sort !== 'none' || entries.length > maxRows) {
    entries.sort((a, b) => order * ((a.value as number) - (b.value as number)));
  }
  const at = entries.findIndex((e) => e.index === focused);
  const start = Math.max(0, Math.min(at - maxRows + 2, entries.length - maxRows));
  const shown = entries.slice(start, start + maxRows);
  return {
    shown: shown.map((e) => row(e.s, e.value as number, e.index === focused)),
    more: entries.length - shown.length,
  };
}

/** The series whose point is closest to the mouse, up and down. */
function nearest(u: uPlot, idx: number): number | undefined {
  const y = u.cursor.top ?? 0;
  let best: number | undefined;
  let distance = Infinity;
  for (let i = 1; i < u.series.length; i++) {
    const value = u.data[i]?.[idx];
    const series = u.series[i];
    if (!series?.show || typeof value !== 'number') continue;
    const away = Math.abs(u.valToPos(value, series.scale ?? '') - y);
    if (away < distance) [best, distance] = [i, away];
  }
  return best;
}

function marksAt(u: uPlot, left: number, marks: Mark[]): Mark[] {
  return marks
    .filter((m) => left >= u.valToPos(m.from, 'x') - nearPx && left <= u.valToPos(m.to, 'x') + nearPx)
    .slice(0, 4);
}

function element(className: string | undefined, ...children: (Node | string)[]): HTMLElement {
  const result = document.createElement('div');
  result.className = className ?? '';
  result.append(...children);
  return result;
}

const head = (text: string) => element(styles.head, text);
const note = (text: string) => element(styles.note, text);

function swatch(color: string): HTMLElement {
  const result = element(styles.swatch);
  result.style.background = canvasColor(color);
  return result;
}

function row(s: Series, value: number, focused: boolean): HTMLElement {
  const name = element(styles.name, s.name);
  const text = element(styles.value, formatText(value, s.config.unit, s.config.decimals));
  return element(focused ? `${styles.row} ${styles.focused}` : styles.row, swatch(s.color), name, text);
}

function markRow(mark: Mark): HTMLElement {
  const text = mark.text ? `${mark.title}: ${mark.text}` : mark.title;
  return element(styles.row, swatch(mark.color), element(styles.name, text));
}

const maxLabels = 6;

function exemplarRows(exemplar: Exemplar | undefined, { series, zone }: TooltipOptions): HTMLElement[] {
  if (!exemplar) return [];
  const { time, value, labels, refId } = exemplar;
  const own = series().find((s) => s.refId === refId);
  const line = (name: string, text: string) =>
    element(styles.row, swatch(exemplarColor), element(styles.name, name), element(styles.value, text));
  return [
    line(`Exemplar at ${formatInstant(time, zone, true)}`, formatText(value, own?.config.unit)),
    ...Object.entries(labels)
      .slice(0, maxLabels)
      .map(([name, text]) => line(name, text)),
    note('Click to keep it open'),
  ];
}

/**
 * Beside the mouse, towards the middle of the window and never out of it. The
 * style sheet does the sum: to ask for the box's size would lay out the page at
 * each move.
 */
export function beside(x: number, y: number): string {
  const across =
    x < window.innerWidth / 2 ? `min(${x + 16}px, 100vw - 100% - 4px)` : `max(4px, ${x - 16}px - 100%)`;
  return `translate(${across}, max(8px, min(${y}px - 50%, 100vh - 100% - 8px)))`;
}
