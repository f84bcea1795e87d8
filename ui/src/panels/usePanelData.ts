import { useEffect, useMemo, useRef, useState } from 'react';
import { useApi } from '../app/context';
import type { Panel } from '../model/dashboard';
import { applyFieldConfig } from '../model/fieldConfig';
import type { Frame } from '../model/frame';
import { queryPanel, type PanelData, type QueryContext } from '../model/query';
import { transform } from '../model/transform';

export interface PanelState {
  frames: Frame[];
  data?: PanelData;
  loading: boolean;
  /** When the data came that is shown. */
  updatedAt?: number;
  error?: unknown;
  /** Transformations that we do not know. */
  unknown: string[];
}

const widthStepPx = 100;

/**
 * Asks for a panel's data while it is in view, and again when the question
 * changes. The old answer stays until the new one is there, and after a failure.
 */
export function usePanelData(panel: Panel, context: QueryContext, enabled: boolean): PanelState {
  const { prometheus } = useApi();
  const [answer, setAnswer] = useState<{
    data?: PanelData;
    updatedAt?: number;
    error?: unknown;
    loading: boolean;
  }>({
    loading: true,
  });
  const { scope, range, scrapeIntervalMs } = context;
  // Dragging an edge must not ask again for every pixel.
  const width = Math.max(widthStepPx, Math.ceil(context.width / widthStepPx) * widthStepPx);
  const question = useMemo(
    () =>
      JSON.stringify([panel.targets, panel.interval, panel.maxDataPoints, panel.timeFrom, panel.timeShift]),
    [panel],
  );
  const latest = useRef(panel);
  latest.current = panel;

  useEffect(() => {
    if (!enabled) return;
    const abort = new AbortController();
    setAnswer((old) => ({ ...old, loading: true }));
    queryPanel(prometheus, latest.current, { scope, range, width, scrapeIntervalMs }, abort.signal).then(
      (data) => {
        const failed = data.errors.length > 0 && data.frames.length === 0;
        setAnswer((old) =>
          failed
            ? { ...old, error: data.errors[0]?.error, loading: false }
            : { data, updatedAt: Date.now(), error: data.errors[0]?.error, loading: false },
        );
      },
      (error: unknown) => {
        if (!abort.signal.aborted) setAnswer((old) => ({ ...old, error, loading: false }));
      },
    );
    return () => abort.abort();
  }, [prometheus, question, scope, range, width, scrapeIntervalMs, enabled]);

  const { data } = answer;
  const shaped = useMemo(() => {
    const { frames, unknown } = transform(data?.frames ?? [], panel.transformations);
    return { frames: applyFieldConfig(frames, panel.fieldConfig), unknown };
  }, [data, panel.transformations, panel.fieldConfig]);
  return useMemo(() => ({ ...answer, ...shaped }), [answer, shaped]);
}
