import { ActionIcon, Autocomplete, Button, Select, TextInput } from '@mantine/core';
import { IconPlus, IconTrash } from '@tabler/icons-react';
import { displayName, type Frame } from '../../../model/frame';
import { asArray, asObject, asObjects, asString, type Json, type JsonObject } from '../../../model/json';
import { ColorButton } from './fields';
import { Section } from './OptionForms';
import type { Edit } from './PanelEditor';
import styles from './PanelEditor.module.css';

const path = ['fieldConfig', 'overrides'];

const matchers = [
  { value: 'byName', label: 'Name' },
  { value: 'byRegexp', label: 'Name like' },
  { value: 'byType', label: 'Type' },
  { value: 'byFrameRefID', label: 'Query' },
];

const properties = [
  { value: 'displayName', label: 'Name' },
  { value: 'color', label: 'Colour' },
  { value: 'unit', label: 'Unit' },
  { value: 'decimals', label: 'Decimals' },
  { value: 'min', label: 'Min' },
  { value: 'max', label: 'Max' },
  { value: 'custom.lineWidth', label: 'Line width' },
  { value: 'custom.fillOpacity', label: 'Fill (%)' },
  { value: 'custom.axisPlacement', label: 'Axis' },
  { value: 'custom.transform', label: 'Turn over' },
  { value: 'custom.stacking', label: 'Stack' },
  { value: 'custom.lineStyle', label: 'Dashes' },
  { value: 'custom.width', label: 'Column width' },
  { value: 'custom.hidden', label: 'Hide the column' },
];

const initial: Record<string, Json> = {
  color: { mode: 'fixed', fixedColor: 'blue' },
  'custom.transform': 'negative-Y',
  'custom.stacking': { mode: 'none', group: 'A' },
  'custom.lineStyle': { fill: 'dash', dash: [10, 6] },
  'custom.axisPlacement': 'right',
  'custom.hidden': true,
};

/** What is different for some of the fields. */
export function Overrides({ edit, frames }: { edit: Edit; frames: Frame[] }) {
  const list = asObjects(asObject(edit.raw.fieldConfig).overrides);
  const names = [...new Set(frames.flatMap((f) => f.fields.map((field) => displayName(field, f))))].slice(
    0,
    200,
  );
  const set = (index: number, next: JsonObject | undefined) =>
    edit.set(
      path,
      list.flatMap((o, i) => (i !== index ? [o] : next ? [next] : [])),
    );
  return (
    <Section title={`Overrides (${list.length})`} open={list.length > 0}>
      {list.map((override, i) => {
        const matcher = asObject(override.matcher);
        const props = asObjects(override.properties);
        const setProps = (next: JsonObject[]) => set(i, { ...override, properties: next });
        const setMatcher = (patch: JsonObject) => set(i, { ...override, matcher: { ...matcher, ...patch } });
        return (
          <div key={i} className={styles.query}>
            <div className={styles.line}>
              <Select
                aria-label="Fields by"
                data={matchers}
                value={asString(matcher.id, 'byName')}
                onChange={(id) => id && setMatcher({ id })}
              />
              <Autocomplete
                size="xs"
                aria-label="Which fields"
                data={matcher.id === 'byName' ? names : []}
                value={asString(matcher.options, '')}
                onChange={(options) => setMatcher({ options })}
              />
              <ActionIcon size="sm" aria-label="Remove the override" onClick={() => set(i, undefined)}>
                <IconTrash size={14} />
              </ActionIcon>
            </div>
            {props.map((p, j) => (
              <div key={j} className={styles.line}>
                <Property
                  property={p}
                  onChange={(value) => setProps(props.map((q, k) => (k === j ? { ...q, value } : q)))}
                />
                <ActionIcon
                  size="sm"
                  aria-label="Remove the property"
                  onClick={() => setProps(props.filter((_, k) => k !== j))}
                >
                  <IconTrash size={14} />
                </ActionIcon>
              </div>
            ))}
            <Select
              mt={6}
              placeholder="Add a property"
              data={properties}
              value={null}
              onChange={(id) => id && setProps([...props, { id, value: initial[id] ?? '' }])}
            />
          </div>
        );
      })}
      <Button
        mt={8}
        size="compact-xs"
        variant="light"
        leftSection={<IconPlus size={13} />}
        onClick={() => edit.set(path, [...list, { matcher: { id: 'byName', options: '' }, properties: [] }])}
      >
        Override
      </Button>
    </Section>
  );
}

function Property({ property, onChange }: { property: JsonObject; onChange: (value: Json) => void }) {
  const id = asString(property.id, '');
  const label = properties.find((p) => p.value === id)?.label ?? id;
  if (id === 'color') {
    const color = asObject(property.value);
    return (
      <span className={styles.line}>
        <span className={styles.note}>{label}</span>
        <ColorButton
          color={asString(color.fixedColor, 'blue')}
          label={label}
          onChange={(fixedColor) => onChange({ mode: 'fixed', fixedColor })}
        />
      </span>
    );
  }
  const { value } = property;
  if (typeof value === 'object' && value !== null) {
    const text =
      asArray(value).length > 0
        ? JSON.stringify(value)
        : Object.values(asObject(value)).map(String).join(' ');
    return <TextInput label={label} value={text} readOnly />;
  }
  return (
    <TextInput
      label={label}
      value={String(value ?? '')}
      onChange={(e) => {
        const text = e.currentTarget.value;
        onChange(
          text !== '' && Number.isFinite(Number(text))
            ? Number(text)
            : text === 'true'
              ? true
              : text === 'false'
                ? false
                : text,
        );
      }}
    />
  );
}
