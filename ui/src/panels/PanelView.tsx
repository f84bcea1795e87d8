import { Menu, Tooltip, useComputedColorScheme } from '@mantine/core';
import { useElementSize } from '@mantine/hooks';
import {
  IconAlertTriangle,
  IconClockExclamation,
  IconDotsVertical,
  IconExternalLink,
  IconInfoCircle,
} from '@tabler/icons-react';
import { memo, Suspense, useEffect, useMemo, useRef, useState, type ReactNode, type RefObject } from 'react';
import { ApiError, messageOf } from '../api';
import { ErrorBoundary } from '../app/ErrorBoundary';
import { safeHref } from '../components/href';
import { EmptyState, ErrorState, LoadingState } from '../components/states';
import type { Panel } from '../model/dashboard';
import type { Frame } from '../model/frame';
import { interpolate, textFormat, urlFormat, type Scope } from '../model/interpolate';
import { formatClock, type RawRange, type TimeZone } from '../model/time';
import { panelKind } from '.';
import styles from './PanelView.module.css';
import type { Mark } from './types';
import { usePanelData, type PanelState } from './usePanelData';

/** What all panels of a page have in common. */
export interface PanelSetting {
  scope: Scope;
  range: { from: number; to: number };
  zone: TimeZone;
  scrapeIntervalMs: number;
  marks: Mark[];
  syncKey?: string;
  onZoom?: (range: RawRange) => void;
  onZoomOut?: () => void;
}

interface Props {
  panel: Panel;
  setting: PanelSetting;
  /** Items of the panel's menu. Gets what it needs to export. */
  menu?: (tools: PanelTools) => ReactNode;
  onData?: (state: PanelState) => void;
}

export interface PanelTools {
  frames: Frame[];
  title: string;
  /** The panel's element, which may hold a canvas. */
  element: () => HTMLElement | null;
}

const none: never[] = [];

/** A panel with its frame: title, states, menu, and inside it the visualisation. */
export const PanelView = memo(function PanelView({ panel, setting, menu, onData }: Props) {
  const root = useRef<HTMLElement>(null);
  const visible = useSeen(root);
  const { ref: body, width, height } = useElementSize();
  const theme = useComputedColorScheme('dark');
  const kind = panelKind(panel.type);
  const { scope, range, zone, scrapeIntervalMs } = setting;
  const ready = visible && width > 0 && !kind.needsNoData;
  const state = usePanelData(panel, { scope, range, width, scrapeIntervalMs }, ready);
  useEffect(() => onData?.(state), [onData, state]);

  const title = interpolate(panel.title, scope, textFormat);
  const tools: PanelTools = { frames: state.frames, title: title || 'panel', element: () => root.current };
  const shownRange = useMemo(() => state.data?.range ?? range, [state.data, range]);
  const linkScope = useMemo(() => ({ ...scope, range: shownRange }), [scope, shownRange]);
  const Component = kind.component;
  const empty = !kind.needsNoData && state.frames.length === 0;
  const foreign = panel.targets.length > 0 && panel.targets.every((t) => t.foreign);
  return (
    <section
      ref={root}
      className={panel.transparent ? `${styles.panel} ${styles.transparent}` : styles.panel}
      aria-label={title || kind.name}
      data-panel={panel.id}
      data-state={kind.needsNoData ? 'ready' : state.loading ? 'loading' : state.error ? 'error' : 'ready'}
    >
      <div className={styles.bar}>
        <h2 className={styles.title}>{title}</h2>
        {panel.description && (
          <Tooltip label={interpolate(panel.description, scope, textFormat)} multiline maw={360}>
            <IconInfoCircle size={14} className={styles.hint} aria-label={panel.description} />
          </Tooltip>
        )}
        <Notes state={state} />
        {panel.links.map((link) => (
          <a
            key={link.url}
            className={styles.hint}
            href={safeHref(interpolate(link.url, linkScope, urlFormat))}
            target={link.newTab ? '_blank' : undefined}
            rel="noreferrer"
            title={link.title}
            aria-label={link.title || 'Link'}
          >
            <IconExternalLink size={14} />
          </a>
        ))}
        {menu && (
          <Menu position="bottom-end" withinPortal width={190}>
            <Menu.Target>
              <button type="button" className={styles.menu} aria-label={`Menu of ${title || 'the panel'}`}>
                <IconDotsVertical size={15} />
              </button>
            </Menu.Target>
            <Menu.Dropdown>{menu(tools)}</Menu.Dropdown>
          </Menu>
        )}
      </div>
      {state.loading && state.data && <div className={styles.progress} role="status" aria-label="Loading" />}
      <div ref={body} className={styles.body}>
        <ErrorBoundary resetKey={panel}>
          <Suspense fallback={<LoadingState />}>
            {width === 0 || height === 0 ? null : foreign ? (
              <EmptyState
                title="Another data source"
                message={`This panel asks ${panel.targets[0]?.foreign}, and hedgewatch is Prometheus alone.`}
              />
            ) : empty && state.error ? (
              <ErrorState title="The query failed" message={messageOf(state.error)} />
            ) : empty && state.loading ? (
              <LoadingState />
            ) : empty ? (
              <EmptyState
                title="No data"
                message={panel.targets.length === 0 ? 'The panel has no query.' : undefined}
              />
            ) : (
              <Component
                panel={panel}
                frames={state.frames}
                exemplars={state.data?.exemplars ?? none}
                width={width}
                height={height}
                range={shownRange}
                zone={zone}
                theme={theme}
                scope={linkScope}
                marks={setting.marks}
                syncKey={setting.syncKey}
                onZoom={setting.onZoom}
                onZoomOut={setting.onZoomOut}
              />
            )}
          </Suspense>
        </ErrorBoundary>
      </div>
    </section>
  );
});

/** A panel that was in view once stays awake: scrolling back must not show it empty. */
function useSeen(element: RefObject<HTMLElement | null>): boolean {
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    if (seen || !element.current) return;
    const observer = new IntersectionObserver(
      (entries) => {
        if (entries.some((e) => e.isIntersecting)) setSeen(true);
      },
      { rootMargin: '240px' },
    );
    observer.observe(element.current);
    return () => observer.disconnect();
  }, [element, seen]);
  return seen;
}

function Notes({ state }: { state: PanelState }) {
  const { error, updatedAt, data, unknown } = state;
  const stale = error && data && updatedAt;
  const warnings = [
    ...(data?.warnings ?? []),
    ...unknown.map((id) => `The transformation “${id}” is not known here.`),
  ];
  return (
    <>
      {stale && (
        <Tooltip
          label={`${describeError(error)} What is shown is from ${formatClock(updatedAt, 'browser')}.`}
          multiline
          maw={360}
        >
          <span className={styles.stale} role="alert">
            <IconClockExclamation size={14} /> {formatClock(updatedAt, 'browser')}
          </span>
        </Tooltip>
      )}
      {warnings.length > 0 && (
        <Tooltip label={warnings.slice(0, 5).join('\n')} multiline maw={360}>
          <IconAlertTriangle size={14} className={styles.warning} aria-label={warnings.join(' ')} />
        </Tooltip>
      )}
    </>
  );
}

function describeError(error: unknown): string {
  const timedOut = error instanceof ApiError && error.type === 'timeout';
  return timedOut
    ? 'The query took too long: ask for less, or for a shorter time.'
    : `The query failed: ${messageOf(error)}.`;
}
