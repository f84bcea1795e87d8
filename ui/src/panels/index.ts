import { lazy } from 'react';
import { BarGaugePanel } from './bargauge/BarGaugePanel';
import { GaugePanel } from './gauge/GaugePanel';
import { HeatmapPanel } from './heatmap/HeatmapPanel';
import { LogsPanel, UnknownPanel } from './other/OtherPanel';
import { PieChartPanel } from './piechart/PieChartPanel';
import { StatPanel } from './stat/StatPanel';
import { TablePanel } from './table/TablePanel';
import { StateTimelinePanel, StatusHistoryPanel } from './timeline/TimelinePanel';
import { TimeSeriesPanel } from './timeseries/TimeSeriesPanel';
import type { PanelKind } from './types';

/** Every way to draw data. To add one: a folder, and a line here. */
export const panelKinds: PanelKind[] = [
  { type: 'timeseries', name: 'Time series', component: TimeSeriesPanel },
  { type: 'stat', name: 'Stat', component: StatPanel },
  { type: 'gauge', name: 'Gauge', component: GaugePanel },
  { type: 'bargauge', name: 'Bar gauge', component: BarGaugePanel },
  { type: 'piechart', name: 'Pie chart', component: PieChartPanel },
  { type: 'table', name: 'Table', component: TablePanel },
  { type: 'state-timeline', name: 'State timeline', component: StateTimelinePanel },
  { type: 'status-history', name: 'Status history', component: StatusHistoryPanel },
  { type: 'heatmap', name: 'Heatmap', component: HeatmapPanel },
  // Markdown and its sanitiser are needed by this one alone.
  { type: 'text', name: 'Text', component: lazy(() => import('./text/TextPanel')), needsNoData: true },
  { type: 'logs', name: 'Logs', component: LogsPanel, needsNoData: true },
];

const unknown: PanelKind = { type: '', name: 'Unknown', component: UnknownPanel, needsNoData: true };

export const panelKind = (type: string): PanelKind => panelKinds.find((k) => k.type === type) ?? unknown;
