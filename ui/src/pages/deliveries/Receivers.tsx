import { Button } from '@mantine/core';
import { IconSend } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from 'wouter';
import type { Destination, Drill, Receiver, TestResult } from '../../api/notify';
import { useApi } from '../../app/context';
import { useLive } from '../../app/live';
import { useSession } from '../../app/useSession';
import { Chip } from '../../components/alerting/Chip';
import { formatMs } from '../../components/alerting/latency';
import { integrationName, toneOf } from '../../components/alerting/outcome';
import { Answer } from '../../components/Answer';
import page from '../../components/page.module.css';
import { EmptyState } from '../../components/states';
import { toastError } from '../../components/toast';
import { formatAge, useNow } from '../../components/useNow';
import { formatInstant } from '../../model/time';
import styles from './Deliveries.module.css';

const refreshMs = 5000;
const receiversKey = ['receivers', 'state'];

/** Each receiver with how its destinations are doing, and what waits for them. */
export function Receivers() {
  const { notify } = useApi();
  const answer = useQuery({
    queryKey: receiversKey,
    queryFn: async ({ signal }) => {
      const [receivers, outbox, drills] = await Promise.all([
        notify.receivers(signal),
        notify.outbox(signal),
        notify.drills(signal),
      ]);
      return { receivers, outbox, drills };
    },
    ...useLive(['deliveries'], refreshMs),
  });
  return (
    <Answer query={answer} what="Receivers">
      {({ receivers, outbox, drills }) =>
        receivers.length === 0 ? (
          <EmptyState
            icon={<IconSend size={28} stroke={1.4} />}
            title="Nobody is told"
            message="Alerts are shown here only. Add receivers under alertmanager in the configuration."
          />
        ) : (
          <div className={styles.receivers}>
            {receivers.map((r) => (
              <ReceiverCard
                key={r.name}
                receiver={r}
                outbox={outbox.filter((d) => d.receiver === r.name)}
                drill={drills.find((d) => d.receiver === r.name)}
              />
            ))}
          </div>
        )
      }
    </Answer>
  );
}

interface CardProps {
  receiver: Receiver;
  outbox: Destination[];
  drill?: Drill;
}

function ReceiverCard({ receiver, outbox, drill }: CardProps) {
  const { notify } = useApi();
  const { mayEdit } = useSession();
  const queries = useQueryClient();
  const now = useNow();
  const test = useMutation({
    mutationFn: () => notify.testReceiver(receiver.name),
    onError: (error) => toastError(`${receiver.name} was not tested`, error),
    onSettled: () => void queries.invalidateQueries({ queryKey: receiversKey }),
  });
  const result = test.data ?? receiver.lastTest;
  return (
    <section className={page.card} data-receiver={receiver.name}>
      <div className={styles.head}>
        <h2 className={styles.name}>{receiver.name}</h2>
        <Link href={`/deliveries?${new URLSearchParams({ view: 'deliveries', receiver: receiver.name })}`}>
          deliveries
        </Link>
        {mayEdit && (
          <Button
            variant="default"
            size="compact-xs"
            ml="auto"
            loading={test.isPending}
            onClick={() => test.mutate()}
          >
            Send a test
          </Button>
        )}
      </div>
      <ul className={styles.destinations}>
        {receiver.destinations.map((d) => {
          const box = outbox.find((o) => integrationName(o) === d.integration);
          return (
            <li key={d.integration}>
              <div className={page.bar}>
                <span>{d.integration}</span>
                <Chip tone={toneOf(d.state)}>{d.state}</Chip>
                {box?.stormSince && <Chip tone="warn">storm: digests</Chip>}
                {box && box.waiting > 0 && (
                  <Chip tone="warn">
                    {box.waiting} waiting{box.oldest && ` for ${formatAge(Date.parse(box.oldest), now)}`}
                  </Chip>
                )}
                {d.lastDelivered && (
                  <span className={page.note}>
                    delivered {formatAge(Date.parse(d.lastDelivered), now)} ago
                  </span>
                )}
              </div>
              {box?.lastError && d.state !== 'working' && (
                <div className={styles.error}>
                  {box.lastError}
                  {box.failures > 1 && `, ${box.failures} times`}
                  {box.nextAttempt && `; next attempt ${inOrNow(Date.parse(box.nextAttempt), now)}`}
                </div>
              )}
            </li>
          );
        })}
      </ul>
      {receiver.routes.length === 0 && <div className={page.stale}>No route leads here.</div>}
      {result && <Tested result={result} now={now} />}
      {drill && (
        <div className={page.note}>
          Tested by itself {drill.schedule} ({drill.timeZone}), next{' '}
          {formatInstant(Date.parse(drill.next), 'browser').slice(0, 16)}
        </div>
      )}
    </section>
  );
}

const inOrNow = (at: number, now: number): string => (at > now ? `in ${formatAge(now, at)}` : 'now');

function Tested({ result, now }: { result: TestResult; now: number }) {
  return (
    <div className={styles.tested} role="status">
      <div className={page.note}>
        Tested {formatAge(Date.parse(result.at), now)} ago{result.by && ` by ${result.by}`}:
      </div>
      {result.error && <div className={styles.error}>{result.error}</div>}
      {result.attempts.map((a) => (
        <div key={a.integration} className={a.delivered ? styles.good : styles.error}>
          {a.integration}: {a.delivered ? 'delivered' : 'not delivered'} in {formatMs(a.seconds * 1000)}
          {a.error && `: ${a.error}`}
        </div>
      ))}
    </div>
  );
}
