import { canvasColor, contrastText, mix, withAlpha } from '../../model/colors';
import { displayText, type Display } from '../../model/display';
import { asString } from '../../model/json';
import { EmptyState } from '../../components/states';
import { reduce } from '../../model/calcs';
import { formatText } from '../../units';
import type { PanelProps } from '../types';
import { gridFor } from './grid';
import { reducedValues, type Reduced } from './reduce';
import { Sparkline } from './Sparkline';
import styles from './StatPanel.module.css';

export function StatPanel({ panel, frames, width, height, zone }: PanelProps) {
  const values = reducedValues(frames, panel.options, zone);
  if (values.length === 0) return <EmptyState title="No data" />;
  const { columns, rows } = gridFor(
    values.length,
    width,
    height,
    asString(panel.options.orientation, 'auto'),
  );
  const [cellWidth, cellHeight] = [width / columns, height / rows];
  return (
    <div className={styles.grid} style={{ gridTemplateColumns: `repeat(${columns}, 1fr)` }}>
      {values.map((value, i) => (
        <Stat
          key={i}
          value={value}
          width={cellWidth}
          height={cellHeight}
          options={{
            colorMode: asString(panel.options.colorMode, 'value'),
            graphMode: asString(panel.options.graphMode, 'area'),
            textMode: asString(panel.options.textMode, 'auto'),
            center: panel.options.justifyMode === 'center',
            several: values.length > 1,
            change: panel.options.showPercentChange === true,
          }}
        />
      ))}
    </div>
  );
}

interface StatProps {
  value: Reduced;
  width: number;
  height: number;
  options: {
    colorMode: string;
    graphMode: string;
    textMode: string;
    center: boolean;
    several: boolean;
    change: boolean;
  };
}

function Stat({ value: { name, display, values, config }, width, height, options }: StatProps) {
  const { colorMode, graphMode, textMode, several } = options;
  const filled = colorMode.startsWith('background');
  const color = colorMode === 'none' ? 'var(--hw-strong)' : display.color;
  // A little darker than a line of the same colour: a ground is large.
  const ground = filled ? mix(canvasColor(display.color), '#0b1018', 0.24) : undefined;
  const showName = textMode === 'name' || textMode === 'value_and_name' || (textMode === 'auto' && several);
  const showValue = textMode !== 'name' && textMode !== 'none';
  const hasGraph = graphMode === 'area' && values.length > 2;
  const named = several || textMode === 'value_and_name' || textMode === 'name' ? showName : false;
  const size = fontSize(showValue ? displayText(display) : name, width, height, named && showValue, hasGraph);
  const text = ground ? contrastText(ground) : color;
  return (
    <div
      className={styles.stat}
      style={{
        color: text,
        background: ground
          ? colorMode === 'background_solid'
            ? ground
            : `linear-gradient(120deg, ${ground}, ${withAlpha(ground, 0.78)})`
          : undefined,
        textAlign: options.center || !several ? 'center' : 'left',
      }}
    >
      {hasGraph && (
        <Sparkline
          values={values}
          width={width}
          height={height}
          color={ground ? contrastText(ground) : canvasColor(display.color)}
          config={config}
        />
      )}
      <div className={styles.inner}>
        {named && (
          <div
            className={styles.name}
            style={{ fontSize: Math.max(11, Math.min(20, size * 0.4)), color: filled ? text : undefined }}
          >
            {name}
          </div>
        )}
        {showValue && <BigValue display={display} size={size} />}
        {options.change && showValue && <Change values={values} />}
      </div>
    </div>
  );
}

export function BigValue({ display, size }: { display: Display; size: number }) {
  return (
    <div className={styles.value} style={{ fontSize: size }}>
      {display.prefix && <span className={styles.unit}>{display.prefix}</span>}
      {display.text}
      {display.suffix && <span className={styles.unit}>{display.suffix}</span>}
    </div>
  );
}

function Change({ values }: { values: Reduced['values'] }) {
  const share = reduce('diffperc', values);
  if (typeof share !== 'number') return null;
  return (
    <div
      className={styles.change}
    >{`${share > 0 ? '▲' : share < 0 ? '▼' : '='} ${formatText(Math.abs(share), 'percentunit', 1)}`}</div>
  );
}

/** As large as the text fits; digits are about 0.58 of their height wide. */
export function fontSize(
  text: string,
  width: number,
  height: number,
  withName: boolean,
  withGraph: boolean,
): number {
  const byWidth = (width - 24) / Math.max(2, text.length * 0.6);
  const byHeight = (height - 8) * (withName ? 0.42 : withGraph ? 0.5 : 0.62);
  return Math.max(12, Math.min(byWidth, byHeight, 64));
}
