import { displayName, type Frame, type Value } from '../model/frame';
import { toTables } from './table/rows';

/** All frames as CSV, one below the other; times in ISO 8601. */
export function toCsv(frames: Frame[]): string {
  return toTables(joined(frames))
    .map((frame) => {
      const head = frame.fields.map((f) => quote(displayName(f, frame)));
      const rows = Array.from({ length: frame.length }, (_, i) =>
        frame.fields.map((f) => cell(f.values[i] ?? null, f.type === 'time')).join(','),
      );
      return [head.join(','), ...rows].join('\r\n');
    })
    .join('\r\n\r\n');
}

/** Series on the same times stand side by side. */
function joined(frames: Frame[]): Frame[] {
  const groups = new Map<unknown, Frame>();
  for (const frame of frames) {
    const [time, ...rest] = frame.fields;
    const known = frame.kind === 'series' && frame.length > 1 ? groups.get(time?.values) : undefined;
    if (known) groups.set(time?.values, { ...known, fields: [...known.fields, ...rest] });
    else groups.set(time?.type === 'time' && frame.length > 1 ? time.values : frame, frame);
  }
  return [...groups.values()];
}

function cell(value: Value, isTime: boolean): string {
  if (value === null || value === undefined) return '';
  if (isTime && typeof value === 'number') return new Date(value).toISOString();
  return typeof value === 'string' ? quote(value) : String(value);
}

/** A spreadsheet must not take a label for a formula. */
function quote(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function download(name: string, content: Blob): void {
  const url = URL.createObjectURL(content);
  const link = document.createElement('a');
  link.href = url;
  link.download = name.replace(/[^\p{L}\p{N}._ -]/gu, '_');
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** The canvas of a panel with its title on the page's ground; undefined if it has none. */
export async function toPng(element: HTMLElement | null, title: string): Promise<Blob | undefined> {
  const source = element?.querySelector('canvas');
  if (!source) return undefined;
  const style = getComputedStyle(document.documentElement);
  const head = 34 * devicePixelRatio;
  const canvas = document.createElement('canvas');
  canvas.width = source.width;
  canvas.height = source.height + head;
  const context = canvas.getContext('2d');
  if (!context) return undefined;
  context.fillStyle = style.getPropertyValue('--hw-panel').trim();
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = style.getPropertyValue('--hw-text').trim();
  context.font = `600 ${14 * devicePixelRatio}px ui-sans-serif, system-ui, sans-serif`;
  context.fillText(title, 12 * devicePixelRatio, 22 * devicePixelRatio);
  context.drawImage(source, 0, head);
  return new Promise((done) => canvas.toBlob((blob) => done(blob ?? undefined), 'image/png'));
}
