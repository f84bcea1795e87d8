import type { Thresholds } from './thresholds';
import { readThresholds } from './thresholds';
import { displayName, type Field, type Frame } from './frame';
import {
  asArray,
  asNumber,
  asObject,
  asObjects,
  asString,
  dotted,
  isObject,
  setPath,
  type JsonObject,
} from './json';
import { readMappings, type Mapping } from './mappings';
import { readLinks, type Link } from './dashboard';
import { slashedRegExp } from './variables';

export interface ColorConfig {
  /** "palette-classic", "thresholds", "fixed", "shades", "continuous-GrYlRd", … */
  mode: string;
  fixedColor: string;
}

/** How one field is written and drawn: the panel's defaults with the overrides that match. */
export interface FieldConfig {
  displayName?: string;
  unit?: string;
  decimals?: number;
  min?: number;
  max?: number;
  noValue?: string;
  color: ColorConfig;
  thresholds: Thresholds;
  mappings: Mapping[];
  links: Link[];
  /** The panel's own options of a field; each panel reads what it knows. */
  custom: JsonObject;
}

export const emptyConfig: FieldConfig = readFieldConfig({});

export function readFieldConfig(raw: JsonObject): FieldConfig {
  const color = asObject(raw.color);
  return {
    displayName: asString(raw.displayName, undefined) || undefined,
    unit: asString(raw.unit, undefined) || undefined,
    decimals: asNumber(raw.decimals, undefined),
    min: asNumber(raw.min, undefined),
    max: asNumber(raw.max, undefined),
    noValue: asString(raw.noValue, undefined) || undefined,
    color: { mode: asString(color.mode, ''), fixedColor: asString(color.fixedColor, '') },
    thresholds: readThresholds(raw.thresholds),
    mappings: readMappings(raw.mappings),
    links: readLinks(raw.links),
    custom: asObject(raw.custom),
  };
}

interface Override {
  matches: (field: Field, frame: Frame) => boolean;
  properties: { id: string; value: JsonObject[string] }[];
}

function readOverride(raw: JsonObject): Override {
  const matcher = asObject(raw.matcher);
  return {
    matches: matcherFor(asString(matcher.id, ''), matcher.options),
    properties: asObjects(raw.properties).map((p) => ({ id: asString(p.id, ''), value: p.value })),
  };
}

export function matcherFor(id: string, options: unknown): (field: Field, frame: Frame) => boolean {
  switch (id) {
    case 'byName':
      return (field, frame) => field.name === options || displayName(field, frame) === options;
    case 'byNames': {
      const { names, mode } = asObject(options);
      const wanted = asArray(names);
      return (field, frame) => wanted.includes(displayName(field, frame)) !== (mode === 'exclude');
    }
    case 'byRegexp': {
      const pattern = slashedRegExp(String(options));
      return (field, frame) => pattern.test(displayName(field, frame));
    }
    case 'byType':
      return (field) => field.type === options;
    case 'byFrameRefID':
      return (_, frame) => frame.refId === options;
    case 'numeric':
      return (field) => field.type === 'number';
    case 'time':
      return (field) => field.type === 'time';
    default:
      return () => false;
  }
}

/**
 * Gives each field its configuration. An override of the name is known to the
 * overrides after it, so that they match what people see.
 */
export function applyFieldConfig(frames: Frame[], fieldConfig: JsonObject): Frame[] {
  const defaults = asObject(fieldConfig.defaults);
  const overrides = asObjects(fieldConfig.overrides).map(readOverride);
  const base = readFieldConfig(defaults);
  return frames.map((frame) => ({
    ...frame,
    fields: frame.fields.map((field) => {
      // A name for all fields would name the time and the labels too.
      const own =
        field.type === 'number'
          ? base
          : { ...base, displayName: undefined, links: field.type === 'time' ? [] : base.links };
      let current: Field = { ...field, config: mergeConfig(own, field) };
      for (const { matches, properties } of overrides) {
        if (!matches(field, frame) && !matches(current, frame)) continue;
        let config = current.config;
        for (const { id, value } of properties) config = withProperty(config, id, value);
        current = { ...current, config };
      }
      return current;
    }),
  }));
}

/** What a transformation set on the field stays where the panel says nothing. */
function mergeConfig(own: FieldConfig, field: Field): FieldConfig {
  if (field.config === emptyConfig) return own;
  return {
    ...own,
    displayName: own.displayName ?? field.config.displayName,
    unit: own.unit ?? field.config.unit,
  };
}

function withProperty(config: FieldConfig, id: string, value: unknown): FieldConfig {
  if (id.startsWith('custom.')) {
    return { ...config, custom: setPath(config.custom, dotted(id.slice(7)), value as JsonObject[string]) };
  }
  const read = readFieldConfig({ [id]: value as JsonObject[string] });
  switch (id) {
    case 'displayName':
    case 'unit':
    case 'decimals':
    case 'min':
    case 'max':
    case 'noValue':
    case 'color':
    case 'thresholds':
    case 'mappings':
    case 'links':
      return { ...config, [id]: read[id] };
    default:
      return config;
  }
}

export const customString = (config: FieldConfig, key: string, fallback: string): string =>
  asString(config.custom[key], fallback);
export const customNumber = (config: FieldConfig, key: string, fallback: number): number =>
  asNumber(config.custom[key], fallback);

export function hiddenFrom(config: FieldConfig, where: 'viz' | 'legend' | 'tooltip'): boolean {
  const hide = config.custom.hideFrom;
  return isObject(hide) && hide[where] === true;
}
