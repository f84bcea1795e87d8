import { Alert, Button, Group, Textarea } from '@mantine/core';
import { useState } from 'react';
import { messageOf } from '../../../api';
import { copyText } from '../../../components/clipboard';
import { toastDone } from '../../../components/toast';
import { parseDashboard } from '../../../model/dashboard';
import type { DialogProps } from '../Dialogs';

/** The dashboard as it is stored; it may be changed here, too. */
export default function JsonDialog({ draft, onClose }: DialogProps) {
  const [text, setText] = useState(() => JSON.stringify(draft.dashboard, null, 2));
  const [error, setError] = useState<string>();
  const apply = () => {
    try {
      const next = parseDashboard(text);
      draft.change(() => next);
      toastDone('The JSON is applied, and not saved yet');
      onClose();
    } catch (failure) {
      setError(messageOf(failure));
    }
  };
  return (
    <>
      <Textarea
        aria-label="JSON of the dashboard"
        value={text}
        onChange={(e) => setText(e.currentTarget.value)}
        rows={26}
        spellCheck={false}
        styles={{ input: { fontFamily: 'var(--hw-mono)', fontSize: 12 } }}
      />
      {error && (
        <Alert color="red" variant="light" mt="sm">
          {error}
        </Alert>
      )}
      <Group justify="flex-end" mt="sm">
        <Button variant="default" onClick={() => void copyText(text, 'Copied')}>
          Copy
        </Button>
        <Button onClick={apply}>Apply</Button>
      </Group>
    </>
  );
}
