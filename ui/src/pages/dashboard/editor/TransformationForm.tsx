import { TextInput } from '@mantine/core';
import { asObject, asObjects, asString, getPath } from '../../../model/json';
import { ChoiceField, NumberField, SwitchField, TextField } from './fields';
import { Calculate } from './CalculateForm';
import { FilterByValue } from './FilterForm';
import { GroupBy } from './GroupForm';
import { CommaField, LeftField, ListField, type FormProps } from './listFields';
import { readList, writeList } from './lists';
import { Calcs } from './OptionForms';
import styles from './PanelEditor.module.css';

/** The forms of transformations, by the names that dashboards use; the others have no options, or their JSON only. */
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
  calculateField: Calculate,
  filterByValue: FilterByValue,
  groupBy: GroupBy,
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
      <LeftField
        label="Rename"
        placeholder="old = new, old = new"
        value={writeList(Object.entries(renamed).map(([from, to]) => [from, String(to)]))}
        onChange={(text) =>
          edit.set(
            [...path, 'renameByName'],
            Object.fromEntries(readList(text, '=').filter((pair) => pair.length === 2)),
          )
        }
      />
    </>
  );
}
