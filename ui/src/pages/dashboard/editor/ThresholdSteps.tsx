import { ActionIcon, Button, NumberInput } from '@mantine/core';
import { IconPlus, IconTrash } from '@tabler/icons-react';
import { asNumber, asObjects, asString, getPath, type JsonObject } from '../../../model/json';
import { ChoiceField, ColorButton } from './fields';
import { Section } from './OptionForms';
import type { Edit } from './PanelEditor';
import styles from './PanelEditor.module.css';

const path = ['fieldConfig', 'defaults', 'thresholds'];

export function ThresholdSteps({ edit, canDraw }: { edit: Edit; canDraw: boolean }) {
  const raw = asObjects(getPath(edit.raw, [...path, 'steps']));
  const steps = raw.length > 0 ? raw : [{ color: 'green', value: null }];
  const set = (next: JsonObject[]) => {
    const mode = asString(getPath(edit.raw, [...path, 'mode']), 'absolute');
    edit.set(path, { mode, steps: next });
  };
  const change = (index: number, patch: JsonObject) =>
    set(steps.map((s, i) => (i === index ? { ...s, ...patch } : s)));
  const add = () => {
    const last = asNumber(steps[steps.length - 1]?.value, undefined);
    set([...steps, { color: 'red', value: last === undefined ? 80 : last + 10 }]);
  };
  return (
    <Section title="Thresholds" open={steps.length > 1}>
      {[...steps.keys()].reverse().map((i) => {
        const step = steps[i] ?? {};
        return (
          <div key={i} className={styles.line}>
            {i === 0 ? (
              <span className={styles.note}>Below all others</span>
            ) : (
              <NumberInput
                size="xs"
                aria-label={`Threshold ${i}`}
                value={asNumber(step.value, 0)}
                onChange={(v) => typeof v === 'number' && change(i, { value: v })}
              />
            )}
            <ColorButton
              color={asString(step.color, 'green')}
              label={`Colour of threshold ${i}`}
              onChange={(color) => change(i, { color })}
            />
            <ActionIcon
              size="sm"
              disabled={i === 0}
              aria-label={`Remove threshold ${i}`}
              onClick={() => set(steps.filter((_, j) => j !== i))}
            >
              <IconTrash size={14} />
            </ActionIcon>
          </div>
        );
      })}
      <Button mt={8} size="compact-xs" variant="light" leftSection={<IconPlus size={13} />} onClick={add}>
        Threshold
      </Button>
      <div className={styles.fields}>
        <ChoiceField
          edit={edit}
          path={[...path, 'mode']}
          label="In"
          fallback="absolute"
          choices={[
            ['absolute', 'Values'],
            ['percentage', 'Percent of min–max'],
          ]}
        />
        {canDraw && (
          <ChoiceField
            edit={edit}
            path={['fieldConfig', 'defaults', 'custom', 'thresholdsStyle', 'mode']}
            label="On the graph"
            fallback="off"
            choices={[
              ['off', 'Not drawn'],
              ['line', 'Lines'],
              ['dashed', 'Dashed'],
              ['area', 'Areas'],
              ['line+area', 'Lines and areas'],
            ]}
          />
        )}
      </div>
    </Section>
  );
}
