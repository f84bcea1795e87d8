import type { ComponentType } from 'react';
import type { Panel } from '../model/dashboard';
import type { Exemplar } from '../model/exemplars';
import type { Frame } from '../model/frame';
import type { Scope } from '../model/interpolate';
import type { RawRange, TimeZone } from '../model/time';

/** A moment or a span that is marked on graphs: a deployment, an alert. */
export interface Mark {
  from: number;
  /** Equal to from for a moment. */
  to: number;
  title: string;
  text: string;
  color: string;
}

/** What every visualisation is given. Frames are transformed and configured. */
export interface PanelProps {
  panel: Panel;
  frames: Frame[];
  exemplars: Exemplar[];
  width: number;
  height: number;
  range: { from: number; to: number };
  zone: TimeZone;
  theme: 'dark' | 'light';
  scope: Scope;
  marks: Mark[];
  /** Panels with the same one share their crosshair. */
  syncKey?: string;
  onZoom?: (range: RawRange) => void;
  onZoomOut?: () => void;
}

export interface PanelKind {
  type: string;
  name: string;
  component: ComponentType<PanelProps>;
  /** Draws something without any query: text. */
  needsNoData?: boolean;
}
