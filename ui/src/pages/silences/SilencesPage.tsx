import { Button, Switch } from '@mantine/core';
import { useHotkeys } from '@mantine/hooks';
import { IconBellOff, IconCalendarRepeat, IconPlus } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import type { Silence } from '../../api/alertmanager';
import type { CalendarSilence } from '../../api/notify';
import { useApi } from '../../app/context';
import { useLive } from '../../app/live';
import { useCommands, type Command } from '../../app/commands';
import { useUrlState } from '../../app/urlState';
import { useSession } from '../../app/useSession';
import { Chip } from '../../components/alerting/Chip';
import { formatMatcher } from '../../components/alerting/matchers';
import { emptySilence, SilenceDialog, type SilenceDraft } from '../../components/alerting/SilenceDialog';
import { Answer } from '../../components/Answer';
import page from '../../components/page.module.css';
import { PageHeader } from '../../components/PageHeader';
import { EmptyState } from '../../components/states';
import { toastDone, toastError } from '../../components/toast';
import { formatAge, useNow } from '../../components/useNow';
import { formatInstant } from '../../model/time';
import { calendarOf, draftOfCalendar, draftOfSilence, inOrder } from './silences';
import styles from './Silences.module.css';

const refreshMs = 5000;
const silencesKey = ['silences'];
const maxExpired = 100;

export default function SilencesPage() {
  const { alertmanager, notify } = useApi();
  const { mayEdit } = useSession();
  const [params, update] = useUrlState();
  // Messages link here with the form filled in.
  const asked = params.get('new');
  const [editing, setEditing] = useState<SilenceDraft | undefined>(
    asked === null ? undefined : { ...emptySilence, matchers: asked },
  );
  const withExpired = params.get('expired') === 'true';
  const answer = useQuery({
    queryKey: silencesKey,
    queryFn: async ({ signal }) => {
      const [silences, calendars] = await Promise.all([
        alertmanager.silences(signal),
        notify.calendarSilences(signal),
      ]);
      return { silences, calendars };
    },
    ...useLive(['silences'], refreshMs),
  });
  const create = () => setEditing(emptySilence);
  useHotkeys([['n', () => mayEdit && create()]]);
  const commands = useMemo<Command[]>(
    () =>
      mayEdit
        ? [
            {
              id: 'silence:new',
              label: 'New silence',
              icon: <IconBellOff size={18} />,
              run: () => setEditing(emptySilence),
            },
          ]
        : [],
    [mayEdit],
  );
  useCommands(commands);
  const close = () => {
    setEditing(undefined);
    if (asked !== null) update({ new: undefined });
  };
  return (
    <>
      <PageHeader title="Silences">
        <Switch
          size="xs"
          label="Ended"
          checked={withExpired}
          onChange={(e) => update({ expired: e.currentTarget.checked ? 'true' : undefined })}
        />
        {mayEdit && (
          <Button leftSection={<IconPlus size={14} />} onClick={create}>
            New silence
          </Button>
        )}
      </PageHeader>
      <div className={page.body}>
        <Answer query={answer} what="Silences">
          {({ silences, calendars }) => {
            const shown = inOrder(silences).filter((s) => withExpired || s.status.state !== 'expired');
            const made = calendarOf(calendars);
            return (
              <>
                {shown.length === 0 && calendars.length === 0 && (
                  <EmptyState
                    icon={<IconBellOff size={28} stroke={1.4} />}
                    title="Nothing is silenced"
                    message="A silence keeps messages about alerts back for a time, once or again and again."
                  />
                )}
                {shown.length > 0 && (
                  <ul className={styles.list} aria-label="Silences">
                    {shown.slice(0, maxExpired).map((s) => (
                      <SilenceRow
                        key={s.id}
                        silence={s}
                        calendar={made.get(s.id)}
                        mayEdit={mayEdit}
                        onEdit={() => setEditing(draftOfSilence(s, Date.now()))}
                      />
                    ))}
                  </ul>
                )}
                {calendars.length > 0 && (
                  <>
                    <h2 className={page.heading}>Again and again</h2>
                    <ul className={styles.list} aria-label="Recurring silences">
                      {calendars.map((c) => (
                        <CalendarRow
                          key={c.id}
                          calendar={c}
                          mayEdit={mayEdit}
                          onEdit={() => setEditing(draftOfCalendar(c))}
                        />
                      ))}
                    </ul>
                  </>
                )}
              </>
            );
          }}
        </Answer>
      </div>
      {editing && <SilenceDialog draft={editing} onClose={close} />}
    </>
  );
}

interface SilenceRowProps {
  silence: Silence;
  calendar?: CalendarSilence;
  mayEdit: boolean;
  onEdit: () => void;
}

function SilenceRow({ silence, calendar, mayEdit, onEdit }: SilenceRowProps) {
  const { alertmanager } = useApi();
  const now = useNow();
  const { state } = silence.status;
  const muted = useQuery({
    queryKey: ['silences', 'mutes', silence.id],
    enabled: state === 'active',
    ...useLive(['silences', 'alerts'], 10_000),
    queryFn: async ({ signal }) => {
      const alerts = await alertmanager.alerts(silence.matchers.map(formatMatcher), signal);
      return alerts.filter((a) => a.status.silencedBy.includes(silence.id)).length;
    },
  });
  return (
    <li className={styles.row} data-state={state}>
      <div className={styles.what}>
        <div className={page.bar}>
          <Chip tone={state === 'active' ? 'info' : 'dim'}>{state === 'expired' ? 'ended' : state}</Chip>
          <span className={styles.when}>{whenOf(silence, now)}</span>
          {calendar && (
            <Chip tone="ack">
              <IconCalendarRepeat size={13} /> {calendar.schedule}
            </Chip>
          )}
          {muted.data !== undefined && (
            <span className={page.note}>
              {muted.data === 0
                ? 'mutes nothing now'
                : `mutes ${muted.data === 1 ? 'one alert' : `${muted.data} alerts`}`}
            </span>
          )}
        </div>
        <code className={styles.matchers}>{silence.matchers.map(formatMatcher).join(', ')}</code>
        <div className={page.note}>
          {silence.comment} — {silence.createdBy}
        </div>
      </div>
      {mayEdit && (
        <div className={styles.actions}>
          {!calendar && (
            <Button variant="default" size="compact-xs" onClick={onEdit}>
              {state === 'expired' ? 'Again' : 'Change'}
            </Button>
          )}
          {state !== 'expired' && (
            <End
              what={state === 'active' ? 'End now' : 'Cancel'}
              done="The silence has ended"
              end={() => alertmanager.expireSilence(silence.id)}
            />
          )}
        </div>
      )}
    </li>
  );
}

function whenOf({ startsAt, endsAt, status }: Silence, now: number): string {
  const [start, end] = [Date.parse(startsAt), Date.parse(endsAt)];
  const clock = (at: number) => formatInstant(at, 'browser').slice(0, 16);
  if (status.state === 'active') return `${formatAge(now, end)} left, until ${clock(end)}`;
  if (status.state === 'pending')
    return `begins in ${formatAge(now, start)}, ${clock(start)} to ${clock(end)}`;
  return `${formatAge(end, now)} ago, ${clock(start)} to ${clock(end)}`;
}

interface CalendarRowProps {
  calendar: CalendarSilence;
  mayEdit: boolean;
  onEdit: () => void;
}

function CalendarRow({ calendar, mayEdit, onEdit }: CalendarRowProps) {
  const { notify } = useApi();
  const [next] = calendar.next;
  return (
    <li className={styles.row}>
      <div className={styles.what}>
        <div className={page.bar}>
          <Chip tone="ack">
            <IconCalendarRepeat size={13} /> {calendar.schedule}
          </Chip>
          <span className={styles.when}>
            for {calendar.duration}, {calendar.timeZone || 'UTC'}
          </span>
          {next && (
            <span className={page.note}>
              next {formatInstant(Date.parse(next.startsAt), 'browser').slice(0, 16)}
            </span>
          )}
        </div>
        <code className={styles.matchers}>{calendar.matchers.map(formatMatcher).join(', ')}</code>
        <div className={page.note}>
          {calendar.comment} — {calendar.createdBy}
        </div>
      </div>
      {mayEdit && (
        <div className={styles.actions}>
          <Button variant="default" size="compact-xs" onClick={onEdit}>
            Change
          </Button>
          <End
            what="Delete"
            done="The silence does not recur any more"
            end={() => notify.deleteCalendarSilence(calendar.id)}
          />
        </div>
      )}
    </li>
  );
}

function End({ what, done, end }: { what: string; done: string; end: () => Promise<void> }) {
  const queries = useQueryClient();
  const send = useMutation({
    mutationFn: end,
    onSuccess: () => toastDone(done),
    onError: (error) => toastError(`${what}: not done`, error),
    onSettled: () => {
      void queries.invalidateQueries({ queryKey: silencesKey });
      void queries.invalidateQueries({ queryKey: ['alerts'] });
    },
  });
  return (
    <Button
      variant="subtle"
      color="red"
      size="compact-xs"
      loading={send.isPending}
      onClick={() => send.mutate()}
    >
      {what}
    </Button>
  );
}
