import { ActionIcon, Button, Select, TextInput } from '@mantine/core';
import { IconTrash } from '@tabler/icons-react';
import { asObject, asObjects, asString, getPath, type Json, type JsonObject } from '../../../model/json';
import { ChoiceField } from './fields';
import styles from './PanelEditor.module.css';
import type { FormProps } from './listFields';

/** Conditions, by the names that dashboards use, and what each compares with. */
const conditions: [id: string, label: string, operands: readonly string[]][] = [
  ['greater', 'is above', ['value']],
  ['greaterOrEqual', 'is at least', ['value']],
  ['lower', 'is below', ['value']],
  ['lowerOrEqual', 'is at most', ['value']],
  ['between', 'is between', ['from', 'to']],
  ['equal', 'is', ['value']],
  ['notEqual', 'is not', ['value']],
  ['regex', 'matches', ['value']],
  ['substring', 'contains', ['value']],
  ['notSubstring', 'does not contain', ['value']],
  ['isNull', 'is missing', []],
  ['isNotNull', 'is there', []],
];

const choices = conditions.map(([value, label]) => ({ value, label }));
const numeric = new Set(['greater', 'greaterOrEqual', 'lower', 'lowerOrEqual', 'between']);

/** Rows that stay or go by what is in them. */
export function FilterByValue({ edit, path }: FormProps) {
  const place = [...path, 'filters'];
  const filters = asObjects(getPath(edit.raw, place));
  const set = (index: number, next: JsonObject) =>
    edit.set(
      place,
      filters.map((f, i) => (i === index ? next : f)),
    );
  return (
    <>
      <ChoiceField
        edit={edit}
        path={[...path, 'type']}
        label="Rows"
        fallback="include"
        choices={[
          ['include', 'keep those'],
          ['exclude', 'drop those'],
        ]}
      />
      <ChoiceField
        edit={edit}
        path={[...path, 'match']}
        label="For which"
        fallback="any"
        choices={[
          ['any', 'one condition is true'],
          ['all', 'all conditions are true'],
        ]}
      />
      {filters.map((filter, i) => (
        <Condition
          key={i}
          filter={filter}
          index={i + 1}
          onChange={(next) => set(i, next)}
          onRemove={() =>
            edit.set(
              place,
              filters.filter((_, j) => j !== i),
            )
          }
        />
      ))}
      <Button
        className={styles.whole}
        size="xs"
        variant="default"
        onClick={() =>
          edit.set(place, [...filters, { fieldName: '', config: { id: 'greater', options: { value: 0 } } }])
        }
      >
        Add a condition
      </Button>
    </>
  );
}

interface ConditionProps {
  filter: JsonObject;
  index: number;
  onChange: (filter: JsonObject) => void;
  onRemove: () => void;
}

function Condition({ filter, index, onChange, onRemove }: ConditionProps) {
  const config = asObject(filter.config);
  const id = asString(config.id, '');
  const options = asObject(config.options);
  const known = conditions.find(([name]) => name === id);
  const operand = (name: string, value: Json) =>
    onChange({ ...filter, config: { ...config, options: { ...options, [name]: value } } });
  return (
    <div className={`${styles.whole} ${styles.line}`} role="group" aria-label={`Condition ${index}`}>
      <TextInput
        aria-label="Column"
        placeholder="Column"
        value={asString(filter.fieldName, '')}
        onChange={(e) => onChange({ ...filter, fieldName: e.currentTarget.value })}
      />
      <Select
        aria-label="Condition"
        data={known ? choices : [...choices, { value: id, label: id }]}
        value={id}
        onChange={(next) => next !== null && onChange({ ...filter, config: { ...config, id: next } })}
      />
      {known?.[2].map((name) => (
        <TextInput
          key={name}
          aria-label={name}
          placeholder={name}
          value={String(options[name] ?? '')}
          onChange={(e) => operand(name, operandOf(id, e.currentTarget.value))}
        />
      ))}
      <ActionIcon size="sm" aria-label={`Remove condition ${index}`} onClick={onRemove}>
        <IconTrash size={15} />
      </ActionIcon>
    </div>
  );
}

/** Numbers are stored as numbers, but "1." while somebody types is not one yet. */
export const operandOf = (condition: string, text: string): Json =>
  numeric.has(condition) && String(Number(text)) === text ? Number(text) : text;
