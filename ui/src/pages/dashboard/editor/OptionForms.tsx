import { MultiSelect, Select, Textarea } from '@mantine/core';
import type { ReactNode } from 'react';
import type { Panel } from '../../../model/dashboard';
import { calcs } from '../../../model/calcs';
import { heatScaleNames } from '../../../model/colors';
import { asArray, asString, getPath, type Path } from '../../../model/json';
import { panelKinds } from '../../../panels';
import { ChoiceField, NumberField, SwitchField, TextField, UnitField } from './fields';
import { Mappings } from './Mappings';
import type { Edit } from './PanelEditor';
import styles from './PanelEditor.module.css';
import { ThresholdSteps } from './ThresholdSteps';

const defaults = (key: string): Path => ['fieldConfig', 'defaults', ...key.split('.')];
const custom = (key: string): Path => defaults(`custom.${key}`);
const option = (key: string): Path => ['options', ...key.split('.')];

const calcChoices = Object.entries(calcs).map(([value, { label }]) => ({ value, label }));

export function Section({
  title,
  open = true,
  children,
}: {
  title: string;
  open?: boolean;
  children: ReactNode;
}) {
  return (
    <details className={styles.section} open={open}>
      <summary>{title}</summary>
      {children}
    </details>
  );
}

/** The options of a panel as forms, by its type. What has no form is in the JSON. */
export function OptionForms({ panel, edit }: { panel: Panel; edit: Edit }) {
  const kinds = panelKinds.map(({ type, name }) => ({ value: type, label: name }));
  if (!kinds.some((k) => k.value === panel.type)) kinds.push({ value: panel.type, label: panel.type });
  const hasFields = !['text', 'logs'].includes(panel.type);
  return (
    <>
      <Section title="Panel">
        <div className={styles.fields}>
          <Select
            className={styles.whole}
            label="Visualisation"
            data={kinds}
            value={panel.type}
            onChange={(type) => type && edit.set(['type'], type)}
          />
          <div className={styles.whole}>
            <TextField edit={edit} path={['title']} label="Title" />
          </div>
          <Textarea
            className={styles.whole}
            size="xs"
            label="Description"
            autosize
            minRows={1}
            value={asString(edit.raw.description, '')}
            onChange={(e) => edit.set(['description'], e.currentTarget.value || undefined)}
          />
          <SwitchField edit={edit} path={['transparent']} label="Without a frame" />
          <TextField edit={edit} path={['repeat']} label="Repeat for the variable" />
          <ChoiceField
            edit={edit}
            path={['repeatDirection']}
            label="Direction"
            fallback="h"
            choices={[
              ['h', 'Across'],
              ['v', 'Down'],
            ]}
          />
        </div>
      </Section>
      <TypeOptions type={panel.type} edit={edit} />
      {hasFields && (
        <>
          <Section title="Values">
            <div className={styles.fields}>
              <div className={styles.whole}>
                <UnitField edit={edit} path={defaults('unit')} label="Unit" />
              </div>
              <NumberField edit={edit} path={defaults('min')} label="Min" />
              <NumberField edit={edit} path={defaults('max')} label="Max" />
              <NumberField edit={edit} path={defaults('decimals')} label="Decimals" min={0} max={12} />
              <TextField edit={edit} path={defaults('noValue')} label="Without a value" />
              <div className={styles.whole}>
                <TextField
                  edit={edit}
                  path={defaults('displayName')}
                  label="Name"
                  placeholder="By the query"
                />
              </div>
              <div className={styles.whole}>
                <ChoiceField
                  edit={edit}
                  path={defaults('color.mode')}
                  label="Colour"
                  fallback={
                    ['timeseries', 'piechart'].includes(panel.type) ? 'palette-classic' : 'thresholds'
                  }
                  choices={[
                    ['palette-classic', 'Of the palette'],
                    ['thresholds', 'By thresholds'],
                    ['fixed', 'One colour'],
                    ['continuous-GrYlRd', 'Green to red'],
                    ['continuous-RdYlGr', 'Red to green'],
                    ['continuous-blues', 'Blues'],
                  ]}
                />
              </div>
            </div>
          </Section>
          <ThresholdSteps edit={edit} canDraw={panel.type === 'timeseries'} />
          <Mappings edit={edit} />
        </>
      )}
    </>
  );
}

export function Calcs({
  edit,
  path,
  label,
  single,
}: {
  edit: Edit;
  path: Path;
  label: string;
  single?: boolean;
}) {
  const value = asArray(getPath(edit.raw, path)).map(String);
  if (single) {
    return (
      <Select
        className={styles.whole}
        label={label}
        data={calcChoices}
        value={value[0] ?? 'lastNotNull'}
        onChange={(v) => v && edit.set(path, [v])}
      />
    );
  }
  return (
    <MultiSelect
      className={styles.whole}
      size="xs"
      label={label}
      data={calcChoices}
      value={value}
      onChange={(v) => edit.set(path, v)}
    />
  );
}

function TypeOptions({ type, edit }: { type: string; edit: Edit }) {
  switch (type) {
    case 'timeseries':
      return <TimeSeriesOptions edit={edit} />;
    case 'stat':
    case 'gauge':
    case 'bargauge':
      return <ReducedOptions type={type} edit={edit} />;
    case 'piechart':
      return <PieOptions edit={edit} />;
    case 'table':
      return (
        <Section title="Table">
          <div className={styles.fields}>
            <SwitchField edit={edit} path={option('showHeader')} label="Heading" fallback />
            <SwitchField edit={edit} path={option('footer.show')} label="Sums below" />
            <div className={styles.whole}>
              <ChoiceField
                edit={edit}
                path={custom('cellOptions.type')}
                label="Cells"
                fallback="auto"
                choices={[
                  ['auto', 'Plain'],
                  ['color-text', 'Coloured text'],
                  ['color-background', 'Coloured ground'],
                  ['gauge', 'Bar'],
                ]}
              />
            </div>
          </div>
        </Section>
      );
    case 'state-timeline':
    case 'status-history':
      return (
        <Section title="States">
          <div className={styles.fields}>
            {type === 'state-timeline' && (
              <SwitchField edit={edit} path={option('mergeValues')} label="Join equal neighbours" fallback />
            )}
            <ChoiceField
              edit={edit}
              path={option('showValue')}
              label="Text in the bars"
              fallback="auto"
              choices={[
                ['auto', 'Where it fits'],
                ['never', 'Never'],
              ]}
            />
            <NumberField
              edit={edit}
              path={option('rowHeight')}
              label="Height of a lane (0–1)"
              min={0.1}
              max={1}
            />
          </div>
        </Section>
      );
    case 'heatmap':
      return (
        <Section title="Heatmap">
          <div className={styles.fields}>
            <SwitchField edit={edit} path={option('calculate')} label="Count series into buckets" />
            <ChoiceField
              edit={edit}
              path={option('color.scheme')}
              label="Colours"
              fallback="Oranges"
              choices={heatScaleNames.map((n) => [n, n] as const)}
            />
            <NumberField edit={edit} path={option('color.exponent')} label="Exponent" min={0.1} max={2} />
            <div className={styles.whole}>
              <UnitField edit={edit} path={option('yAxis.unit')} label="Unit of the buckets" />
            </div>
          </div>
        </Section>
      );
    case 'text':
      return (
        <Section title="Text">
          <div className={styles.fields}>
            <ChoiceField
              edit={edit}
              path={option('mode')}
              label="Written in"
              fallback="markdown"
              choices={[
                ['markdown', 'Markdown'],
                ['html', 'HTML'],
                ['code', 'Code'],
              ]}
            />
            <Textarea
              className={styles.whole}
              size="xs"
              label="Content"
              autosize
              minRows={8}
              value={asString(getPath(edit.raw, option('content')), '')}
              onChange={(e) => edit.set(option('content'), e.currentTarget.value)}
            />
          </div>
        </Section>
      );
    default:
      return null;
  }
}

function TimeSeriesOptions({ edit }: { edit: Edit }) {
  return (
    <>
      <Section title="Graph">
        <div className={styles.fields}>
          <ChoiceField
            edit={edit}
            path={custom('drawStyle')}
            label="Style"
            fallback="line"
            choices={[
              ['line', 'Lines'],
              ['bars', 'Bars'],
              ['points', 'Points'],
            ]}
          />
          <ChoiceField
            edit={edit}
            path={custom('lineInterpolation')}
            label="Lines"
            fallback="linear"
            choices={[
              ['linear', 'Straight'],
              ['smooth', 'Smooth'],
              ['stepBefore', 'Step before'],
              ['stepAfter', 'Step after'],
            ]}
          />
          <NumberField edit={edit} path={custom('lineWidth')} label="Line width" min={0} max={10} />
          <NumberField edit={edit} path={custom('fillOpacity')} label="Fill (%)" min={0} max={100} />
          <ChoiceField
            edit={edit}
            path={custom('gradientMode')}
            label="Gradient"
            fallback="none"
            choices={[
              ['none', 'None'],
              ['opacity', 'Fades out'],
              ['hue', 'Darkens'],
            ]}
          />
          <ChoiceField
            edit={edit}
            path={custom('showPoints')}
            label="Points"
            fallback="auto"
            choices={[
              ['auto', 'Lone ones'],
              ['always', 'Always'],
              ['never', 'Never'],
            ]}
          />
          <ChoiceField
            edit={edit}
            path={custom('stacking.mode')}
            label="Stack"
            fallback="none"
            choices={[
              ['none', 'No'],
              ['normal', 'Values'],
              ['percent', 'Shares'],
            ]}
          />
          <SwitchField edit={edit} path={custom('spanNulls')} label="Draw lines across gaps" />
        </div>
      </Section>
      <Section title="Axis" open={false}>
        <div className={styles.fields}>
          <ChoiceField
            edit={edit}
            path={custom('axisPlacement')}
            label="Place"
            fallback="auto"
            choices={[
              ['auto', 'Automatic'],
              ['left', 'Left'],
              ['right', 'Right'],
              ['hidden', 'Hidden'],
            ]}
          />
          <TextField edit={edit} path={custom('axisLabel')} label="Label" />
          <NumberField edit={edit} path={custom('axisSoftMin')} label="At least down to" />
          <NumberField edit={edit} path={custom('axisSoftMax')} label="At least up to" />
          <ChoiceField
            edit={edit}
            path={custom('scaleDistribution.type')}
            label="Scale"
            fallback="linear"
            choices={[
              ['linear', 'Linear'],
              ['log', 'Logarithmic'],
            ]}
          />
          <SwitchField edit={edit} path={custom('axisCenteredZero')} label="Zero in the middle" />
        </div>
      </Section>
      <Section title="Legend and tooltip" open={false}>
        <div className={styles.fields}>
          <SwitchField edit={edit} path={option('legend.showLegend')} label="Legend" fallback />
          <ChoiceField
            edit={edit}
            path={option('legend.displayMode')}
            label="Form"
            fallback="list"
            choices={[
              ['list', 'List'],
              ['table', 'Table'],
            ]}
          />
          <ChoiceField
            edit={edit}
            path={option('legend.placement')}
            label="Place"
            fallback="bottom"
            choices={[
              ['bottom', 'Below'],
              ['right', 'Right'],
            ]}
          />
          <Calcs edit={edit} path={option('legend.calcs')} label="Values" />
          <ChoiceField
            edit={edit}
            path={option('tooltip.mode')}
            label="Tooltip"
            fallback="multi"
            choices={[
              ['multi', 'All series'],
              ['single', 'One series'],
              ['none', 'None'],
            ]}
          />
          <ChoiceField
            edit={edit}
            path={option('tooltip.sort')}
            label="Order"
            fallback="none"
            choices={[
              ['none', 'Of the query'],
              ['desc', 'Largest first'],
              ['asc', 'Smallest first'],
            ]}
          />
        </div>
      </Section>
    </>
  );
}

function PieOptions({ edit }: { edit: Edit }) {
  return (
    <Section title="Pie">
      <div className={styles.fields}>
        <Calcs edit={edit} path={option('reduceOptions.calcs')} label="Calculation" single />
        <SwitchField edit={edit} path={option('reduceOptions.values')} label="Each row of a table" />
        <ChoiceField
          edit={edit}
          path={option('pieType')}
          label="Shape"
          fallback="pie"
          choices={[
            ['pie', 'Pie'],
            ['donut', 'Ring'],
          ]}
        />
        <ChoiceField
          edit={edit}
          path={option('sort')}
          label="Order"
          fallback="desc"
          choices={[
            ['desc', 'Largest first'],
            ['asc', 'Smallest first'],
            ['none', 'Of the query'],
          ]}
        />
        <Words edit={edit} path={option('displayLabels')} label="On the slices" choices={sliceWords} />
        <SwitchField edit={edit} path={option('legend.showLegend')} label="Legend" fallback />
        <ChoiceField
          edit={edit}
          path={option('legend.placement')}
          label="Legend stands"
          fallback="bottom"
          choices={[
            ['bottom', 'Below'],
            ['right', 'On the right'],
          ]}
        />
        <Words edit={edit} path={option('legend.values')} label="In the legend" choices={legendWords} />
      </div>
    </Section>
  );
}

const legendWords = [
  { value: 'percent', label: 'Share' },
  { value: 'value', label: 'Value' },
];
const sliceWords = [{ value: 'name', label: 'Name' }, ...legendWords];

function Words({
  edit,
  path,
  label,
  choices,
}: {
  edit: Edit;
  path: Path;
  label: string;
  choices: { value: string; label: string }[];
}) {
  return (
    <MultiSelect
      className={styles.whole}
      size="xs"
      label={label}
      data={choices}
      value={asArray(getPath(edit.raw, path)).map(String)}
      onChange={(v) => edit.set(path, v)}
    />
  );
}

function ReducedOptions({ type, edit }: { type: string; edit: Edit }) {
  return (
    <Section title="Value">
      <div className={styles.fields}>
        <Calcs edit={edit} path={option('reduceOptions.calcs')} label="Calculation" single />
        <SwitchField edit={edit} path={option('reduceOptions.values')} label="Each row of a table" />
        <ChoiceField
          edit={edit}
          path={option('orientation')}
          label="Orientation"
          fallback="auto"
          choices={[
            ['auto', 'Automatic'],
            ['horizontal', 'Horizontal'],
            ['vertical', 'Vertical'],
          ]}
        />
        {type === 'stat' && (
          <>
            <ChoiceField
              edit={edit}
              path={option('colorMode')}
              label="Coloured"
              fallback="value"
              choices={[
                ['value', 'Value'],
                ['background', 'Ground'],
                ['none', 'Nothing'],
              ]}
            />
            <ChoiceField
              edit={edit}
              path={option('graphMode')}
              label="Graph"
              fallback="area"
              choices={[
                ['area', 'Area'],
                ['none', 'None'],
              ]}
            />
            <ChoiceField
              edit={edit}
              path={option('textMode')}
              label="Text"
              fallback="auto"
              choices={[
                ['auto', 'Automatic'],
                ['value', 'Value'],
                ['value_and_name', 'Value and name'],
                ['name', 'Name'],
              ]}
            />
          </>
        )}
        {type === 'gauge' && (
          <SwitchField
            edit={edit}
            path={option('showThresholdMarkers')}
            label="Thresholds at the rim"
            fallback
          />
        )}
        {type === 'bargauge' && (
          <ChoiceField
            edit={edit}
            path={option('displayMode')}
            label="Bars"
            fallback="gradient"
            choices={[
              ['gradient', 'Gradient'],
              ['lcd', 'Cells'],
              ['basic', 'Plain'],
            ]}
          />
        )}
      </div>
    </Section>
  );
}
