import { withAlpha } from '../../model/colors';
import type { FieldConfig } from '../../model/fieldConfig';
import type { Value } from '../../model/frame';

interface Props {
  values: readonly Value[];
  width: number;
  height: number;
  color: string;
  config: Pick<FieldConfig, 'min' | 'max'>;
}

const maxPoints = 120;

/** A small graph without axes. Where nothing was measured it has a gap. */
export function Sparkline({ values, width, height, color, config }: Props) {
  const { line, area } = pathsOf(values, width, height * 0.45, config);
  return (
    <svg
      width="100%"
      height={height * 0.45}
      viewBox={`0 0 ${width} ${height * 0.45}`}
      preserveAspectRatio="none"
      style={{ position: 'absolute', left: 0, bottom: 0 }}
      aria-hidden="true"
    >
      <path d={area} fill={withAlpha(color, 0.16)} />
      <path
        d={line}
        fill="none"
        stroke={withAlpha(color, 0.75)}
        strokeWidth="1.5"
        vectorEffect="non-scaling-stroke"
      />
    </svg>
  );
}

export function pathsOf(values: readonly Value[], width: number, height: number, config: Props['config']) {
  const points = thinned(values);
  const known = points.filter((v) => v !== null);
  const low = config.min ?? Math.min(...known);
  const high = config.max ?? Math.max(...known);
  const scale = high > low ? (height - 4) / (high - low) : 0;
  let line = '';
  let area = '';
  let start: number | undefined;
  let last = 0;
  points.forEach((v, i) => {
    const x = round((i / Math.max(1, points.length - 1)) * width);
    if (v === null) {
      if (start !== undefined) area += `L${last},${height}Z`;
      start = undefined;
      return;
    }
    const y = round(scale === 0 ? height / 2 : height - 2 - (Math.min(high, Math.max(low, v)) - low) * scale);
    line += `${start === undefined ? 'M' : 'L'}${x},${y}`;
    area += start === undefined ? `M${x},${height}L${x},${y}` : `L${x},${y}`;
    start ??= x;
    last = x;
  });
  if (start !== undefined) area += `L${last},${height}Z`;
  return { line, area };
}

const round = (n: number) => Math.round(n * 10) / 10;

/** The mean of each of at most maxPoints stretches; one without values is a gap. */
function thinned(values: readonly Value[]): (number | null)[] {
  const size = Math.max(1, Math.ceil(values.length / maxPoints));
  const result: (number | null)[] = [];
  for (let i = 0; i < values.length; i += size) {
    let sum = 0;
    let count = 0;
    for (let j = i; j < Math.min(values.length, i + size); j++) {
      const v = values[j];
      if (typeof v === 'number' && Number.isFinite(v)) {
        sum += v;
        count++;
      }
    }
    result.push(count > 0 ? sum / count : null);
  }
  return result;
}
