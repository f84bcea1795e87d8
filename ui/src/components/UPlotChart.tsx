import { useEffect, useLayoutEffect, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';

interface Props {
  options: uPlot.Options;
  data: uPlot.AlignedData;
  /** The chart is made anew when this changes; else it only gets the new data. */
  structure: string;
  onReady?: (chart: uPlot | undefined) => void;
}

/** A chart of uPlot in React: made, fed, resized and destroyed in time. */
export function UPlotChart({ options, data, structure, onReady }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | undefined>(undefined);
  const latest = useRef({ options, data, onReady });
  latest.current = { options, data, onReady };

  useLayoutEffect(() => {
    if (!host.current) return;
    const made = new uPlot(latest.current.options, latest.current.data, host.current);
    chart.current = made;
    latest.current.onReady?.(made);
    return () => {
      latest.current.onReady?.(undefined);
      made.destroy();
      chart.current = undefined;
    };
  }, [structure]);

  const { width, height } = options;
  useEffect(() => {
    const current = chart.current;
    if (current && (current.width !== width || current.height !== height)) current.setSize({ width, height });
  }, [width, height]);

  const drawn = useRef(data);
  useEffect(() => {
    if (drawn.current === data) return;
    drawn.current = data;
    chart.current?.setData(data);
  }, [data]);

  return <div ref={host} />;
}
