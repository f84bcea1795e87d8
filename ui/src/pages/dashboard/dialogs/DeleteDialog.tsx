import { Button, Group, Text } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { useApi } from '../../../app/context';
import { toastDone, toastError } from '../../../components/toast';
import type { DialogProps } from '../Dialogs';
import { forgetDraft } from '../draft';

export default function DeleteDialog({ meta, onClose }: DialogProps) {
  const { hedgewatch } = useApi();
  const queries = useQueryClient();
  const [, navigate] = useLocation();
  const [busy, setBusy] = useState(false);
  if (!meta) return null;
  const remove = async () => {
    setBusy(true);
    try {
      await hedgewatch.deleteDashboard(meta.uid);
      forgetDraft(meta.uid);
      queries.removeQueries({ queryKey: ['dashboard', meta.uid] });
      await queries.invalidateQueries({ queryKey: ['dashboards'] });
      toastDone(
        meta.edited ? `“${meta.title}” is what hedgewatch ships again` : `“${meta.title}” is deleted`,
      );
      onClose();
      if (!meta.edited) navigate('/dashboards');
    } catch (error) {
      toastError('It was not deleted', error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <Text>
        {meta.edited
          ? `Your changes of “${meta.title}” go, and the one that hedgewatch ships comes back.`
          : `“${meta.title}” and all its versions go. Export it first if you may want it back.`}
      </Text>
      <Group justify="flex-end" mt="md">
        <Button variant="default" onClick={onClose} data-autofocus>
          Cancel
        </Button>
        <Button color="red" loading={busy} onClick={() => void remove()}>
          {meta.edited ? 'Reset' : 'Delete'}
        </Button>
      </Group>
    </>
  );
}
