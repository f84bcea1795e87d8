import {
  asArray,
  asNumber,
  asObject,
  asObjects,
  asString,
  setPath,
  type Json,
  type JsonObject,
} from './json';

/**
 * Panels of older schemas, read as today's. Only the view is new: the JSON that is
 * saved stays as it came, until someone edits the panel.
 */
export function migratePanel(raw: JsonObject): JsonObject {
  switch (raw.type) {
    case 'graph':
      return fromGraph(raw);
    case 'singlestat':
    case 'grafana-singlestat-panel':
      return fromSingleStat(raw);
    case 'table-old':
      return { ...raw, type: 'table' };
    case 'heatmap':
      return fromOldHeatmap(raw);
    case 'text':
      return raw.options
        ? raw
        : { ...raw, options: { mode: raw.mode ?? 'markdown', content: raw.content ?? '' } };
    default:
      return raw;
  }
}

function fromGraph(raw: JsonObject): JsonObject {
  const [left, right] = asObjects(raw.yaxes);
  const legend = asObject(raw.legend);
  const calcs: [string, string][] = [
    ['avg', 'mean'],
    ['current', 'lastNotNull'],
    ['max', 'max'],
    ['min', 'min'],
    ['total', 'sum'],
  ];
  const custom: JsonObject = {
    drawStyle: raw.bars === true ? 'bars' : raw.lines === false ? 'points' : 'line',
    lineWidth: asNumber(raw.linewidth, 1),
    fillOpacity: asNumber(raw.fill, 1) * 10,
    showPoints: raw.points === true ? 'always' : 'never',
    spanNulls: raw.nullPointMode === 'connected',
    lineInterpolation: raw.steppedLine === true ? 'stepAfter' : 'linear',
    stacking: {
      mode: raw.stack === true ? (raw.percentage === true ? 'percent' : 'normal') : 'none',
      group: 'A',
    },
    axisLabel: left?.label ?? '',
    scaleDistribution:
      asNumber(left?.logBase, 1) > 1 ? { type: 'log', log: left?.logBase } : { type: 'linear' },
  };
  let defaults: JsonObject = { custom };
  if (left?.format) defaults = { ...defaults, unit: left.format };
  for (const end of ['min', 'max']) {
    const value = asNumber(left?.[end], undefined);
    if (value !== undefined) defaults = { ...defaults, [end]: value };
  }
  return {
    ...raw,
    type: 'timeseries',
    options: {
      legend: {
        showLegend: legend.show !== false,
        displayMode: legend.alignAsTable === true ? 'table' : 'list',
        placement: legend.rightSide === true ? 'right' : 'bottom',
        calcs:
          legend.values === true ? calcs.filter(([old]) => legend[old] === true).map(([, now]) => now) : [],
      },
      tooltip: { mode: asObject(raw.tooltip).shared === false ? 'single' : 'multi' },
    },
    fieldConfig: { defaults, overrides: seriesOverrides(raw, right) },
  };
}

/** The old panel's overrides by alias, which may be /a regular expression/. */
function seriesOverrides(raw: JsonObject, right: JsonObject | undefined): Json[] {
  return asObjects(raw.seriesOverrides).map((o) => {
    const alias = asString(o.alias, '');
    const properties: JsonObject[] = [];
    if (o.color) properties.push({ id: 'color', value: { mode: 'fixed', fixedColor: o.color } });
    if (o.transform === 'negative-Y') properties.push({ id: 'custom.transform', value: 'negative-Y' });
    if (o.fill !== undefined) properties.push({ id: 'custom.fillOpacity', value: asNumber(o.fill, 1) * 10 });
    if (o.linewidth !== undefined) properties.push({ id: 'custom.lineWidth', value: o.linewidth });
    if (o.stack === false) properties.push({ id: 'custom.stacking', value: { mode: 'none', group: 'A' } });
    if (o.dashes === true)
      properties.push({ id: 'custom.lineStyle', value: { fill: 'dash', dash: [10, 10] } });
    if (o.legend === false) properties.push({ id: 'custom.hideFrom', value: { legend: true } });
    if (o.yaxis === 2) {
      properties.push({ id: 'custom.axisPlacement', value: 'right' });
      if (right?.format) properties.push({ id: 'unit', value: right.format });
    }
    const matcher = alias.startsWith('/') ? 'byRegexp' : 'byName';
    return { matcher: { id: matcher, options: alias }, properties };
  });
}

function fromSingleStat(raw: JsonObject): JsonObject {
  const calcs: Record<string, string> = {
    avg: 'mean',
    current: 'lastNotNull',
    total: 'sum',
    first: 'first',
    name: 'lastNotNull',
  };
  const gauge = asObject(raw.gauge);
  const colors = asArray(raw.colors);
  const limits = asString(raw.thresholds, '')
    .split(',')
    .map((t) => asNumber(t, undefined))
    .filter((t) => t !== undefined);
  const steps: Json[] = [{ color: colors[0] ?? 'green', value: null }];
  limits.forEach((value, i) => steps.push({ color: colors[i + 1] ?? 'red', value }));
  const mappings = asObjects(raw.valueMaps).map((m) => ({
    type: 'value',
    options: { [String(m.value)]: { text: asString(m.text, '') } },
  }));
  let panel: JsonObject = {
    ...raw,
    type: gauge.show === true ? 'gauge' : 'stat',
    options: {
      reduceOptions: { calcs: [calcs[asString(raw.valueName, 'avg')] ?? asString(raw.valueName, 'mean')] },
      graphMode: asObject(raw.sparkline).show === true ? 'area' : 'none',
      colorMode: raw.colorBackground === true ? 'background' : raw.colorValue === true ? 'value' : 'none',
      textMode: 'auto',
    },
    fieldConfig: {
      defaults: { unit: raw.format ?? 'none', thresholds: { mode: 'absolute', steps }, mappings },
      overrides: [],
    },
  };
  if (asNumber(raw.decimals, undefined) !== undefined) {
    panel = setPath(panel, ['fieldConfig', 'defaults', 'decimals'], raw.decimals);
  }
  if (gauge.show === true) {
    panel = setPath(panel, ['fieldConfig', 'defaults', 'min'], asNumber(gauge.minValue, 0));
    panel = setPath(panel, ['fieldConfig', 'defaults', 'max'], asNumber(gauge.maxValue, 100));
  }
  return panel;
}

function fromOldHeatmap(raw: JsonObject): JsonObject {
  const options = asObject(raw.options);
  if (options.color || options.yAxis) return raw;
  const axis = asObject(raw.yAxis);
  return {
    ...raw,
    options: {
      ...options,
      yAxis: { unit: axis.format ?? 'short' },
      calculate: raw.dataFormat === 'timeseries',
    },
  };
}

/** Before schema 16 panels stood in rows and were as wide as their span of 12. */
export function panelsOfOldRows(rows: JsonObject[]): JsonObject[] {
  const result: JsonObject[] = [];
  let y = 0;
  let nextId = 10_000;
  for (const row of rows) {
    const height = Math.max(3, Math.ceil(asNumber(String(row.height ?? 250).replace('px', ''), 250) / 38));
    const inside: JsonObject[] = [];
    let x = 0;
    let below = y + 1;
    for (const panel of asObjects(row.panels)) {
      const w = Math.min(24, Math.max(1, Math.round(asNumber(panel.span, 4) * 2)));
      if (x + w > 24) {
        x = 0;
        below += height;
      }
      inside.push({ ...panel, gridPos: { x, y: below, w, h: height } });
      x += w;
    }
    const title = asString(row.title, '');
    const collapsed = row.collapse === true;
    if (title !== '' || collapsed || row.repeat) {
      const head = {
        id: nextId++,
        type: 'row',
        title,
        collapsed,
        repeat: row.repeat ?? '',
        gridPos: { x: 0, y, w: 24, h: 1 },
      };
      result.push({ ...head, panels: collapsed ? inside : [] });
    }
    if (!collapsed) result.push(...inside);
    y = below + height;
  }
  return result;
}
