import { display, displayText } from '../../model/display';
import { hiddenFrom } from '../../model/fieldConfig';
import { displayName, timeField, type Field, type Frame } from '../../model/frame';
import type { TimeZone } from '../../model/time';

export interface Span {
  from: number;
  to: number;
  text: string;
  color: string;
}

export interface Lane {
  name: string;
  spans: Span[];
}

/**
 * The states of each field over time. Neighbours of one text become one span when
 * merged; a value holds until the next sample, and a missing one is a gap.
 */
export function lanesOf(frames: Frame[], zone: TimeZone, merge: boolean, end: number): Lane[] {
  return frames.flatMap((frame) => {
    const time = timeField(frame);
    if (!time) return [];
    return frame.fields
      .filter((f) => f !== time && f.type !== 'time' && !hiddenFrom(f.config, 'viz'))
      .map((field) => ({
        name: displayName(field, frame),
        spans: spansOf(field, time.values as number[], frame.stepMs ?? 0, { zone, merge, end }),
      }));
  });
}

function spansOf(
  field: Field,
  times: number[],
  stepMs: number,
  { zone, merge, end }: { zone: TimeZone; merge: boolean; end: number },
): Span[] {
  const spans: Span[] = [];
  const colors = new Map<string, string>();
  let open: Span | undefined;
  field.values.forEach((value, i) => {
    const from = times[i] ?? 0;
    const to = Math.min(end, stepMs > 0 ? from + stepMs : (times[i + 1] ?? end));
    if (value === null || to <= from) {
      open = undefined;
      return;
    }
    const shown = display(field.config, value, { zone, index: colors.size }, field.type);
    const text = displayText(shown);
    // States without colours of their own take the palette's by text.
    if (!colors.has(text)) colors.set(text, shown.color);
    if (merge && open && open.text === text && open.to >= from - 1) {
      open.to = to;
      return;
    }
    open = { from, to, text, color: colors.get(text) ?? shown.color };
    spans.push(open);
  });
  return spans;
}
