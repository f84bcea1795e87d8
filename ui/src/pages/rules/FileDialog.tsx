import { Alert, Button, Group, Modal } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import type { FileEdit } from '../../api/rules';
import { messageOf } from '../../api';
import { useApi } from '../../app/context';
import { copyText } from '../../components/clipboard';
import page from '../../components/page.module.css';
import { LoadingState } from '../../components/states';
import { toastDone } from '../../components/toast';
import { DiffView } from './DiffView';

interface Props {
  edit: FileEdit;
  onClose: () => void;
  onSaved: () => void;
}

/** What an edit changes in its file, before it is written; else to be copied. */
export function FileDialog({ edit, onClose, onSaved }: Props) {
  const { rules: api } = useApi();
  const change = useQuery({
    queryKey: ['rule', 'diff', edit],
    queryFn: ({ signal }) => api.fileDiff(edit, signal),
    gcTime: 0,
    retry: false,
  });
  const save = useMutation({
    mutationFn: () => api.saveInFile({ ...edit, hash: edit.hash || (change.data?.hash ?? '') }),
    onSuccess: () => {
      toastDone(`${edit.file} is changed and evaluated`);
      onSaved();
    },
  });
  const failure = save.error ?? change.error;
  const { diff, writable, reason } = change.data ?? {};
  return (
    <Modal opened onClose={onClose} title="Change in the file" size="xl" centered>
      <div className={page.note}>{edit.file}</div>
      {change.isPending && <LoadingState />}
      {failure && (
        <Alert color="red" variant="light" title="The file is as it was" mt={8}>
          {messageOf(failure)}. Your edit is still here.
        </Alert>
      )}
      {diff === '' && <p>Nothing changes in the file.</p>}
      {diff && <DiffView diff={diff} />}
      {diff && !writable && (
        <Alert color="yellow" variant="light" mt={8} title="To be applied by hand">
          {reason}. Copy the diff; <code>patch</code> and <code>git apply</code> take it.
        </Alert>
      )}
      <Group justify="flex-end" mt={12}>
        <Button variant="default" onClick={onClose}>
          Cancel
        </Button>
        {diff && (
          <Button
            variant={writable ? 'default' : 'filled'}
            onClick={() => void copyText(diff, 'The diff is copied')}
          >
            Copy the diff
          </Button>
        )}
        {diff && writable && (
          <Button loading={save.isPending} onClick={() => save.mutate()} data-autofocus>
            Write the file
          </Button>
        )}
      </Group>
    </Modal>
  );
}
