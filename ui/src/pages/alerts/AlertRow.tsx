import { ActionIcon, Tooltip } from '@mantine/core';
import { IconBellOff, IconUserCheck } from '@tabler/icons-react';
import { Chip } from '../../components/alerting/Chip';
import { LabelList } from '../../components/alerting/LabelList';
import { formatAge } from '../../components/useNow';
import { durationOf } from '../../components/alerting/durations';
import { summaryOf, type AlertItem } from './alerts';
import styles from './Alerts.module.css';

interface Props {
  item: AlertItem;
  now: number;
  selected: boolean;
  /** The label that the group has in its title. */
  grouped: string;
  mayEdit: boolean;
  onOpen: () => void;
  onAck: () => void;
  onSilence: () => void;
  onPick: (name: string, value: string) => void;
}

/** One alert in the list: how bad, what, for how long, and who has it. */
export function AlertRow({ item, now, selected, grouped, mayEdit, onOpen, onAck, onSilence, onPick }: Props) {
  const mayAck = mayEdit && item.fingerprint !== undefined && item.state === 'firing' && !item.ack;
  return (
    <li
      className={styles.row}
      data-level={item.state === 'resolved' ? 'ok' : item.level}
      data-quiet={item.state !== 'firing' || undefined}
      data-selected={selected || undefined}
      data-alert={item.name}
      data-key={item.key}
      onClick={onOpen}
    >
      <div className={styles.what}>
        <div className={styles.line}>
          <button type="button" className={styles.name} onClick={onOpen} aria-haspopup="dialog">
            {item.name}
          </button>
          {item.labels.severity && <span className={styles.severity}>{item.labels.severity}</span>}
          <States item={item} />
        </div>
        {summaryOf(item) && <div className={styles.summary}>{summaryOf(item)}</div>}
        <LabelList
          labels={item.labels}
          without={['alertname', 'severity', ...(grouped ? [grouped] : [])]}
          onPick={onPick}
        />
      </div>
      <div className={styles.side}>
        <span
          className={`${styles.age} numeric`}
          title={new Date(item.endedAt ?? item.since).toLocaleString()}
        >
          {ageOf(item, now)}
        </span>
        <span className={styles.actions}>
          {mayAck && (
            <Tooltip label="Acknowledge (A)">
              <ActionIcon
                size={34}
                onClick={(e) => {
                  e.stopPropagation();
                  onAck();
                }}
                aria-label={`Acknowledge ${item.name}`}
              >
                <IconUserCheck size={18} />
              </ActionIcon>
            </Tooltip>
          )}
          {mayEdit && item.state !== 'resolved' && (
            <Tooltip label="Silence (S)">
              <ActionIcon
                size={34}
                onClick={(e) => {
                  e.stopPropagation();
                  onSilence();
                }}
                aria-label={`Silence ${item.name}`}
              >
                <IconBellOff size={18} />
              </ActionIcon>
            </Tooltip>
          )}
        </span>
      </div>
    </li>
  );
}

/** What keeps people from hearing of it, or who has heard already. */
export function States({ item }: { item: AlertItem }) {
  const { ack } = item;
  return (
    <>
      {item.state === 'pending' && (
        <Chip tone="warn">pending{item.forSeconds ? ` for ${durationOf(item.forSeconds)}` : ''}</Chip>
      )}
      {item.state === 'resolved' && <Chip tone="ok">resolved</Chip>}
      {ack && (
        <Chip tone="ack" title={ack.comment || undefined}>
          acknowledged{ack.by && ` by ${ack.by}`}
        </Chip>
      )}
      {item.silencedBy.length > 0 && <Chip tone="dim">silenced</Chip>}
      {item.inhibitedBy.length > 0 && <Chip tone="dim">inhibited</Chip>}
      {item.mutedBy.length > 0 && <Chip tone="dim">muted by {item.mutedBy.join(', ')}</Chip>}
    </>
  );
}

function ageOf(item: AlertItem, now: number): string {
  if (item.endedAt !== undefined) return `${formatAge(item.endedAt, now)} ago`;
  return formatAge(item.since, now);
}
