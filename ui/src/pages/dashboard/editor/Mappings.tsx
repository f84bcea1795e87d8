import { ActionIcon, Button, TextInput } from '@mantine/core';
import { IconPlus, IconTrash } from '@tabler/icons-react';
import { asObject, asObjects, asString, getPath, type JsonObject } from '../../../model/json';
import { ColorButton } from './fields';
import { Section } from './OptionForms';
import type { Edit } from './PanelEditor';
import styles from './PanelEditor.module.css';

const path = ['fieldConfig', 'defaults', 'mappings'];

/** Texts and colours for single values; ranges and patterns stay as the JSON has them. */
export function Mappings({ edit }: { edit: Edit }) {
  const all = asObjects(getPath(edit.raw, path));
  const values = asObject(all.find((m) => m.type === 'value')?.options);
  const others = all.filter((m) => m.type !== 'value');
  const entries = Object.entries(values).map(([value, result]) => ({ value, result: asObject(result) }));
  const set = (next: { value: string; result: JsonObject }[]) => {
    const options = Object.fromEntries(next.map(({ value, result }, index) => [value, { ...result, index }]));
    edit.set(path, [...(next.length > 0 ? [{ type: 'value', options }] : []), ...others]);
  };
  const change = (index: number, patch: { value?: string; result?: JsonObject }) =>
    set(
      entries.map((e, i) =>
        i === index ? { value: patch.value ?? e.value, result: { ...e.result, ...patch.result } } : e,
      ),
    );
  return (
    <Section title="Texts for values" open={entries.length > 0}>
      {entries.map(({ value, result }, i) => (
        <div key={i} className={styles.line}>
          <TextInput
            label={i === 0 ? 'Value' : undefined}
            aria-label={`Value ${i + 1}`}
            value={value}
            onChange={(e) => change(i, { value: e.currentTarget.value })}
          />
          <TextInput
            label={i === 0 ? 'Text' : undefined}
            aria-label={`Text ${i + 1}`}
            value={asString(result.text, '')}
            onChange={(e) => change(i, { result: { text: e.currentTarget.value } })}
          />
          <ColorButton
            color={asString(result.color, 'text')}
            label={`Colour of ${value}`}
            onChange={(color) => change(i, { result: { color } })}
          />
          <ActionIcon
            size="sm"
            aria-label={`Remove the text for ${value}`}
            onClick={() => set(entries.filter((_, j) => j !== i))}
          >
            <IconTrash size={14} />
          </ActionIcon>
        </div>
      ))}
      {others.length > 0 && (
        <p className={styles.note}>{others.length} for ranges or patterns, in the JSON.</p>
      )}
      <Button
        mt={8}
        size="compact-xs"
        variant="light"
        leftSection={<IconPlus size={13} />}
        onClick={() => set([...entries, { value: String(entries.length), result: { text: '' } }])}
      >
        Text
      </Button>
    </Section>
  );
}
