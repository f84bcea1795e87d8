import type uPlot from 'uplot';
import type { Exemplar } from '../../model/exemplars';
import { hiddenFrom } from '../../model/fieldConfig';
import { formatInstant, type TimeZone } from '../../model/time';
import { formatText } from '../../units';
import { TooltipBox, type TooltipContent, type TooltipLine } from '../tooltipBox';
import type { Mark } from '../types';
import { exemplarAt, exemplarColor } from './exemplars';
import type { Series } from './series';

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

/** The values under the mouse. */
export function tooltipPlugin(options: TooltipOptions): uPlot.Plugin {
  let box: TooltipBox | undefined;
  let inside = false;
  const show = (u: uPlot) => {
    if (!inside) return;
    const { left = -1, top = 0, idx } = u.cursor;
    if (idx === null || idx === undefined || left < 0) {
      box?.hide();
      return;
    }
    box ??= new TooltipBox();
    box.show(contentAt(u, idx, left, options), u.rect.left + left, u.rect.top + top);
  };
  return {
    hooks: {
      init: (u) => {
        u.over.addEventListener('mouseenter', () => (inside = options.mode !== 'none'));
        u.over.addEventListener('mouseleave', () => {
          inside = false;
          box?.hide();
        });
      },
      setCursor: show,
      destroy: () => box?.remove(),
    },
  };
}

function contentAt(u: uPlot, idx: number, left: number, options: TooltipOptions): TooltipContent {
  const exemplar = exemplarAt(u, options.exemplars?.() ?? [], options.series());
  const above = [...marksAt(u, left, options.marks()).map(markLine), ...exemplarLines(exemplar, options)];
  const { lines, strong, more } = valuesAt(u, idx, options);
  const notes = [more > 0 ? `and ${more} more` : '', exemplar ? 'Click to keep it open' : ''];
  return {
    head: formatInstant(Number(u.data[0][idx]), options.zone),
    lines: [...above, ...lines],
    strong: strong === undefined ? undefined : above.length + strong,
    note: notes.filter((n) => n !== '').join('. '),
  };
}

interface Entry {
  series: Series;
  value: number;
  index: number;
}

function valuesAt(
  u: uPlot,
  idx: number,
  { series, mode, sort }: TooltipOptions,
): { lines: TooltipLine[]; strong?: number; more: number } {
  const focused = nearest(u, idx);
  const entries: Entry[] = [];
  series().forEach((s, i) => {
    const value = s.values[idx];
    if (s.hidden || typeof value !== 'number' || hiddenFrom(s.config, 'tooltip')) return;
    entries.push({ series: s, value, index: i + 1 });
  });
  if (mode === 'single')
    return { lines: entries.filter((e) => e.index === focused).map(line), strong: 0, more: 0 };
  const order = sort === 'asc' ? 1 : -1;
  // Many series are only readable in order, whatever the dashboard says.
  if (sort !== 'none' || entries.length > maxRows) entries.sort((a, b) => order * (a.value - b.value));
  const at = entries.findIndex((e) => e.index === focused);
  const start = Math.max(0, Math.min(at - maxRows + 2, entries.length - maxRows));
  const shown = entries.slice(start, start + maxRows);
  return {
    lines: shown.map(line),
    strong: at < 0 ? undefined : at - start,
    more: entries.length - shown.length,
  };
}

const line = ({ series, value }: Entry): TooltipLine => ({
  name: series.name,
  color: series.color,
  value: formatText(value, series.config.unit, series.config.decimals),
});

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

const markLine = ({ title, text, color }: Mark): TooltipLine => ({
  name: text ? `${title}: ${text}` : title,
  color,
});

const maxLabels = 6;

function exemplarLines(exemplar: Exemplar | undefined, { series, zone }: TooltipOptions): TooltipLine[] {
  if (!exemplar) return [];
  const { time, value, labels, refId } = exemplar;
  const unit = series().find((s) => s.refId === refId)?.config.unit;
  return [
    {
      name: `Exemplar at ${formatInstant(time, zone, true)}`,
      color: exemplarColor,
      value: formatText(value, unit),
    },
    ...Object.entries(labels)
      .slice(0, maxLabels)
      .map(([name, text]) => ({ name, color: exemplarColor, value: text })),
  ];
}
