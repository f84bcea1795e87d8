import type uPlot from 'uplot';
import { Moving } from './moving';
import styles from './crosshair.module.css';

/** The line under the mouse, in all charts that share it. */
export function crosshair(): uPlot.Plugin {
  let line: Moving | undefined;
  return {
    hooks: {
      ready: (u) => {
        const element = document.createElement('div');
        element.className = styles.line ?? '';
        u.over.append(element);
        line = new Moving(element);
      },
      setCursor: ({ cursor: { left = -1 } }) => {
        if (left < 0) line?.hide();
        else line?.to(left, 0);
      },
    },
  };
}
