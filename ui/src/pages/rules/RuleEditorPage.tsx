import { Autocomplete, Button, Menu, TextInput } from '@mantine/core';
import { IconCopy, IconDots, IconHistory, IconTrash } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { useLocation } from 'wouter';
import { ApiError } from '../../api';
import type { FileEdit, FilePlace, FileRule, StoredGroup } from '../../api/rules';
import { useApi } from '../../app/context';
import { useUrlState } from '../../app/urlState';
import { useSession } from '../../app/useSession';
import { Answer } from '../../components/Answer';
import { copyText } from '../../components/clipboard';
import page from '../../components/page.module.css';
import { PageHeader } from '../../components/PageHeader';
import { EmptyState } from '../../components/states';
import { toastDone, toastError } from '../../components/toast';
import { ruleLink } from '../links';
import {
  draftIn,
  draftOfFile,
  draftOfRule,
  exprOf,
  newDraft,
  problemOf,
  ruleOf,
  ruleText,
  withoutRule,
  withRule,
  type RuleDraft,
} from './draft';
import { FileDialog } from './FileDialog';
import { useKeptDraft } from './keptDraft';
import { Preview } from './Preview';
import { RuleForm } from './RuleForm';
import { fileGroups, inFile as standsInFile, nthRule, storedOf, type FileGroup } from './rules';
import styles from './Rules.module.css';
import { Versions } from './Versions';

/** One rule: to make, to change, or to see why it fires and whom it tells. */
export default function RuleEditorPage() {
  const { prometheus, rules: api } = useApi();
  const [params] = useUrlState();
  const name = params.get('rule') ?? undefined;
  const group = params.get('group') ?? '';
  const file = params.get('file') ?? '';
  const nth = Number(params.get('nth') ?? 0);
  const { mayEdit } = useSession();
  const loaded = useQuery({
    queryKey: ['rule', group, file, name, nth, mayEdit],
    // An edit begins with what was there; it must not change below the hand.
    staleTime: Infinity,
    refetchOnWindowFocus: false,
    gcTime: 0,
    queryFn: async ({ signal }) => {
      const stored = await api.groups(signal);
      const groups = await prometheus.rules(signal);
      const names = stored.map((s) => s.name);
      const files = fileGroups(groups, stored);
      if (name === undefined) return { draft: newDraft, names, files };
      const found = groups.find((g) => g.name === group && (file === '' || g.file === file));
      const own = found && storedOf(found, stored);
      const full = own && (await api.group(own.name, signal));
      const rule = found && nthRule(found, name, nth);
      if (found && rule && !own && mayEdit && standsInFile(found.file)) {
        const place = { file: found.file, group, alert: name, nth };
        const { rule: original, hash } = await api.inFile(place, signal);
        return { draft: draftOfFile(original), inFile: { place, original, hash }, names, files };
      }
      const draft = (full && draftIn(full.yaml, name)) ?? (rule && draftOfRule(rule));
      if (!draft) throw new Error(`there is no alerting rule ${name} in the group ${group}`);
      return { draft, stored: full, names, files };
    },
  });
  return (
    <Answer query={loaded} what="The rule">
      {({ draft, stored, inFile, names, files }) => (
        <Editor
          key={`${group} ${file} ${name} ${nth}`}
          place={`${group} ${file} ${name ?? ''} ${nth}`}
          initial={draft}
          name={name}
          file={file}
          stored={stored}
          inFile={inFile}
          names={names}
          files={files}
        />
      )}
    </Answer>
  );
}

interface EditorProps {
  /** What an edit of this rule is kept under. */
  place: string;
  initial: RuleDraft;
  /** Undefined for a new one. */
  name: string | undefined;
  file: string;
  /** The group that it is in, if that was made here. */
  stored?: StoredGroup;
  /** The file that it is in, as it was when the edit began. */
  inFile?: { place: FilePlace; original: FileRule; hash: string };
  /** Groups of the page, and those of files: where a new rule may go. */
  names: string[];
  files: FileGroup[];
}

function Editor({ place, initial, name, file, stored, inFile, names, files }: EditorProps) {
  const { rules: api } = useApi();
  const { mayEdit } = useSession();
  const queries = useQueryClient();
  const [, navigate] = useLocation();
  const { draft, setDraft, dirty, restored, discard, forget } = useKeptDraft(place, initial);
  const [group, setGroup] = useState(stored?.name ?? names[0] ?? 'my-rules');
  const [message, setMessage] = useState('');
  const [showVersions, setShowVersions] = useState(false);
  const problem = problemOf(draft);
  const fromFile = name !== undefined && !stored;
  const [fileEdit, setFileEdit] = useState<FileEdit>();
  const editFile = (remove: boolean) => {
    if (!inFile) return;
    const { place, original, hash } = inFile;
    // An expression that nobody touched stays as it was written.
    const expr = exprOf(draft) === exprOf(initial) ? original.expr : exprOf(draft);
    setFileEdit({ ...place, hash, to: remove ? null : { ...ruleOf(draft), expr } });
  };
  const target = name === undefined ? files.find((f) => f.title === group) : undefined;
  const addToFile = ({ file, group }: FileGroup) =>
    setFileEdit({ file, group, alert: '', nth: 0, hash: '', to: ruleOf(draft), new: true });
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
      forget();
      navigate(`/rules?${new URLSearchParams({ search: draft.name })}`);
    },
    onError: (error) => toastError('The rule is not saved', error),
  });
  const remove = useMutation({
    mutationFn: () => edit((text) => withoutRule(text, name ?? '')),
    onSuccess: () => {
      toastDone(`${name} is deleted; its alerts end`);
      forget();
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
          onClick={() => void copyText(ruleText(draft), 'The rule is copied')}
        >
          Copy as YAML
        </Button>
        {mayEdit && inFile && (
          <Button disabled={problem !== undefined || !dirty} title={problem} onClick={() => editFile(false)}>
            Change in the file
          </Button>
        )}
        {mayEdit && !inFile && (
          <>
            {(name === undefined || fromFile) && (
              <Autocomplete
                size="xs"
                aria-label="Group"
                placeholder="Group"
                value={group}
                onChange={setGroup}
                data={[
                  { group: 'Groups of the page', items: names },
                  ...(name === undefined
                    ? [{ group: 'Groups of files', items: files.map((f) => f.title) }]
                    : []),
                ]}
                // What is chosen already must not hide the others.
                filter={target ? ({ options }) => options : undefined}
                w={180}
              />
            )}
            {!target && (
              <TextInput
                aria-label="What changed"
                placeholder="What changed"
                value={message}
                onChange={(e) => setMessage(e.currentTarget.value)}
                w={150}
              />
            )}
            <Button
              disabled={
                problem !== undefined || group.trim() === '' || (!dirty && name !== undefined && !fromFile)
              }
              title={problem}
              loading={save.isPending}
              onClick={() => (target ? addToFile(target) : save.mutate())}
            >
              {target ? 'Add to the file' : fromFile ? 'Save as a rule of the UI' : 'Save'}
            </Button>
          </>
        )}
        {mayEdit && (stored || inFile) && (
          <Menu position="bottom-end">
            <Menu.Target>
              <Button variant="default" px={8} aria-label="More">
                <IconDots size={16} />
              </Button>
            </Menu.Target>
            <Menu.Dropdown>
              {stored && (
                <Menu.Item leftSection={<IconHistory size={15} />} onClick={() => setShowVersions(true)}>
                  Versions of the group
                </Menu.Item>
              )}
              <Menu.Item
                color="red"
                leftSection={<IconTrash size={15} />}
                onClick={() => (inFile ? editFile(true) : remove.mutate())}
              >
                {inFile ? 'Take it out of the file' : 'Delete the rule'}
              </Menu.Item>
            </Menu.Dropdown>
          </Menu>
        )}
      </PageHeader>
      <div className={page.body}>
        {restored && dirty && (
          <div className={page.bar} role="status">
            <span className={page.stale}>This is your edit that was not saved.</span>
            <Button size="compact-xs" variant="default" onClick={discard}>
              Discard it
            </Button>
          </div>
        )}
        {fromFile && mayEdit && (
          <div className={page.note}>
            {inFile
              ? `This rule stands in ${inFile.place.file}. You see what changes there before it is written.`
              : 'hedgewatch ships this rule. Try changes here, then save them as a rule of your own, and switch this one off with mixin.disable.'}
          </div>
        )}
        {mayEdit && target && (
          <div className={page.note}>
            The rule goes to the end of the group {target.group} in {target.file}. You see what changes there
            before it is written.
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
      {fileEdit && (
        <FileDialog
          edit={fileEdit}
          onClose={() => setFileEdit(undefined)}
          onSaved={() => {
            forget();
            void queries.invalidateQueries({ queryKey: ['rules'] });
            navigate(`/rules?${new URLSearchParams({ search: fileEdit.to ? draft.name : '' })}`);
          }}
        />
      )}
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
