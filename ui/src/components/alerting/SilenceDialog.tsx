import { Button, Group, Modal, SegmentedControl, Select, Stack, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useApi } from '../../app/context';
import { formatInstant, parseDuration } from '../../model/time';
import { toastDone, toastError } from '../toast';
import { useAuthor } from './author';
import { DurationField } from './DurationField';
import { durationError } from './durations';
import { MatcherField, readMatchers } from './MatcherField';

/** What the form begins with. With an id, a silence is changed. */
export interface SilenceDraft {
  kind: 'once' | 'recurring';
  id?: string;
  /** Keeps the start of a silence that is changed. */
  startsAt?: string;
  matchers: string;
  duration: string;
  schedule: string;
  timeZone: string;
  comment: string;
}

export const emptySilence: SilenceDraft = {
  kind: 'once',
  matchers: '',
  duration: '2h',
  schedule: 'Sat 02:00',
  timeZone: 'UTC',
  comment: '',
};

const zones = Intl.supportedValuesOf('timeZone');

/** Makes or changes a silence, once or one that recurs; shows what it matches before it does. */
export function SilenceDialog({ draft, onClose }: { draft: SilenceDraft; onClose: () => void }) {
  const { alertmanager, notify } = useApi();
  const queries = useQueryClient();
  const { author, fixed, setAuthor } = useAuthor();
  const [form, setForm] = useState(draft);
  const change = (patch: Partial<SilenceDraft>) => setForm((old) => ({ ...old, ...patch }));
  const read = readMatchers(form.matchers);
  const wrong =
    read.error !== undefined ||
    durationError(form.duration) !== undefined ||
    author.trim() === '' ||
    form.comment.trim() === '' ||
    (form.kind === 'recurring' && form.schedule.trim() === '');
  const endsAt = Date.now() + (parseDuration(form.duration) ?? 0);

  const send = useMutation({
    mutationFn: async () => {
      const common = { matchers: read.matchers, createdBy: author, comment: form.comment };
      if (form.kind === 'recurring') {
        const { schedule, timeZone, duration } = form;
        await notify.setCalendarSilence(form.id ?? '', { ...common, schedule, timeZone, duration });
      } else {
        await alertmanager.setSilence({
          ...common,
          id: form.id,
          startsAt: form.startsAt ?? new Date().toISOString(),
          endsAt: new Date(endsAt).toISOString(),
        });
      }
    },
    onSuccess: () => {
      toastDone(form.id ? 'The silence is changed' : 'Silenced');
      void queries.invalidateQueries({ queryKey: ['alerts'] });
      void queries.invalidateQueries({ queryKey: ['silences'] });
      onClose();
    },
    onError: (error) => toastError('Not silenced', error),
  });

  return (
    <Modal opened onClose={onClose} title={form.id ? 'Change the silence' : 'Silence alerts'} size="lg">
      <Stack
        gap={12}
        component="form"
        onSubmit={(e) => {
          (e as unknown as Event).preventDefault();
          if (!wrong) send.mutate();
        }}
      >
        {!form.id && (
          <SegmentedControl
            size="xs"
            aria-label="How often"
            value={form.kind}
            onChange={(kind) => change({ kind: kind as SilenceDraft['kind'] })}
            data={[
              { value: 'once', label: 'Once, from now' },
              { value: 'recurring', label: 'Again and again' },
            ]}
          />
        )}
        <MatcherField value={form.matchers} onChange={(matchers) => change({ matchers })} />
        {form.kind === 'recurring' && (
          <Group grow align="flex-start">
            <TextInput
              label="Begins"
              description="daily 09:00, Mon-Fri 22:00, day 1 03:00, or cron"
              value={form.schedule}
              onChange={(e) => change({ schedule: e.currentTarget.value })}
            />
            <Select
              label="Time zone"
              description="of these times"
              data={zones.includes(form.timeZone) ? zones : [form.timeZone, ...zones]}
              value={form.timeZone}
              onChange={(timeZone) => timeZone && change({ timeZone })}
              searchable
            />
          </Group>
        )}
        <DurationField
          label={form.kind === 'once' ? 'For, from now' : 'For'}
          description={
            form.kind === 'once' && !durationError(form.duration)
              ? `until ${formatInstant(endsAt, 'browser').slice(0, 16)}`
              : undefined
          }
          value={form.duration}
          onChange={(duration) => change({ duration })}
        />
        <TextInput
          label="Why"
          placeholder="database maintenance"
          value={form.comment}
          onChange={(e) => change({ comment: e.currentTarget.value })}
          required
        />
        {!fixed && (
          <TextInput
            label="Your name"
            value={author}
            onChange={(e) => setAuthor(e.currentTarget.value)}
            required
          />
        )}
        <Group justify="flex-end" gap={8}>
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" disabled={wrong} loading={send.isPending}>
            {form.id ? 'Save' : 'Silence'}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
