import { MultiSelect, Select, TextInput } from '@mantine/core';
import { useState, type ReactNode } from 'react';
import type { ResolvedVariable } from '../../model/interpolate';
import { allValueMarker, valuesOf } from '../../model/variables';
import styles from './VariableBar.module.css';

interface Props {
  variables: ResolvedVariable[];
  onChoose: (name: string, values: string[]) => void;
  /** Links of the dashboard, at the other end. */
  children?: ReactNode;
}

const maxShown = 200;

/** What can be chosen, above the panels. */
export function VariableBar({ variables, onChoose, children }: Props) {
  const shown = variables.filter(
    ({ variable: v }) => v.hide !== 2 && !['constant', 'datasource', 'adhoc', 'unknown'].includes(v.type),
  );
  if (shown.length === 0 && !children) return null;
  return (
    <div className={styles.bar} role="group" aria-label="Variables">
      {shown.map((v) => (
        <VariableInput
          key={v.variable.name}
          resolved={v}
          onChoose={(values) => onChoose(v.variable.name, values)}
        />
      ))}
      {children && <div className={styles.links}>{children}</div>}
    </div>
  );
}

function VariableInput({
  resolved,
  onChoose,
}: {
  resolved: ResolvedVariable;
  onChoose: (values: string[]) => void;
}) {
  const { variable, options, current, error } = resolved;
  const label = variable.label || variable.name;
  const values = valuesOf(current);
  const all = variable.includeAll ? [{ value: allValueMarker, label: 'All' }] : [];
  const known = options.map((o) => ({ value: o.value, label: o.text }));
  const extra = values.filter((v) => v !== '' && v !== allValueMarker && !options.some((o) => o.value === v));
  const data = unique([...all, ...known, ...extra.map((v) => ({ value: v, label: v }))]);
  const name = variable.hide === 1 ? undefined : label;
  const input = {
    'aria-label': label,
    searchable: true,
    limit: maxShown,
    nothingFoundMessage: 'Nothing found',
  };
  return (
    <label className={styles.variable} title={error}>
      {name && <span className={error ? `${styles.label} ${styles.bad}` : styles.label}>{name}</span>}
      {variable.type === 'textbox' ? (
        <TypedText value={values[0] ?? ''} label={label} onDone={(text) => onChoose([text])} />
      ) : variable.multi ? (
        <MultiSelect
          {...input}
          size="xs"
          value={values.filter((v) => v !== '')}
          onChange={(next) => onChoose(withoutAll(next, values))}
          data={data}
          hidePickedOptions={false}
          classNames={{ pillsList: styles.pills }}
          miw={120}
        />
      ) : (
        <Select
          {...input}
          value={values[0] ?? null}
          onChange={(value) => value !== null && onChoose([value])}
          data={data}
          w={widthFor(values[0] ?? '')}
        />
      )}
    </label>
  );
}

/** Asks for new data when the text is done, not at each key. */
function TypedText({
  value,
  label,
  onDone,
}: {
  value: string;
  label: string;
  onDone: (text: string) => void;
}) {
  const [text, setText] = useState(value);
  return (
    <TextInput
      aria-label={label}
      value={text}
      onChange={(e) => setText(e.currentTarget.value)}
      onBlur={() => text !== value && onDone(text)}
      onKeyDown={(e) => e.key === 'Enter' && onDone(text)}
    />
  );
}

/** "All" and single values exclude each other: what was chosen last wins. */
export function withoutAll(next: string[], before: string[]): string[] {
  if (!next.includes(allValueMarker)) return next;
  return before.includes(allValueMarker) ? next.filter((v) => v !== allValueMarker) : [allValueMarker];
}

function unique(items: { value: string; label: string }[]): { value: string; label: string }[] {
  return [...new Map(items.map((i) => [i.value, i])).values()];
}

const widthFor = (text: string) => Math.min(300, Math.max(110, text.length * 8 + 52));
