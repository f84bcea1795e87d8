import { Autocomplete, Button, Menu, TextInput } from '@mantine/core';
import { IconCopy, IconDots, IconHistory, IconTrash } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { useLocation } from 'wouter';
import { ApiError, messageOf } from '../../api';
import type { StoredGroup } from '../../api/rules';
import { useApi } from '../../app/context';
import { useUrlState } from '../../app/urlState';
import { useSession } from '../../app/useSession';
import { Answer } from '../../components/Answer';
import page from '../../components/page.module.css';
import { PageHeader } from '../../components/PageHeader';
import { EmptyState } from '../../components/states';
import { toastDone, toastError } from '../../components/toast';
import { ruleLink } from '../links';
import {
  draftIn,
  draftOfRule,
  newDraft,
  problemOf,
  ruleText,
  withoutRule,
  withRule,
  type RuleDraft,
} from './draft';
import { Preview } from './Preview';
import { RuleForm } from './RuleForm';
import { storedOf } from './rules';
import styles from './Rules.module.css';
import { Versions } from './Versions';

/** One rule: to make, to change, or to see why it fires and whom it tells. */
export default function RuleEditorPage() {
  const { prometheus, rules: api } = useApi();
  const [params] = useUrlState();
  const name = params.get('rule') ?? undefined;
  const group = params.get('group') ?? '';
  const file = params.get('file') ?? '';
  const loaded = useQuery({
    queryKey: ['rule', group, file, name],
    // An edit begins with what was there; it must not change below the hand.
    staleTime: Infinity,
    refetchOnWindowFocus: false,
    gcTime: 0,
    queryFn: async ({ signal }) => {
      const stored = await api.groups(signal);
      if (name === undefined) return { draft: newDraft, names: stored.map((s) => s.name) };
      const groups = await prometheus.rules(signal);
      const found = groups.find((g) => g.name === group && (file === '' || g.file === file));
      const own = found && storedOf(found, stored);
      const full = own && (await api.group(own.name, signal));
      const rule = found?.rules.find((r) => r.name === name && r.type === 'alerting');
      const draft = (full && draftIn(full.yaml, name)) ?? (rule && draftOfRule(rule));
      if (!draft) throw new Error(`there is no alerting rule ${name} in the group ${group}`);
      return { draft, stored: full, names: stored.map((s) => s.name) };
    },
  });
  return (
    <Answer query={loaded} what="The rule">
      {({ draft, stored, names }) => (
        <Editor
          key={`${group} ${file} ${name}`}
          initial={draft}
          name={name}
          file={file}
          stored={stored}
          names={names}
        />
      )}
    </Answer>
  );
}

interface EditorProps {
  initial: RuleDraft;
  /** Undefined for a new one. */
  name: string | undefined;
  file: string;
  /** The group that it is in, if that was made here. */
  stored?: StoredGroup;
  names: string[];
}

function Editor({ initial, name, file, stored, names }: EditorProps) {
  const { rules: api } = useApi();
  const { mayEdit } = useSession();
  const queries = useQueryClient();
  const [, navigate] = useLocation();
  const [draft, setDraft] = useState(initial);
  const [group, setGroup] = useState(stored?.name ?? names[0] ?? 'my-rules');
  const [message, setMessage] = useState('');
  const [showVersions, setShowVersions] = useState(false);
  const dirty = JSON.stringify(draft) !== JSON.stringify(initial);
  const problem = problemOf(draft);
  const fromFile = name !== undefined && !stored;
  useWarning(dirty && mayEdit);

  const change = (patch: Partial<RuleDraft>) => setDraft((old) => ({ ...old, ...patch }));
  const moveThreshold = (value: number) => change({ value: String(value) });

  // Reads the group anew, so that a rule that somebody else has saved meanwhile stays.
  const edit = async (apply: (text: string) => string | undefined) => {
    const current = await api.group(group).catch((error: unknown) => {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    });
    const yaml = apply(current?.yaml ?? '');
    if (yaml === undefined) await api.delete(group);
    else await api.save(group, { yaml, message, version: current?.version ?? 0 });
    void queries.invalidateQueries({ queryKey: ['rules'] });
  };
  const save = useMutation({
    mutationFn: () => edit((text) => withRule(text, group, stored ? name : undefined, draft)),
    onSuccess: () => {
      toastDone(`${draft.name} is saved and evaluated`);
      navigate(`/rules?${new URLSearchParams({ search: draft.name })}`);
    },
    onError: (error) => toastError('The rule is not saved', error),
  });
  const remove = useMutation({
    mutationFn: () => edit((text) => withoutRule(text, name ?? '')),
    onSuccess: () => {
      toastDone(`${name} is deleted; its alerts end`);
      navigate('/rules');
    },
    onError: (error) => toastError('The rule is not deleted', error),
  });

  return (
    <>
      <PageHeader
        title={name ?? 'New rule'}
        subtitle={stored ? `${stored.name}, version ${stored.version}` : file || undefined}
      >
        <Button
          variant="default"
          leftSection={<IconCopy size={14} />}
          disabled={problem !== undefined}
          onClick={() => void copy(ruleText(draft))}
        >
          Copy as YAML
        </Button>
        {mayEdit && (
          <>
            {(name === undefined || fromFile) && (
              <Autocomplete
                size="xs"
                aria-label="Group"
                placeholder="Group"
                value={group}
                onChange={setGroup}
                data={names}
                w={140}
              />
            )}
            <TextInput
              aria-label="What changed"
              placeholder="What changed"
              value={message}
              onChange={(e) => setMessage(e.currentTarget.value)}
              w={150}
            />
            <Button
              disabled={
                problem !== undefined || group.trim() === '' || (!dirty && name !== undefined && !fromFile)
              }
              title={problem}
              loading={save.isPending}
              onClick={() => save.mutate()}
            >
              {fromFile ? 'Save as a rule of the UI' : 'Save'}
            </Button>
          </>
        )}
        {mayEdit && stored && (
          <Menu position="bottom-end">
            <Menu.Target>
              <Button variant="default" px={8} aria-label="More">
                <IconDots size={16} />
              </Button>
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Item leftSection={<IconHistory size={15} />} onClick={() => setShowVersions(true)}>
                Versions of the group
              </Menu.Item>
              <Menu.Item color="red" leftSection={<IconTrash size={15} />} onClick={() => remove.mutate()}>
                Delete the rule
              </Menu.Item>
            </Menu.Dropdown>
          </Menu>
        )}
      </PageHeader>
      <div className={page.body}>
        {fromFile && (
          <div className={page.note}>
            This rule stands in {file || 'a file'}. Try changes here, then copy them into the file; or save a
            copy, and take the rule out of the file.
          </div>
        )}
        {!mayEdit && (
          <div className={page.note}>You may look and try; to save takes the role of an editor.</div>
        )}
        <div className={styles.editor}>
          <section className={`${page.card} ${styles.form}`} aria-label="Rule">
            <RuleForm draft={draft} onChange={change} />
          </section>
          {(draft.kind === 'threshold' ? draft.query : draft.expr).trim() === '' ? (
            <EmptyState
              title="Write a query"
              message="Its graph, when it would have fired, and who would be told appear here while you type."
            />
          ) : (
            <Preview draft={draft} onThreshold={draft.kind === 'threshold' ? moveThreshold : undefined} />
          )}
        </div>
      </div>
      {showVersions && stored && (
        <Versions
          group={stored}
          onClose={() => setShowVersions(false)}
          onRestored={() => {
            void queries.invalidateQueries({ queryKey: ['rules'] });
            setShowVersions(false);
            navigate(name ? ruleLink({ group: stored.name, file, name }) : '/rules');
            void queries.resetQueries({ queryKey: ['rule'] });
          }}
        />
      )}
    </>
  );
}

/** The browser asks before it throws an edit away. */
function useWarning(dirty: boolean): void {
  useEffect(() => {
    if (!dirty) return;
    const warn = (e: BeforeUnloadEvent) => e.preventDefault();
    window.addEventListener('beforeunload', warn);
    return () => window.removeEventListener('beforeunload', warn);
  }, [dirty]);
}

async function copy(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    toastDone('The rule is copied');
  } catch (error) {
    toastError('The browser does not let us copy', messageOf(error));
  }
}
