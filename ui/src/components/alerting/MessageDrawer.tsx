import { Drawer } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { Delivery } from '../../api/notify';
import { useApi } from '../../app/context';
import { formatInstant } from '../../model/time';
import { Answer } from '../Answer';
import page from '../page.module.css';
import { Chip } from './Chip';
import { LabelList } from './LabelList';
import { formatMs } from './latency';
import styles from './MessageDrawer.module.css';
import { integrationName, outcomeText, toneOf } from './outcome';

/** All attempts of one message, with what was sent and what was answered. */
export function MessageDrawer({ id, onClose }: { id: string; onClose: () => void }) {
  const { notify } = useApi();
  const message = useQuery({
    queryKey: ['deliveries', 'message', id],
    queryFn: ({ signal }) => notify.message(id, signal),
  });
  return (
    <Drawer opened onClose={onClose} position="right" size="lg" title="Message" zIndex={310}>
      <Answer query={message} what="The message">
        {(attempts) => {
          const [first] = attempts;
          return (
            <div className={styles.message}>
              {first && <Head first={first} />}
              {attempts.map((attempt) => (
                <Attempt key={`${attempt.attempt} ${attempt.attemptedAt}`} attempt={attempt} />
              ))}
            </div>
          );
        }}
      </Answer>
    </Drawer>
  );
}

function Head({ first }: { first: Delivery }) {
  return (
    <div className={page.card}>
      <div className={page.heading}>
        {first.receiver} <span className={page.note}>{integrationName(first)}</span>
      </div>
      <div className={styles.facts}>
        <span>{first.alertCount === 1 ? 'one alert' : `${first.alertCount} alerts`}</span>
        <span>{first.reason}</span>
        {first.storm && <span>digest of a storm</span>}
        {first.superseded > 0 && <span>stands for {first.superseded} older messages</span>}
        {first.endpoint && <span className={page.mono}>{first.endpoint}</span>}
      </div>
      <LabelList labels={first.groupLabels} />
    </div>
  );
}

function Attempt({ attempt }: { attempt: Delivery }) {
  return (
    <section className={page.card}>
      <div className={page.heading}>
        Attempt {attempt.attempt}
        <Chip tone={toneOf(attempt.outcome)} title={outcomeText(attempt.outcome)}>
          {attempt.outcome}
        </Chip>
        {attempt.status > 0 && <span className={page.note}>HTTP {attempt.status}</span>}
        <span className={page.note}>
          {formatInstant(Date.parse(attempt.attemptedAt), 'browser')}, took{' '}
          {formatMs(attempt.latencySeconds * 1000)}
        </span>
      </div>
      {attempt.error && <div className={styles.error}>{attempt.error}</div>}
      {attempt.answer && <Text title="Answer" text={attempt.answer} />}
      {attempt.payload && (
        <Text title={attempt.truncated ? 'Sent (the beginning)' : 'Sent'} text={pretty(attempt.payload)} />
      )}
    </section>
  );
}

function Text({ title, text }: { title: string; text: string }) {
  return (
    <details className={styles.text}>
      <summary>{title}</summary>
      <pre className={page.pre}>{text}</pre>
    </details>
  );
}

function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text; // No JSON, or cut off: as it is.
  }
}
