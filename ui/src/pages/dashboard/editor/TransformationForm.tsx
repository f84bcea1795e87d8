import { TextInput } from '@mantine/core';
import { useEffect, useState } from 'react';
import { asArray, asObject, asObjects, asString, getPath, type Path } from '../../../model/json';
import { ChoiceField, NumberField, SwitchField, TextField } from './fields';
import { Calcs } from './OptionForms';
import type { Edit } from './PanelEditor';
import styles from './PanelEditor.module.css';

interface FormProps {
  edit: Edit;
  /** Of the options. */
  path: Path;
}

/** The forms of transformations, by the names that dashboards use; others have their JSON only. */
const forms: Record<string, (props: FormProps) => React.ReactNode> = {
  reduce: ({ edit, path }) => (
    <>
      <ChoiceField
        edit={edit}
        path={[...path, 'mode']}
        label="Into"
        fallback="seriesToRows"
        choices={[
          ['seriesToRows', 'a row for each series'],
          ['reduceFields', 'one row'],
        ]}
      />
      <Calcs edit={edit} path={[...path, 'reducers']} label="Calculations" />
      <SwitchField edit={edit} path={[...path, 'labelsToFields']} label="Labels as columns" />
    </>
  ),
  labelsToFields: ({ edit, path }) => (
    <>
      <ChoiceField
        edit={edit}
        path={[...path, 'mode']}
        label="Into"
        fallback="columns"
        choices={[
          ['columns', 'columns'],
          ['rows', 'rows'],
        ]}
      />
      <ListField edit={edit} path={[...path, 'keepLabels']} label="Labels" placeholder="all" />
      <TextField edit={edit} path={[...path, 'valueLabel']} label="Value named by" placeholder="no label" />
    </>
  ),
  joinByField: Join,
  seriesToColumns: Join,
  filterFieldsByName: ({ edit, path }) => (
    <>
      <ListField edit={edit} path={[...path, 'include', 'names']} label="Keep" placeholder="all" />
      <TextField edit={edit} path={[...path, 'include', 'pattern']} label="Keep what matches" />
      <TextField edit={edit} path={[...path, 'exclude', 'pattern']} label="Drop what matches" />
    </>
  ),
  filterByRefId: ({ edit, path }) => (
    <TextField edit={edit} path={[...path, 'include']} label="Queries to keep" placeholder="/^(?:A|B)$/" />
  ),
  renameByRegex: ({ edit, path }) => (
    <>
      <TextField edit={edit} path={[...path, 'regex']} label="Match" placeholder="(.*)-old" />
      <TextField edit={edit} path={[...path, 'renamePattern']} label="Replace by" placeholder="$1" />
    </>
  ),
  limit: ({ edit, path }) => <NumberField edit={edit} path={[...path, 'limitField']} label="Rows" min={0} />,
  sortBy: Sort,
  organize: Organize,
};

/** Undefined for those that have no form. */
export function TransformationForm({ id, ...props }: FormProps & { id: string }) {
  if (!Object.hasOwn(forms, id)) return null;
  const Form = forms[id]!;
  return (
    <div className={styles.fields} data-form={id}>
      <Form {...props} />
    </div>
  );
}

function Join({ edit, path }: FormProps) {
  return (
    <>
      <TextField edit={edit} path={[...path, 'byField']} label="By column" placeholder="Time" />
      <ChoiceField
        edit={edit}
        path={[...path, 'mode']}
        label="Rows"
        fallback="outer"
        choices={[
          ['outer', 'of any'],
          ['inner', 'that all have'],
        ]}
      />
    </>
  );
}

function Sort({ edit, path }: FormProps) {
  const place = [...path, 'sort'];
  const [sort = {}] = asObjects(getPath(edit.raw, place));
  const set = (patch: { field?: string; desc?: boolean }) => edit.set(place, [{ ...sort, ...patch }]);
  return (
    <>
      <TextInput
        label="Column"
        value={asString(sort.field, '')}
        onChange={(e) => set({ field: e.currentTarget.value })}
      />
      <ChoiceField
        edit={{
          raw: { order: sort.desc === true ? 'desc' : 'asc' },
          set: (_, v) => set({ desc: v === 'desc' }),
        }}
        path={['order']}
        label="Order"
        fallback="asc"
        choices={[
          ['asc', 'rising'],
          ['desc', 'falling'],
        ]}
      />
    </>
  );
}

/** Columns that are hidden, and those that have another name. */
function Organize({ edit, path }: FormProps) {
  const renamed = asObject(getPath(edit.raw, [...path, 'renameByName']));
  const hidden = Object.entries(asObject(getPath(edit.raw, [...path, 'excludeByName'])));
  return (
    <>
      <CommaField
        label="Hide"
        items={hidden.filter(([, v]) => v === true).map(([name]) => name)}
        onChange={(names) =>
          edit.set([...path, 'excludeByName'], {
            // What is shown on purpose stays so.
            ...Object.fromEntries(hidden.filter(([, v]) => v !== true)),
            ...Object.fromEntries(names.map((name) => [name, true])),
          })
        }
      />
      <CommaField
        label="Rename"
        placeholder="old = new, old = new"
        items={Object.entries(renamed).map(([from, to]) => `${from} = ${String(to)}`)}
        onChange={(pairs) =>
          edit.set(
            [...path, 'renameByName'],
            Object.fromEntries(
              pairs.flatMap((pair) => {
                const [from = '', to] = pair.split(/ *= */, 2);
                return to === undefined ? [] : [[from, to]];
              }),
            ),
          )
        }
      />
    </>
  );
}

function ListField({ edit, path, ...rest }: FormProps & { label: string; placeholder?: string }) {
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
function CommaField({ label, placeholder, items, onChange }: CommaProps) {
  const joined = items.join(', ');
  const [text, setText] = useState(joined);
  useEffect(() => setText(joined), [joined]);
  // A name with a comma would become two.
  if (items.some((item) => item.includes(','))) return <span className={styles.note}>{label}: see JSON</span>;
  const leave = () => {
    const next = text
      .split(',')
      .map((item) => item.trim())
      .filter(Boolean);
    if (next.join(', ') !== joined) onChange(next);
    else setText(joined);
  };
  return (
    <TextInput
      label={label}
      placeholder={placeholder}
      value={text}
      onChange={(e) => setText(e.currentTarget.value)}
      onBlur={leave}
    />
  );
}
