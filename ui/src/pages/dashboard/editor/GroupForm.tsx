import { MultiSelect, TextInput } from '@mantine/core';
import { useState } from 'react';
import { calcs } from '../../../model/calcs';
import { asArray, asObject, getPath, type JsonObject } from '../../../model/json';
import styles from './PanelEditor.module.css';
import { CommaField, type FormProps } from './listFields';

const choices = Object.entries(calcs).map(([value, { label }]) => ({ value, label }));

/** One row for each group: columns that make the groups, and columns that are calculated in them. */
export function GroupBy({ edit, path }: FormProps) {
  const place = [...path, 'fields'];
  const fields = asObject(getPath(edit.raw, place));
  const rules = Object.entries(fields).map(([name, rule]): [string, JsonObject] => [name, asObject(rule)]);
  const keys = rules.filter(([, rule]) => rule.operation === 'groupby').map(([name]) => name);
  const calculated = rules.filter(([, rule]) => rule.operation === 'aggregate');
  const [added, setAdded] = useState('');
  const calculate = (name: string, aggregations: string[]) =>
    edit.set(place, {
      ...fields,
      [name]: { ...asObject(fields[name]), operation: 'aggregate', aggregations },
    });
  const add = () => {
    const name = added.trim();
    if (name && !keys.includes(name)) calculate(name, ['lastNotNull']);
    setAdded('');
  };
  return (
    <>
      <CommaField
        label="Group by"
        items={keys}
        onChange={(names) =>
          edit.set(place, {
            ...Object.fromEntries(rules.filter(([name]) => !keys.includes(name) && !names.includes(name))),
            ...Object.fromEntries(
              names.map((name) => [
                name,
                { aggregations: [], ...asObject(fields[name]), operation: 'groupby' },
              ]),
            ),
          })
        }
      />
      <TextInput
        label="Calculate column"
        placeholder="Name of a column"
        value={added}
        onChange={(e) => setAdded(e.currentTarget.value)}
        onKeyDown={(e) => e.key === 'Enter' && add()}
        onBlur={add}
      />
      {calculated.map(([name, rule]) => (
        <MultiSelect
          key={name}
          className={styles.whole}
          size="xs"
          label={name}
          data={choices}
          value={asArray(rule.aggregations).map(String)}
          onChange={(next) =>
            next.length > 0
              ? calculate(name, next)
              : edit.set(place, Object.fromEntries(Object.entries(fields).filter(([n]) => n !== name)))
          }
        />
      ))}
    </>
  );
}
