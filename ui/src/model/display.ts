import { formatValue } from '../units';
import { continuousScale, onScale, paletteColor, resolveColor } from './colors';
import type { FieldConfig } from './fieldConfig';
import type { Field, Value } from './frame';
import { mapValue } from './mappings';
import { formatInstant, type TimeZone } from './time';
import { absoluteSteps, stepAt } from './thresholds';

/** A value ready to be shown. */
export interface Display {
  text: string;
  /** Stands before and after the text, for layouts that make it smaller. */
  prefix: string;
  suffix: string;
  color: string;
  value: Value;
}

export interface DisplayContext {
  zone: TimeZone;
  /** For colours of the palette. */
  index?: number;
  /** The range of the data, where the field has no min and max of its own. */
  min?: number;
  max?: number;
  theme?: 'dark' | 'light';
}

export function display(
  config: FieldConfig,
  value: Value,
  context: DisplayContext,
  type: Field['type'] = 'number',
): Display {
  const mapped = config.mappings.length > 0 ? mapValue(config.mappings, value) : undefined;
  const color = mapped?.color ? resolveColor(mapped.color) : colorOf(config, value, context);
  const plain = (text: string): Display => ({ text, prefix: '', suffix: '', color, value });
  if (mapped?.text !== undefined && mapped.text !== '') return plain(mapped.text);
  if (value === null) return plain(config.noValue ?? '–');
  if (type === 'time' && typeof value === 'number') return plain(formatInstant(value, context.zone));
  if (typeof value === 'number')
    return { ...formatValue(value, config.unit, config.decimals, context.zone), color, value };
  return plain(String(value));
}

export const displayText = (d: Display): string => d.prefix + d.text + d.suffix;

export function colorOf(config: FieldConfig, value: Value, context: DisplayContext): string {
  const { mode, fixedColor } = config.color;
  const min = config.min ?? context.min ?? 0;
  const max = config.max ?? context.max ?? 100;
  if (mode === 'fixed' || mode === 'shades') return resolveColor(fixedColor || 'green');
  if (mode.startsWith('palette')) return paletteColor(context.index ?? 0);
  const scale = continuousScale(mode);
  if (scale && typeof value === 'number') return onScale(scale, max > min ? (value - min) / (max - min) : 0);
  const steps = absoluteSteps(config.thresholds, min, max);
  return resolveColor(stepAt(steps, typeof value === 'number' ? value : null)?.color ?? 'green');
}
