import { asNumber, asObject, asObjects, asString } from './json';

export interface ThresholdStep {
  /** -Infinity for the base. */
  value: number;
  color: string;
}

export interface Thresholds {
  mode: 'absolute' | 'percentage';
  steps: ThresholdStep[];
}

/** Without any, everything is green, as Grafana's default panel has it. */
const none: Thresholds = { mode: 'absolute', steps: [{ value: -Infinity, color: 'green' }] };

export function readThresholds(raw: unknown): Thresholds {
  const { mode, steps } = asObject(raw);
  const read = asObjects(steps)
    .map((s) => ({ value: asNumber(s.value, -Infinity), color: asString(s.color, 'green') }))
    .sort((a, b) => a.value - b.value);
  if (read.length === 0) return none;
  return { mode: mode === 'percentage' ? 'percentage' : 'absolute', steps: read };
}

/** The steps as values, with percentages taken between min and max. */
export function absoluteSteps(t: Thresholds, min: number, max: number): ThresholdStep[] {
  if (t.mode === 'absolute') return t.steps;
  return t.steps.map((s) => ({
    ...s,
    value: s.value === -Infinity ? s.value : min + ((max - min) * s.value) / 100,
  }));
}

/** The last step that the value has reached. */
export function stepAt(steps: ThresholdStep[], value: number | null): ThresholdStep | undefined {
  if (value === null) return steps[0];
  let found = steps[0];
  for (const step of steps) if (value >= step.value) found = step;
  return found;
}
