import {
  ActionIcon,
  Button,
  Group,
  Select,
  Stack,
  Switch,
  TagsInput,
  Textarea,
  TextInput,
  Title,
} from '@mantine/core';
import { IconArrowUp, IconPlus, IconTrash } from '@tabler/icons-react';
import { tagsOf } from '../../../model/dashboard';
import {
  asBool,
  asNumber,
  asObject,
  asObjects,
  asString,
  isObject,
  setPath,
  type JsonObject,
} from '../../../model/json';
import type { DialogProps } from '../Dialogs';
import styles from './SettingsDialog.module.css';

const variableTypes = [
  { value: 'query', label: 'Query' },
  { value: 'custom', label: 'Custom list' },
  { value: 'interval', label: 'Interval' },
  { value: 'textbox', label: 'Text' },
  { value: 'constant', label: 'Constant' },
  { value: 'datasource', label: 'Data source' },
];

const queryHints: Record<string, string> = {
  query: 'label_values(up, job)',
  custom: 'a, b, Two : 2',
  interval: '1m, 5m, 1h',
};

/** Title, tags, crosshair, variables and annotations of a dashboard. */
export default function SettingsDialog({ draft: { dashboard, change } }: DialogProps) {
  const variables = asObjects(asObject(dashboard.templating).list);
  const annotations = asObjects(asObject(dashboard.annotations).list);
  const setVariables = (list: JsonObject[]) => change((d) => setPath(d, ['templating', 'list'], list));
  const setAnnotations = (list: JsonObject[]) => change((d) => setPath(d, ['annotations', 'list'], list));
  const edit = (index: number, patch: JsonObject) =>
    setVariables(variables.map((v, i) => (i === index ? { ...v, ...patch } : v)));
  return (
    <Stack gap="md">
      <Stack gap="xs">
        <TextInput
          label="Title"
          value={asString(dashboard.title, '')}
          onChange={(e) => {
            const { value } = e.currentTarget;
            change((d) => ({ ...d, title: value }));
          }}
        />
        <Textarea
          label="Description"
          size="xs"
          autosize
          minRows={2}
          value={asString(dashboard.description, '')}
          onChange={(e) => {
            const { value } = e.currentTarget;
            change((d) => ({ ...d, description: value }));
          }}
        />
        <TagsInput
          label="Tags"
          size="xs"
          value={tagsOf(dashboard)}
          onChange={(tags) => change((d) => ({ ...d, tags }))}
        />
        <Select
          label="Crosshair"
          data={[
            { value: '0', label: 'Each panel for itself' },
            { value: '1', label: 'Shared by all panels' },
          ]}
          value={asNumber(dashboard.graphTooltip, 0) > 0 ? '1' : '0'}
          onChange={(value) => change((d) => ({ ...d, graphTooltip: Number(value) }))}
        />
      </Stack>
      <section>
        <Group justify="space-between">
          <Title order={3} size="h5">
            Variables
          </Title>
          <Button
            variant="light"
            size="compact-xs"
            leftSection={<IconPlus size={13} />}
            onClick={() =>
              setVariables([
                ...variables,
                {
                  name: `var${variables.length + 1}`,
                  type: 'query',
                  query: '',
                  refresh: 1,
                  sort: 1,
                  hide: 0,
                },
              ])
            }
          >
            Variable
          </Button>
        </Group>
        {variables.map((v, i) => (
          <div key={i} className={styles.item}>
            <TextInput
              label="Name"
              value={asString(v.name, '')}
              onChange={(e) => edit(i, { name: e.currentTarget.value })}
            />
            <TextInput
              label="Label"
              value={asString(v.label, '')}
              onChange={(e) => edit(i, { label: e.currentTarget.value })}
            />
            <Select
              label="Type"
              data={variableTypes}
              value={asString(v.type, 'query')}
              onChange={(type) => type && edit(i, { type })}
            />
            <TextInput
              className={styles.wide}
              label="Query"
              placeholder={queryHints[asString(v.type, '')]}
              value={isObject(v.query) ? asString(v.query.query, '') : asString(v.query, '')}
              onChange={(e) =>
                edit(i, {
                  query: isObject(v.query)
                    ? { ...v.query, query: e.currentTarget.value }
                    : e.currentTarget.value,
                  definition: e.currentTarget.value,
                })
              }
            />
            {v.type === 'query' && (
              <TextInput
                label="Filter (regex)"
                value={asString(v.regex, '')}
                onChange={(e) => edit(i, { regex: e.currentTarget.value })}
              />
            )}
            <Group gap="sm" className={styles.wide}>
              <Switch
                size="xs"
                label="Several"
                checked={asBool(v.multi)}
                onChange={(e) => edit(i, { multi: e.currentTarget.checked })}
              />
              <Switch
                size="xs"
                label="All"
                checked={asBool(v.includeAll)}
                onChange={(e) => edit(i, { includeAll: e.currentTarget.checked })}
              />
              <Switch
                size="xs"
                label="Hidden"
                checked={v.hide === 2}
                onChange={(e) => edit(i, { hide: e.currentTarget.checked ? 2 : 0 })}
              />
              <ActionIcon
                size="sm"
                disabled={i === 0}
                aria-label="Move up"
                onClick={() =>
                  setVariables(
                    variables.map((w, j) => (j === i - 1 ? v : j === i ? (variables[i - 1] ?? w) : w)),
                  )
                }
              >
                <IconArrowUp size={14} />
              </ActionIcon>
              <ActionIcon
                size="sm"
                aria-label={`Remove the variable ${asString(v.name, '')}`}
                onClick={() => setVariables(variables.filter((_, j) => j !== i))}
              >
                <IconTrash size={14} />
              </ActionIcon>
            </Group>
          </div>
        ))}
      </section>
      <section>
        <Group justify="space-between">
          <Title order={3} size="h5">
            Annotations
          </Title>
          <Button
            variant="light"
            size="compact-xs"
            leftSection={<IconPlus size={13} />}
            onClick={() =>
              setAnnotations([
                ...annotations,
                {
                  name: 'New annotation',
                  enable: true,
                  iconColor: 'blue',
                  expr: '',
                  datasource: { type: 'prometheus', uid: 'hedgewatch' },
                },
              ])
            }
          >
            Annotation
          </Button>
        </Group>
        {annotations.map((a, i) => {
          const set = (patch: JsonObject) =>
            setAnnotations(annotations.map((b, j) => (j === i ? { ...b, ...patch } : b)));
          return (
            <div key={i} className={styles.item}>
              <TextInput
                label="Name"
                value={asString(a.name, '')}
                onChange={(e) => set({ name: e.currentTarget.value })}
              />
              <TextInput
                className={styles.wide}
                label="Query"
                placeholder={a.builtIn === 1 ? 'Alerts that fire' : 'changes(build_info[1m]) > 0'}
                value={asString(a.expr, '')}
                onChange={(e) => set({ expr: e.currentTarget.value })}
              />
              <Group gap="sm" className={styles.wide}>
                <Switch
                  size="xs"
                  label="Shown"
                  checked={asBool(a.enable, true)}
                  onChange={(e) => set({ enable: e.currentTarget.checked })}
                />
                <ActionIcon
                  size="sm"
                  aria-label={`Remove the annotation ${asString(a.name, '')}`}
                  onClick={() => setAnnotations(annotations.filter((_, j) => j !== i))}
                >
                  <IconTrash size={14} />
                </ActionIcon>
              </Group>
            </div>
          );
        })}
      </section>
    </Stack>
  );
}
