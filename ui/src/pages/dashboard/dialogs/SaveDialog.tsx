import { Alert, Autocomplete, Button, Group, Stack, TextInput } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState, type FormEvent } from 'react';
import { useLocation } from 'wouter';
import { ApiError, messageOf } from '../../../api';
import { useApi } from '../../../app/context';
import { toastDone } from '../../../components/toast';
import { titleOf } from '../../../model/dashboard';
import { diffJson } from '../../../model/diff';
import type { DialogProps } from '../Dialogs';
import { forgetDraft } from '../draft';
import { Changes } from './Changes';

export default function SaveDialog({ draft, meta, onClose }: DialogProps) {
  const { hedgewatch } = useApi();
  const queries = useQueryClient();
  const [, navigate] = useLocation();
  const [title, setTitle] = useState(titleOf(draft.dashboard));
  const [folder, setFolder] = useState(meta?.shipped ? '' : (meta?.folder ?? ''));
  const [message, setMessage] = useState('');
  const [error, setError] = useState<unknown>();
  const [saving, setSaving] = useState(false);
  const { data: list = [] } = useQuery({
    queryKey: ['dashboards'],
    queryFn: ({ signal }) => hedgewatch.dashboards(signal),
  });
  const conflict = error instanceof ApiError && error.status === 409;
  const current = useQuery({
    queryKey: ['dashboard', meta?.uid, 'current'],
    queryFn: ({ signal }) => hedgewatch.dashboard(meta?.uid ?? '', signal),
    enabled: conflict && meta !== undefined,
    gcTime: 0,
  });

  const save = async (version: number) => {
    setSaving(true);
    setError(undefined);
    try {
      const dashboard = { ...draft.dashboard, title };
      const saved = await hedgewatch.saveDashboard(meta?.uid ?? '', { dashboard, folder, message, version });
      forgetDraft(meta?.uid ?? 'new');
      queries.setQueryData(['dashboard', saved.meta.uid], saved);
      await queries.invalidateQueries({ queryKey: ['dashboards'] });
      toastDone(`Saved “${saved.meta.title}”, version ${saved.meta.version}`);
      onClose();
      if (!meta) navigate(`/dashboards/${saved.meta.uid}${window.location.search}`, { replace: true });
    } catch (failure) {
      setError(failure);
    } finally {
      setSaving(false);
    }
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void save(meta?.version ?? 0);
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="sm">
        <TextInput
          label="Title"
          required
          value={title}
          onChange={(e) => setTitle(e.currentTarget.value)}
          data-autofocus
        />
        <Autocomplete
          label="Folder"
          size="xs"
          placeholder="None"
          value={folder}
          onChange={setFolder}
          data={[...new Set(list.map((m) => m.folder))].filter((f) => f !== '')}
        />
        <TextInput
          label="What changed"
          placeholder="For whoever reads the versions"
          value={message}
          onChange={(e) => setMessage(e.currentTarget.value)}
        />
        {meta?.shipped && (
          <Alert color="blue" variant="light">
            hedgewatch ships this dashboard. Your version takes its place; deleting yours brings it back.
          </Alert>
        )}
        {error !== undefined && !conflict && (
          <Alert color="red" variant="light" title="It was not saved">
            {messageOf(error)}. Your changes are still here.
          </Alert>
        )}
        {conflict && (
          <Alert color="yellow" variant="light" title="Somebody else has saved in between">
            Your changes are still here. This is what is there now, against yours:
            {current.data && <Changes changes={diffJson(current.data.dashboard, draft.dashboard)} />}
          </Alert>
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          {conflict && current.data ? (
            <Button color="orange" loading={saving} onClick={() => void save(current.data.meta.version)}>
              Save mine over it
            </Button>
          ) : (
            <Button type="submit" loading={saving}>
              Save
            </Button>
          )}
        </Group>
      </Stack>
    </form>
  );
}
