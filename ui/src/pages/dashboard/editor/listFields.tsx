import { TextInput } from '@mantine/core';
import { useEffect, useState } from 'react';
import { asArray, getPath, type Path } from '../../../model/json';
import { readList, writeList } from './lists';
import type { Edit } from './PanelEditor';

/** What the form of a transformation is given. */
export interface FormProps {
  edit: Edit;
  /** Of the options. */
  path: Path;
}

/** A list in the JSON. */
export function ListField({ edit, path, ...rest }: FormProps & { label: string; placeholder?: string }) {
  const values = asArray(getPath(edit.raw, path)).map(String);
  return (
    <CommaField
      {...rest}
      items={values}
      onChange={(next) => edit.set(path, next.length > 0 ? next : undefined)}
    />
  );
}

interface CommaProps {
  label: string;
  placeholder?: string;
  items: string[];
  onChange: (items: string[]) => void;
}

/** A list with commas, taken over when the field is left: half a name is none. */
export function CommaField({ items, onChange, ...rest }: CommaProps) {
  return (
    <LeftField
      {...rest}
      value={writeList(items.map((item) => [item]))}
      onChange={(text) => onChange(readList(text).map(([item = '']) => item))}
    />
  );
}

interface LeftProps {
  label: string;
  placeholder?: string;
  value: string;
  onChange: (text: string) => void;
}

/** A text that is taken over when the field is left. */
export function LeftField({ value, onChange, ...rest }: LeftProps) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  return (
    <TextInput
      {...rest}
      value={text}
      onChange={(e) => setText(e.currentTarget.value)}
      onBlur={() => text !== value && onChange(text)}
    />
  );
}
