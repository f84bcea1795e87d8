import { Button, Group, Modal, Stack, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useApi } from '../../app/context';
import { toastDone, toastError } from '../toast';
import { useAuthor } from './author';
import { DurationField } from './DurationField';
import { durationError } from './durations';

interface Props {
  alerts: { fingerprint: string; name: string }[];
  onClose: () => void;
}

/** Takes alerts on: they are not repeated until they end, or until the time is over. */
export function AckDialog({ alerts, onClose }: Props) {
  const { notify } = useApi();
  const queries = useQueryClient();
  const { author, fixed, setAuthor } = useAuthor();
  const [comment, setComment] = useState('');
  const [duration, setDuration] = useState('');
  const wrong = author.trim() === '' || (duration.trim() !== '' && durationError(duration) !== undefined);
  const send = useMutation({
    mutationFn: async () => {
      for (const { fingerprint } of alerts)
        await notify.acknowledge(fingerprint, { by: author, comment, for: duration.trim() });
    },
    onSuccess: () => {
      toastDone(alerts.length === 1 ? `${alerts[0]?.name} is yours` : `${alerts.length} alerts are yours`);
      onClose();
    },
    onError: (error) => toastError('Not acknowledged', error),
    onSettled: () => void queries.invalidateQueries({ queryKey: ['alerts'] }),
  });
  const title =
    alerts.length === 1 ? `Acknowledge ${alerts[0]?.name}` : `Acknowledge ${alerts.length} alerts`;
  return (
    <Modal opened onClose={onClose} title={title}>
      <Stack
        gap={10}
        component="form"
        onSubmit={(e) => {
          (e as unknown as Event).preventDefault();
          if (!wrong) send.mutate();
        }}
      >
        {!fixed && (
          <TextInput
            label="Your name"
            value={author}
            onChange={(e) => setAuthor(e.currentTarget.value)}
            required
          />
        )}
        <TextInput
          label="What you do about it"
          placeholder="restarting the feed"
          value={comment}
          onChange={(e) => setComment(e.currentTarget.value)}
          data-autofocus
        />
        <DurationField
          label="For"
          description="Others are not reminded meanwhile. What is new is told as always."
          value={duration}
          onChange={setDuration}
          empty="until it ends"
        />
        <Group justify="flex-end" gap={8}>
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" disabled={wrong} loading={send.isPending}>
            Acknowledge
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
