import { Alert, Button, FileButton, Group, Modal, Stack, Switch, Textarea, TextInput } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { ApiError, messageOf } from '../../api';
import { useApi } from '../../app/context';
import { toastDone } from '../../components/toast';
import { panelsOf, parseDashboard, titleOf, type Dashboard } from '../../model/dashboard';
import { panelKinds } from '../../panels';

/** Takes the JSON of a dashboard that was made elsewhere. */
export function ImportDialog({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const { hedgewatch } = useApi();
  const queries = useQueryClient();
  const [, navigate] = useLocation();
  const [text, setText] = useState('');
  const [folder, setFolder] = useState('');
  const [overwrite, setOverwrite] = useState(false);
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const read = text.trim() === '' ? undefined : tryParse(text);
  const dashboard = read && 'dashboard' in read ? read.dashboard : undefined;

  const submit = async () => {
    if (!dashboard) return;
    setBusy(true);
    setError(undefined);
    try {
      const { meta, warnings } = await hedgewatch.importDashboard(dashboard, folder, overwrite);
      await queries.invalidateQueries({ queryKey: ['dashboards'] });
      queries.removeQueries({ queryKey: ['dashboard', meta.uid] });
      toastDone([`Imported “${meta.title}”`, ...warnings].join('. '));
      onClose();
      navigate(`/dashboards/${meta.uid}`);
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Modal opened={opened} onClose={onClose} title="Import a dashboard" size="lg" centered>
      <Stack gap="sm">
        <FileButton accept="application/json,.json" onChange={(file) => void file?.text().then(setText)}>
          {(props) => (
            <Button variant="default" {...props}>
              Choose a file
            </Button>
          )}
        </FileButton>
        <Textarea
          label="or paste its JSON"
          rows={10}
          spellCheck={false}
          value={text}
          onChange={(e) => setText(e.currentTarget.value)}
          styles={{ input: { fontFamily: 'var(--hw-mono)', fontSize: 12 } }}
        />
        {read && 'error' in read && (
          <Alert color="red" variant="light">
            {read.error}
          </Alert>
        )}
        {dashboard && <Summary dashboard={dashboard} />}
        <TextInput
          label="Folder"
          placeholder="None"
          value={folder}
          onChange={(e) => setFolder(e.currentTarget.value)}
        />
        <Switch
          size="xs"
          label="Replace the dashboard with the same UID"
          checked={overwrite}
          onChange={(e) => setOverwrite(e.currentTarget.checked)}
        />
        {error !== undefined && (
          <Alert color="red" variant="light" title="It was not imported">
            {messageOf(error)}
            {error instanceof ApiError && error.status === 409
              ? ' Switch on “Replace” to import over it.'
              : ''}
          </Alert>
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button disabled={!dashboard} loading={busy} onClick={() => void submit()}>
            Import
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}

function tryParse(text: string): { dashboard: Dashboard } | { error: string } {
  try {
    return { dashboard: parseDashboard(text) };
  } catch (error) {
    return { error: messageOf(error) };
  }
}

/** What is in it, and what will not be drawn. */
function Summary({ dashboard }: { dashboard: Dashboard }) {
  const panels = panelsOf(dashboard).flatMap((p) => (p.type === 'row' ? p.panels : [p]));
  const known = new Set(panelKinds.map((k) => k.type));
  const unknown = [...new Set(panels.filter((p) => !known.has(p.type)).map((p) => p.type || 'no type'))];
  return (
    <Alert color={unknown.length > 0 ? 'yellow' : 'teal'} variant="light" title={titleOf(dashboard)}>
      {panels.length} panels. {unknown.length > 0 && `Not drawn here, but kept: ${unknown.join(', ')}.`}
    </Alert>
  );
}
