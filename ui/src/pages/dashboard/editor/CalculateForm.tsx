import { TextInput } from '@mantine/core';
import { calcs } from '../../../model/calcs';
import { asObject, asString, getPath, isObject, type Json } from '../../../model/json';
import { ChoiceField, SwitchField, TextField } from './fields';
import { ListField, type FormProps } from './listFields';

/** A column made of others: of two by an operator, or of a row by a calculation. */
export function Calculate({ edit, path }: FormProps) {
  const binary = getPath(edit.raw, [...path, 'mode']) === 'binary';
  return (
    <>
      <ChoiceField
        edit={edit}
        path={[...path, 'mode']}
        label="Of"
        fallback="reduceRow"
        choices={[
          ['reduceRow', 'the columns of a row'],
          ['binary', 'two columns or numbers'],
        ]}
      />
      {binary ? (
        <>
          <ChoiceField
            edit={edit}
            path={[...path, 'binary', 'operator']}
            label="Operator"
            fallback="+"
            choices={['+', '-', '*', '/', '**', '%'].map((o) => [o, o])}
          />
          <SideField edit={edit} path={[...path, 'binary', 'left']} label="Left" />
          <SideField edit={edit} path={[...path, 'binary', 'right']} label="Right" />
        </>
      ) : (
        <>
          <ChoiceField
            edit={edit}
            path={[...path, 'reduce', 'reducer']}
            label="Calculation"
            fallback="sum"
            choices={Object.entries(calcs).map(([id, { label }]) => [id, label])}
          />
          <ListField
            edit={edit}
            path={[...path, 'reduce', 'include']}
            label="Columns"
            placeholder="all numbers"
          />
        </>
      )}
      <TextField edit={edit} path={[...path, 'alias']} label="Name" placeholder="of the calculation" />
      <SwitchField edit={edit} path={[...path, 'replaceFields']} label="Without the other columns" />
    </>
  );
}

/** One side is a column or a number; newer dashboards have an object for it, which it stays. */
function SideField({ edit, path, label }: FormProps & { label: string }) {
  const side = getPath(edit.raw, path);
  return (
    <TextInput
      label={label}
      placeholder="column or number"
      value={sideText(side)}
      onChange={(e) => edit.set(path, sideOf(e.currentTarget.value, side))}
    />
  );
}

export function sideText(side: Json | undefined): string {
  if (!isObject(side)) return asString(side, '');
  return asString(asObject(side.matcher).options, '') || asString(side.fixed, '');
}

export function sideOf(text: string, old: Json | undefined): Json {
  if (!isObject(old)) return text;
  const fixed = text.trim() !== '' && Number.isFinite(Number(text));
  return fixed ? { fixed: text } : { matcher: { id: 'byName', options: text } };
}
