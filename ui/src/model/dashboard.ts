import { asArray, asBool, asNumber, asObject, asObjects, asString, isObject, type JsonObject } from './json';
import { migratePanel, panelsOfOldRows } from './migrate';

/**
 * A dashboard is Grafana's classic JSON and stays it: what is not understood is
 * kept because nothing is ever converted. The functions here read views out of
 * the JSON and return changed copies of it.
 */
export type Dashboard = JsonObject;

export interface GridPos {
  x: number;
  y: number;
  w: number;
  h: number;
}

export const gridColumns = 24;

export interface Target {
  refId: string;
  expr: string;
  legendFormat: string;
  format: 'time_series' | 'table' | 'heatmap';
  instant: boolean;
  range: boolean;
  hide: boolean;
  exemplar: boolean;
  interval: string;
  intervalFactor: number;
  /** Set if another kind of data source would have to answer. */
  foreign?: string;
}

export interface Panel {
  id: number;
  type: string;
  title: string;
  description: string;
  transparent: boolean;
  gridPos: GridPos;
  targets: Target[];
  transformations: { id: string; options: JsonObject; disabled: boolean }[];
  options: JsonObject;
  fieldConfig: JsonObject;
  /** The least step of the queries: "30s" or ">30s". */
  interval: string;
  maxDataPoints?: number;
  timeFrom: string;
  timeShift: string;
  repeat: string;
  repeatDirection: 'h' | 'v';
  maxPerRow: number;
  links: Link[];
  /** Of rows. */
  collapsed: boolean;
  panels: Panel[];
  /** What the panel was read from, for what this type does not name. */
  raw: JsonObject;
}

export interface Link {
  title: string;
  url: string;
  newTab: boolean;
}

export interface Annotation {
  name: string;
  kind: 'prometheus' | 'alerts';
  expr: string;
  step: string;
  color: string;
  enabled: boolean;
  hidden: boolean;
  titleFormat: string;
  textFormat: string;
  tagKeys: string;
  useValueForTime: boolean;
}

/** The dashboard inside what people paste: itself, or an API answer around it. */
export function parseDashboard(text: string): Dashboard {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`this is not JSON: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  if (!isObject(value)) throw new Error('a dashboard is a JSON object; this is something else');
  if (isObject(value.dashboard) && !('panels' in value)) value = value.dashboard;
  const dashboard = value as Dashboard;
  if (asString(dashboard.apiVersion, '').startsWith('dashboard.grafana.app')) {
    throw new Error("this is Grafana's new schema; export it with the classic model");
  }
  if (!Array.isArray(dashboard.panels) && !Array.isArray(dashboard.rows)) {
    throw new Error('this JSON has neither "panels" nor "rows": it is no Grafana dashboard');
  }
  return dashboard;
}

export const newDashboard = (title: string): Dashboard => ({
  title,
  tags: [],
  editable: true,
  graphTooltip: 1,
  panels: [],
  templating: { list: [] },
  annotations: { list: [] },
  time: { from: 'now-1h', to: 'now' },
  refresh: '10s',
  schemaVersion: 39,
});

export const titleOf = (d: Dashboard): string => asString(d.title, '') || 'Untitled';
export const uidOf = (d: Dashboard): string => asString(d.uid, '');
export const tagsOf = (d: Dashboard): string[] => asArray(d.tags).filter((t) => typeof t === 'string');

/** 0: every panel for itself, 1: the crosshair is shared, 2: the tooltip too. */
export const sharedCrosshair = (d: Dashboard): boolean => asNumber(d.graphTooltip, 0) > 0;

export function timeDefaults(d: Dashboard): { from: string; to: string; refresh: string; zone: string } {
  const time = asObject(d.time);
  return {
    from: String(time.from ?? 'now-6h'),
    to: String(time.to ?? 'now'),
    refresh: asString(d.refresh, ''),
    zone: asString(d.timezone, 'browser') || 'browser',
  };
}

/** The top level: rows and what is between them, in reading order. */
export function panelsOf(d: Dashboard): Panel[] {
  const raw = Array.isArray(d.panels) ? asObjects(d.panels) : panelsOfOldRows(asObjects(d.rows));
  return raw.map(readPanel).sort((a, b) => a.gridPos.y - b.gridPos.y || a.gridPos.x - b.gridPos.x);
}

/** Also finds panels inside collapsed rows. */
export function findPanel(d: Dashboard, id: number): Panel | undefined {
  const top = panelsOf(d);
  return [...top, ...top.flatMap((p) => p.panels)].find((p) => p.id === id);
}

export function readPanel(original: JsonObject): Panel {
  const raw = migratePanel(original);
  const grid = asObject(raw.gridPos);
  const width = Math.min(gridColumns, Math.max(1, asNumber(grid.w, 12)));
  return {
    id: asNumber(raw.id, 0),
    type: asString(raw.type, ''),
    title: asString(raw.title, ''),
    description: asString(raw.description, ''),
    transparent: asBool(raw.transparent),
    gridPos: {
      x: Math.min(gridColumns - width, Math.max(0, asNumber(grid.x, 0))),
      y: Math.max(0, asNumber(grid.y, 0)),
      w: width,
      h: Math.max(1, asNumber(grid.h, 8)),
    },
    targets: asObjects(raw.targets).map(readTarget),
    transformations: asObjects(raw.transformations).map((t) => ({
      id: asString(t.id, ''),
      options: asObject(t.options),
      disabled: asBool(t.disabled),
    })),
    options: asObject(raw.options),
    fieldConfig: asObject(raw.fieldConfig),
    interval: asString(raw.interval, ''),
    maxDataPoints: asNumber(raw.maxDataPoints, undefined),
    timeFrom: asString(raw.timeFrom, ''),
    timeShift: asString(raw.timeShift, ''),
    repeat: asString(raw.repeat, ''),
    repeatDirection: raw.repeatDirection === 'v' ? 'v' : 'h',
    maxPerRow: Math.max(1, asNumber(raw.maxPerRow, 4)),
    links: readLinks(raw.links),
    collapsed: asBool(raw.collapsed),
    panels: raw.type === 'row' ? asObjects(raw.panels).map(readPanel) : [],
    raw: original,
  };
}

function readTarget(raw: JsonObject, index: number): Target {
  const format = raw.format === 'table' || raw.format === 'heatmap' ? raw.format : 'time_series';
  const kind = isObject(raw.datasource) ? asString(raw.datasource.type, '') : '';
  return {
    refId: asString(raw.refId, '') || refIdAt(index),
    expr: asString(raw.expr, ''),
    legendFormat: asString(raw.legendFormat, ''),
    format,
    instant: asBool(raw.instant),
    range: asBool(raw.range),
    hide: asBool(raw.hide),
    exemplar: asBool(raw.exemplar),
    interval: asString(raw.interval, ''),
    intervalFactor: Math.max(1, asNumber(raw.intervalFactor, 1)),
    foreign:
      kind !== '' && kind !== 'prometheus' && !kind.startsWith('$') && kind !== 'datasource'
        ? kind
        : undefined,
  };
}

/** A, B, … Z, AA, AB, … */
export function refIdAt(index: number): string {
  const last = String.fromCharCode(65 + (index % 26));
  return index < 26 ? last : refIdAt(Math.floor(index / 26) - 1) + last;
}

export function readLinks(value: unknown): Link[] {
  return asObjects(value)
    .map((l) => ({
      title: asString(l.title, ''),
      url: asString(l.url, ''),
      newTab: asBool(l.targetBlank),
    }))
    .filter((l) => l.url !== '');
}

export function annotationsOf(d: Dashboard): Annotation[] {
  return asObjects(asObject(d.annotations).list).flatMap((raw): Annotation[] => {
    const source = isObject(raw.datasource) ? asString(raw.datasource.uid, '') : asString(raw.datasource, '');
    const target = asObject(raw.target);
    const expr = asString(raw.expr, '') || asString(target.expr, '');
    const builtIn = raw.builtIn === 1 || source === '-- Grafana --' || source === 'grafana';
    if (!expr && !builtIn) return [];
    return [
      {
        name: asString(raw.name, ''),
        kind: expr ? 'prometheus' : 'alerts',
        expr,
        step: asString(raw.step, ''),
        color: asString(raw.iconColor, '') || 'blue',
        enabled: asBool(raw.enable, true),
        hidden: asBool(raw.hide),
        titleFormat: asString(raw.titleFormat, ''),
        textFormat: asString(raw.textFormat, ''),
        tagKeys: asString(raw.tagKeys, ''),
        useValueForTime: raw.useValueForTime === true || raw.useValueForTime === 'on',
      },
    ];
  });
}
