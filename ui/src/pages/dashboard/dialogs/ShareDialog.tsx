import { Button, Stack, Switch, TextInput } from '@mantine/core';
import { useState } from 'react';
import { copyText } from '../../../components/clipboard';
import { titleOf } from '../../../model/dashboard';
import { resolveRange } from '../../../model/time';
import { download } from '../../../panels/export';
import type { DialogProps } from '../Dialogs';

/** A link to exactly what is seen, and the file for Grafana or another hedgewatch. */
export default function ShareDialog({ draft }: DialogProps) {
  const [fixed, setFixed] = useState(true);
  const link = shareLink(new URL(window.location.href), fixed, Date.now());
  const save = () => {
    const { version: _version, id: _id, ...rest } = draft.dashboard;
    const text = JSON.stringify({ ...rest, id: null }, null, 2);
    download(`${titleOf(draft.dashboard)}.json`, new Blob([text], { type: 'application/json' }));
  };
  return (
    <Stack gap="sm">
      <Switch
        label="Keep the time of now"
        description="A relative range becomes the moment that you see."
        checked={fixed}
        onChange={(e) => setFixed(e.currentTarget.checked)}
      />
      <TextInput label="Link" value={link} readOnly onFocus={(e) => e.currentTarget.select()} />
      <Button variant="light" onClick={() => void copyText(link, 'The link is copied')}>
        Copy the link
      </Button>
      <Button variant="default" onClick={save}>
        Save as a Grafana dashboard (JSON)
      </Button>
    </Stack>
  );
}

export function shareLink(url: URL, fixed: boolean, now: number): string {
  const raw = { from: url.searchParams.get('from') ?? 'now-1h', to: url.searchParams.get('to') ?? 'now' };
  const range = fixed ? resolveRange(raw, now, url.searchParams.get('timezone') ?? 'browser') : undefined;
  if (range) {
    url.searchParams.set('from', String(Math.round(range.from)));
    url.searchParams.set('to', String(Math.round(range.to)));
    url.searchParams.delete('refresh');
  }
  return url.toString();
}
