import { NumberInput, Popover, Select, Switch, TextInput } from '@mantine/core';
import { useState } from 'react';
import { colorNames, resolveColor } from '../../../model/colors';
import { asBool, asNumber, asString, getPath, type Path } from '../../../model/json';
import { unitChoices } from '../../../units/table';
import type { Edit } from './PanelEditor';
import styles from './PanelEditor.module.css';

/** Inputs that are bound to one place of the panel's JSON. Empty removes it. */
interface Bound {
  edit: Edit;
  path: Path;
  label: string;
}

export function TextField({ edit, path, label, placeholder }: Bound & { placeholder?: string }) {
  const value = asString(getPath(edit.raw, path), '');
  return (
    <TextInput
      label={label}
      placeholder={placeholder}
      value={value}
      onChange={(e) => edit.set(path, e.currentTarget.value || undefined)}
    />
  );
}

export function NumberField({ edit, path, label, min, max }: Bound & { min?: number; max?: number }) {
  const value = asNumber(getPath(edit.raw, path), undefined);
  return (
    <NumberInput
      size="xs"
      label={label}
      placeholder="auto"
      min={min}
      max={max}
      value={value ?? ''}
      onChange={(v) => edit.set(path, typeof v === 'number' ? v : undefined)}
    />
  );
}

type Choice = readonly [value: string, label: string];

export function ChoiceField({
  edit,
  path,
  label,
  choices,
  fallback,
}: Bound & { choices: readonly Choice[]; fallback: string }) {
  const value = asString(getPath(edit.raw, path), fallback);
  const data = choices.map(([v, l]) => ({ value: v, label: l }));
  if (!choices.some(([v]) => v === value)) data.push({ value, label: value });
  return <Select label={label} data={data} value={value} onChange={(v) => v !== null && edit.set(path, v)} />;
}

export function SwitchField({ edit, path, label, fallback = false }: Bound & { fallback?: boolean }) {
  return (
    <Switch
      className={styles.whole}
      size="xs"
      label={label}
      checked={asBool(getPath(edit.raw, path), fallback)}
      onChange={(e) => edit.set(path, e.currentTarget.checked)}
    />
  );
}

export function UnitField({ edit, path, label }: Bound) {
  const value = asString(getPath(edit.raw, path), '');
  const known = unitChoices.some((g) => g.items.some((i) => i.value === value));
  const data =
    known || value === ''
      ? unitChoices
      : [...unitChoices, { group: 'Own', items: [{ value, label: value }] }];
  return (
    <Select
      searchable
      clearable
      label={label}
      placeholder="Short"
      data={data}
      value={value || null}
      onChange={(v) => edit.set(path, v ?? undefined)}
    />
  );
}

export function ColorButton({
  color,
  label,
  onChange,
}: {
  color: string;
  label: string;
  onChange: (color: string) => void;
}) {
  const [open, setOpen] = useState(false);
  return (
    <Popover opened={open} onChange={setOpen} withinPortal shadow="lg">
      <Popover.Target>
        <button
          type="button"
          className={styles.swatch}
          style={{ background: resolveColor(color) }}
          aria-label={`${label}: ${color}`}
          onClick={() => setOpen(!open)}
        />
      </Popover.Target>
      <Popover.Dropdown>
        <div className={styles.colors}>
          {colorNames.map((name) => (
            <button
              key={name}
              type="button"
              className={styles.swatch}
              style={{ background: resolveColor(name) }}
              title={name}
              aria-label={name}
              onClick={() => {
                onChange(name);
                setOpen(false);
              }}
            />
          ))}
        </div>
        <TextInput
          mt={8}
          aria-label="Another colour"
          placeholder="#5794f2"
          value={color}
          onChange={(e) => onChange(e.currentTarget.value)}
        />
      </Popover.Dropdown>
    </Popover>
  );
}
