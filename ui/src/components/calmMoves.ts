import type uPlot from 'uplot';

/** As often as a film: the eye sees no more of a line that follows the mouse. */
const pauseMs = 40;

/**
 * How a chart listens to the mouse: the first move is followed at once, those
 * that come within the pause all together at its end. Each one costs a layout,
 * and a new picture of every chart that shares the crosshair.
 */
export function calmMoves(): Partial<uPlot.Cursor.Bind> {
  let followed = -Infinity;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let latest: MouseEvent;
  return {
    mousemove: (_u, _target, follow) => {
      const now = () => {
        timer = undefined;
        followed = performance.now();
        follow(latest);
      };
      return (event) => {
        latest = event;
        const due = followed + pauseMs - performance.now();
        if (due <= 0) now();
        else timer ??= setTimeout(now, due);
        return null;
      };
    },
    mouseleave: (_u, _target, leave) => (event) => {
      // A move that is still to come would bring the crosshair back.
      clearTimeout(timer);
      timer = undefined;
      return leave(event);
    },
  };
}
