import { Button, SegmentedControl, Select, TextInput } from '@mantine/core';
import { useHotkeys } from '@mantine/hooks';
import { IconBellOff, IconCircleCheck, IconSearch } from '@tabler/icons-react';
import { useMemo, useRef, useState } from 'react';
import { useCommands, type Command } from '../../app/commands';
import { useUrlState } from '../../app/urlState';
import { useSession } from '../../app/useSession';
import { AckDialog } from '../../components/alerting/AckDialog';
import { formatMatchers, matchersFor } from '../../components/alerting/matchers';
import { emptySilence, SilenceDialog } from '../../components/alerting/SilenceDialog';
import { Answer } from '../../components/Answer';
import page from '../../components/page.module.css';
import { PageHeader } from '../../components/PageHeader';
import { EmptyState } from '../../components/states';
import { useNow } from '../../components/useNow';
import { AlertDrawer } from './AlertDrawer';
import { AlertRow } from './AlertRow';
import styles from './Alerts.module.css';
import {
  alertStates,
  groupBy,
  groupLabels,
  inOrder,
  search,
  type AlertItem,
  type AlertState,
  type Group,
} from './alerts';
import { useAlerts } from './useAlerts';

const maxShown = 300;

export default function AlertsPage() {
  const [params, update] = useUrlState();
  const state = alertStates.find((s) => s === params.get('state')) ?? 'firing';
  const text = params.get('search') ?? '';
  const label = params.get('group') ?? '';
  const alerts = useAlerts();
  const counts = useMemo(() => count(alerts.data ?? []), [alerts.data]);
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <PageHeader
        title="Alerts"
        documentTitle={counts.firing > 0 ? `(${counts.firing}) Alerts` : 'Alerts'}
        subtitle={counts.acknowledged > 0 && `${counts.acknowledged} of ${counts.firing} acknowledged`}
      >
        <SegmentedControl
          size="xs"
          aria-label="State"
          value={state}
          onChange={(value) => update({ state: value === 'firing' ? undefined : value })}
          data={alertStates.map((value) => ({ value, label: `${titles[value]} ${counts[value]}` }))}
        />
      </PageHeader>
      <div className={page.body}>
        <div className={styles.filters}>
          <TextInput
            ref={input}
            className={styles.search}
            leftSection={<IconSearch size={14} />}
            placeholder="Words, or label=value  ( / )"
            aria-label="Search alerts"
            value={text}
            onChange={(e) => update({ search: e.currentTarget.value || undefined })}
          />
          <Select
            aria-label="Group by"
            value={label}
            onChange={(value) => update({ group: value || undefined })}
            data={[
              { value: '', label: 'No groups' },
              ...[...new Set([...groupLabels(alerts.data ?? []), ...(label ? [label] : [])])].map((name) => ({
                value: name,
                label: `By ${name}`,
              })),
            ]}
          />
        </div>
        <Answer query={alerts} what="Alerts">
          {(all) => (
            <List all={all} state={state} text={text} label={label} onSearch={() => input.current?.focus()} />
          )}
        </Answer>
      </div>
    </>
  );
}

const titles: Record<AlertState, string> = {
  firing: 'Firing',
  pending: 'Pending',
  muted: 'Muted',
  resolved: 'Resolved',
};

interface ListProps {
  all: AlertItem[];
  state: AlertState;
  text: string;
  label: string;
  onSearch: () => void;
}

function List({ all, state, text, label, onSearch }: ListProps) {
  const [params, update] = useUrlState();
  const { mayEdit } = useSession();
  const now = useNow();
  const [acking, setAcking] = useState<AlertItem[]>([]);
  const [silencing, setSilencing] = useState<string | undefined>();
  const [cursor, setCursor] = useState<string | undefined>();
  const shown = useMemo(
    () =>
      inOrder(
        search(
          all.filter((a) => a.state === state),
          text,
        ),
      ),
    [all, state, text],
  );
  const groups = useMemo(() => groupBy(shown.slice(0, maxShown), label), [shown, label]);
  const listed = useMemo(() => groups.flatMap((g) => g.items), [groups]);
  const openKey = params.get('alert') ?? undefined;
  const opened = all.find((a) => a.key === openKey);
  const at = listed.find((a) => a.key === cursor);

  const open = (item: AlertItem | undefined) => update({ alert: item?.key }, { push: item !== undefined });
  const silence = (item: AlertItem) => setSilencing(formatMatchers(matchersFor(item.labels)));
  const move = (step: number) => {
    const next = listed[Math.max(0, listed.findIndex((a) => a.key === cursor) + step)];
    if (!next) return;
    setCursor(next.key);
    document.querySelector(`[data-key="${CSS.escape(next.key)}"]`)?.scrollIntoView({ block: 'nearest' });
  };
  const target = opened ?? at;
  useHotkeys([
    ['/', onSearch],
    ['j', () => move(1)],
    ['k', () => move(-1)],
    ['Enter', () => at && open(at), { preventDefault: false }],
    ['a', () => mayEdit && target?.fingerprint && target.state === 'firing' && setAcking([target])],
    ['s', () => mayEdit && target && silence(target)],
  ]);

  const commands = useMemo<Command[]>(
    () =>
      mayEdit
        ? [
            {
              id: 'silence:new',
              label: 'Silence alerts',
              icon: <IconBellOff size={18} />,
              run: () => setSilencing(''),
            },
          ]
        : [],
    [mayEdit],
  );
  useCommands(commands);

  return (
    <>
      {shown.length === 0 && <Nothing state={state} filtered={text !== ''} />}
      {groups.map((group) => (
        <section key={group.title} className={styles.group}>
          {label !== '' && <GroupTitle group={group} label={label} mayEdit={mayEdit} onAck={setAcking} />}
          <ul className={styles.rows}>
            {group.items.map((item) => (
              <AlertRow
                key={item.key}
                item={item}
                now={now}
                selected={item.key === cursor}
                grouped={label}
                mayEdit={mayEdit}
                onOpen={() => {
                  setCursor(item.key);
                  open(item);
                }}
                onAck={() => setAcking([item])}
                onSilence={() => silence(item)}
                onPick={(name, value) => update({ search: withWord(text, `${name}=${value}`) })}
              />
            ))}
          </ul>
        </section>
      ))}
      {shown.length > maxShown && (
        <div className={page.note}>and {shown.length - maxShown} more: search to narrow them down</div>
      )}
      {opened && (
        <AlertDrawer
          item={opened}
          now={now}
          mayEdit={mayEdit}
          onAck={() => setAcking([opened])}
          onSilence={() => silence(opened)}
          onClose={() => open(undefined)}
        />
      )}
      {acking.length > 0 && <AckDialog alerts={withFingerprint(acking)} onClose={() => setAcking([])} />}
      {silencing !== undefined && (
        <SilenceDialog
          draft={{ ...emptySilence, matchers: silencing }}
          onClose={() => setSilencing(undefined)}
        />
      )}
    </>
  );
}

interface GroupTitleProps {
  group: Group;
  label: string;
  mayEdit: boolean;
  onAck: (items: AlertItem[]) => void;
}

function GroupTitle({ group, label, mayEdit, onAck }: GroupTitleProps) {
  const open = group.items.filter((i) => i.state === 'firing' && !i.ack);
  return (
    <h2 className={styles.groupTitle}>
      {group.title || `without ${label}`}
      <span className={page.note}>{group.items.length}</span>
      {mayEdit && open.length > 1 && (
        <Button variant="subtle" size="compact-xs" onClick={() => onAck(open)}>
          Acknowledge all {open.length}
        </Button>
      )}
    </h2>
  );
}

function Nothing({ state, filtered }: { state: AlertState; filtered: boolean }) {
  if (filtered) return <EmptyState title="No alert is like this" message="Search for fewer words." />;
  const words: Record<AlertState, [string, string?]> = {
    firing: ['Nothing fires', 'Every rule was evaluated, and none of its conditions holds.'],
    pending: ['Nothing is pending', 'No condition holds whose alert still waits.'],
    muted: ['Nothing is muted', 'No firing alert is silenced or inhibited.'],
    resolved: ['Nothing has ended today', 'Alerts that ended within 24 hours are listed here.'],
  };
  const [title, message] = words[state];
  return <EmptyState icon={<IconCircleCheck size={28} stroke={1.4} />} title={title} message={message} />;
}

function count(items: AlertItem[]): Record<AlertState | 'acknowledged', number> {
  const counts = { firing: 0, pending: 0, muted: 0, resolved: 0, acknowledged: 0 };
  for (const { state, ack } of items) {
    counts[state]++;
    if (ack && state === 'firing') counts.acknowledged++;
  }
  return counts;
}

const withWord = (text: string, word: string): string =>
  text.split(/\s+/).includes(word) ? text : `${text} ${word}`.trim();

const withFingerprint = (items: AlertItem[]) =>
  items.flatMap(({ fingerprint, name }) => (fingerprint ? [{ fingerprint, name }] : []));
