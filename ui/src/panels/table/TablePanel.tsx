import { Select } from '@mantine/core';
import { IconArrowDown, IconArrowUp } from '@tabler/icons-react';
import { useMemo, useState, type CSSProperties } from 'react';
import { safeHref } from '../../components/href';
import { EmptyState } from '../../components/states';
import { canvasColor, contrastText } from '../../model/colors';
import { display, displayText, type Display } from '../../model/display';
import { customNumber, customString } from '../../model/fieldConfig';
import { displayName, type Field, type Frame } from '../../model/frame';
import { interpolate, textFormat, withExtra, type Scope } from '../../model/interpolate';
import { asArray, asBool, asObject, asObjects, asString, type JsonObject } from '../../model/json';
import { reduce } from '../../model/calcs';
import { compareValues } from '../../model/transform/columns';
import { toTables } from './rows';
import type { PanelProps } from '../types';
import styles from './TablePanel.module.css';

const rowHeight = 29;

interface Sort {
  name: string;
  down: boolean;
}

export function TablePanel({ panel, frames, height, zone, scope }: PanelProps) {
  const tables = useMemo(() => toTables(frames), [frames]);
  const [chosen, setChosen] = useState(0);
  const [sort, setSort] = useState<Sort | undefined>(() => configuredSort(panel.options));
  const [top, setTop] = useState(0);
  const frame = tables[Math.min(chosen, tables.length - 1)];
  const order = useMemo(() => (frame ? sortedRows(frame, sort) : []), [frame, sort]);
  const fields = frame?.fields.filter((f) => f.config.custom.hidden !== true) ?? [];
  const ranges = useMemo(() => new Map(fields.map((f) => [f, rangeOf(f)])), [frame]);
  if (!frame || fields.length === 0) return <EmptyState title="No data" />;

  // Only rows in view exist: a table of ten thousand scrolls like one of ten.
  const first = Math.max(0, Math.floor(top / rowHeight) - 4);
  const visible = order.slice(first, first + Math.ceil(height / rowHeight) + 8);
  const footer = asObject(panel.options.footer);
  const showFooter = asBool(footer.show);
  return (
    <div className={styles.wrap}>
      <div
        className={styles.scroll}
        onScroll={(e) => setTop(e.currentTarget.scrollTop)}
        tabIndex={0}
        role="region"
        aria-label={panel.title || 'Table'}
      >
        <table className={styles.table}>
          {asBool(panel.options.showHeader, true) && (
            <thead>
              <tr>
                {fields.map((field) => (
                  <Heading key={displayName(field)} field={field} sort={sort} onSort={setSort} />
                ))}
              </tr>
            </thead>
          )}
          <tbody>
            {first > 0 && <tr style={{ height: first * rowHeight }} />}
            {visible.map((row) => (
              <tr key={row}>
                {fields.map((field, i) => (
                  <Cell
                    key={i}
                    field={field}
                    row={row}
                    frame={frame}
                    zone={zone}
                    scope={scope}
                    range={ranges.get(field)}
                  />
                ))}
              </tr>
            ))}
            <tr style={{ height: Math.max(0, order.length - first - visible.length) * rowHeight }} />
          </tbody>
          {showFooter && (
            <tfoot>
              <tr>
                {fields.map((field, i) => (
                  <td key={i} className={field.type === 'number' ? styles.number : undefined}>
                    {footerText(field, footer, i)}
                  </td>
                ))}
              </tr>
            </tfoot>
          )}
        </table>
      </div>
      {tables.length > 1 && (
        <Select
          className={styles.choice}
          aria-label="Table"
          value={String(Math.min(chosen, tables.length - 1))}
          onChange={(value) => setChosen(Number(value))}
          data={tables.map((t, i) => ({
            value: String(i),
            label: `${i + 1}: ${t.fields.map((f) => displayName(f, t))[1] ?? t.refId}`,
          }))}
        />
      )}
    </div>
  );
}

function configuredSort(options: JsonObject): Sort | undefined {
  const [first] = asObjects(options.sortBy);
  const name = asString(first?.displayName, '');
  return name ? { name, down: asBool(first?.desc) } : undefined;
}

function sortedRows(frame: Frame, sort: Sort | undefined): number[] {
  const rows = Array.from({ length: frame.length }, (_, i) => i);
  const field = sort && frame.fields.find((f) => displayName(f, frame) === sort.name);
  if (!field) return rows;
  const sign = sort.down ? -1 : 1;
  return rows.sort((a, b) => sign * compareValues(field.values[a] ?? null, field.values[b] ?? null));
}

function rangeOf(field: Field): { min: number; max: number } {
  const [min, max] = [reduce('min', field.values), reduce('max', field.values)];
  return { min: field.config.min ?? Number(min ?? 0), max: field.config.max ?? Number(max ?? 100) };
}

interface HeadingProps {
  field: Field;
  sort?: Sort;
  onSort: (sort: Sort | undefined) => void;
}

function Heading({ field, sort, onSort }: HeadingProps) {
  const name = displayName(field);
  const active = sort?.name === name;
  const next = !active
    ? { name, down: field.type === 'number' }
    : sort.down === (field.type === 'number')
      ? { name, down: !sort.down }
      : undefined;
  const width = customNumber(field.config, 'width', 0);
  return (
    <th
      style={width > 0 ? { width } : undefined}
      className={field.type === 'number' ? styles.number : undefined}
      aria-sort={active ? (sort.down ? 'descending' : 'ascending') : undefined}
    >
      <button type="button" onClick={() => onSort(next)}>
        {name}
        {active && (sort.down ? <IconArrowDown size={13} /> : <IconArrowUp size={13} />)}
      </button>
    </th>
  );
}

interface CellProps {
  field: Field;
  row: number;
  frame: Frame;
  zone: string;
  scope: Scope;
  range?: { min: number; max: number };
}

function Cell({ field, row, frame, zone, scope, range }: CellProps) {
  const value = field.values[row] ?? null;
  const shown = display(field.config, value, { zone, ...range }, field.type);
  const type = cellType(field);
  const text = displayText(shown);
  const href = linkOf(field, frame, row, text, scope);
  const { style, className } = look(type, shown, value === null);
  const align = customString(field.config, 'align', 'auto');
  return (
    <td
      className={`${align === 'auto' && field.type === 'number' ? styles.number : ''} ${className ?? ''}`}
      style={{ ...style, textAlign: align === 'auto' ? undefined : (align as CSSProperties['textAlign']) }}
      title={text.length > 40 ? text : undefined}
    >
      {type.includes('gauge') && typeof value === 'number' && range ? (
        <span className={styles.gauge}>
          <span className={styles.gaugeTrack}>
            <span
              style={{
                width: `${range.max > range.min ? Math.min(100, Math.max(0, ((value - range.min) / (range.max - range.min)) * 100)) : 0}%`,
                background: shown.color,
              }}
            />
          </span>
          <span style={{ color: shown.color }}>{text}</span>
        </span>
      ) : href ? (
        <a href={href.url} target={href.newTab ? '_blank' : undefined} rel="noreferrer">
          {text}
        </a>
      ) : (
        text
      )}
    </td>
  );
}

/** The newer cellOptions and the older displayMode. */
function cellType(field: Field): string {
  const options = asObject(field.config.custom.cellOptions);
  const type = asString(options.type, '') || customString(field.config, 'displayMode', 'auto');
  return type === 'color-background' && options.mode === 'basic' ? 'color-background-solid' : type;
}

function look(type: string, shown: Display, missing: boolean): { style?: CSSProperties; className?: string } {
  if (missing) return { className: styles.missing };
  if (type === 'color-text') return { style: { color: shown.color } };
  if (type.startsWith('color-background')) {
    const ground = canvasColor(shown.color);
    return { style: { background: ground, color: contrastText(ground) } };
  }
  return {};
}

function linkOf(
  field: Field,
  frame: Frame,
  row: number,
  text: string,
  scope: Scope,
): { url: string; newTab: boolean } | undefined {
  const [link] = field.config.links;
  if (!link) return undefined;
  const extra: Record<string, string> = { __value: text };
  const withRow = link.url
    .replace(
      /\$\{__value\.(?:text|raw|numeric)(?::[^}]*)?\}/g,
      encodeURIComponent(String(field.values[row] ?? '')),
    )
    .replace(
      /\$\{__data\.fields\[?["']?\.?([^\]"'}]+)["']?\]?(?:\.[a-z]+)?(?::[^}]*)?\}/g,
      (_, name: string) => {
        const other = /^\d+$/.test(name)
          ? frame.fields[Number(name)]
          : frame.fields.find((f) => f.name === name || displayName(f, frame) === name);
        return encodeURIComponent(String(other?.values[row] ?? ''));
      },
    );
  const url = interpolate(withRow, withExtra(scope, extra), textFormat);
  const href = safeHref(url);
  return href === undefined ? undefined : { url: href, newTab: link.newTab };
}

function footerText(field: Field, footer: JsonObject, index: number): string {
  const calc = String(asArray(footer.reducer)[0] ?? 'sum');
  if (field.type !== 'number') return index === 0 ? calc : '';
  const wanted = asArray(footer.fields);
  if (wanted.length > 0 && !wanted.includes(displayName(field))) return '';
  return displayText(display(field.config, reduce(calc, field.values), { zone: 'utc' }));
}
