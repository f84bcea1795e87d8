import { Button, Drawer, Group } from '@mantine/core';
import {
  IconBellOff,
  IconBook2,
  IconChartLine,
  IconListDetails,
  IconUserCheck,
  IconUserOff,
} from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useMemo, useRef } from 'react';
import { Link } from 'wouter';
import type { Labels } from '../../api/prometheus';
import { useApi } from '../../app/context';
import { useLive } from '../../app/live';
import { Answer } from '../../components/Answer';
import { DeliveryTable } from '../../components/alerting/DeliveryTable';
import { LabelList } from '../../components/alerting/LabelList';
import { latencyOf } from '../../components/alerting/latency';
import { LatencyBar } from '../../components/alerting/LatencyBar';
import { safeHref } from '../../components/href';
import page from '../../components/page.module.css';
import { splitCondition } from '../../components/threshold/expression';
import { ThresholdGraph } from '../../components/threshold/ThresholdGraph';
import { toastDone, toastError } from '../../components/toast';
import { formatAge } from '../../components/useNow';
import { formatInstant } from '../../model/time';
import type { Mark } from '../../panels/types';
import { formatText } from '../../units';
import { exploreLink, ruleLink } from '../links';
import { States } from './AlertRow';
import styles from './Alerts.module.css';
import type { AlertItem } from './alerts';
import { Timeline } from './Timeline';
import { alertsKey } from './useAlerts';

interface Props {
  item: AlertItem;
  now: number;
  mayEdit: boolean;
  onAck: () => void;
  onSilence: () => void;
  onClose: () => void;
}

/**
 * Escape is for the dialog on top, but each of them hears it, in the order in which they began to listen. So the
 * lowest listens from its start on, not anew with each render as Mantine does: it hears the key before the dialog
 * on top is gone.
 */
function useEscapeAlone(onClose: () => void) {
  const latest = useRef(onClose);
  latest.current = onClose;
  useEffect(() => {
    const hear = (e: KeyboardEvent) => {
      if (e.key !== 'Escape' || e.isComposing) return;
      if (document.querySelectorAll('[role="dialog"]').length < 2) latest.current();
    };
    window.addEventListener('keydown', hear, { capture: true });
    return () => window.removeEventListener('keydown', hear, { capture: true });
  }, []);
}

/** Everything about one alert: why it fires, who was told, what happened before. */
export function AlertDrawer({ item, now, mayEdit, onAck, onSilence, onClose }: Props) {
  const { annotations, fingerprint } = item;
  const runbook = annotations.runbook_url && safeHref(annotations.runbook_url);
  useEscapeAlone(onClose);
  return (
    <Drawer
      opened
      onClose={onClose}
      closeOnEscape={false}
      position="right"
      size={720}
      title={<span className={styles.drawerTitle}>{item.name}</span>}
    >
      <div className={styles.drawer} data-level={item.state === 'resolved' ? 'ok' : item.level}>
        <div>
          <div className={styles.line}>
            {item.labels.severity && <span className={styles.severity}>{item.labels.severity}</span>}
            <States item={item} />
            <span className={styles.summary}>{sentence(item, now)}</span>
          </div>
          {annotations.summary && <p className={styles.lead}>{annotations.summary}</p>}
          {annotations.description && <p className={styles.summary}>{annotations.description}</p>}
        </div>
        <Group gap={8}>
          {mayEdit && item.state !== 'resolved' && (
            <>
              {fingerprint && !item.ack && item.state !== 'pending' && (
                <Button leftSection={<IconUserCheck size={15} />} onClick={onAck}>
                  Acknowledge
                </Button>
              )}
              {fingerprint && item.ack && <TakeBack fingerprint={fingerprint} />}
              <Button variant="default" leftSection={<IconBellOff size={15} />} onClick={onSilence}>
                Silence
              </Button>
            </>
          )}
          {runbook && (
            <Button
              variant="default"
              component="a"
              href={runbook}
              target="_blank"
              rel="noreferrer"
              leftSection={<IconBook2 size={15} />}
            >
              Runbook
            </Button>
          )}
          {item.rule && (
            <Button
              variant="default"
              component={Link}
              href={ruleLink(item.rule)}
              leftSection={<IconListDetails size={15} />}
            >
              Rule
            </Button>
          )}
          {item.expr && (
            <Button
              variant="default"
              component={Link}
              href={exploreLink(item.expr)}
              leftSection={<IconChartLine size={15} />}
            >
              Explore
            </Button>
          )}
        </Group>
        {item.ack && (
          <div className={page.note}>
            {item.ack.by || 'Somebody'} has it since {formatInstant(Date.parse(item.ack.at), 'browser')}
            {item.ack.until && `, until ${formatInstant(Date.parse(item.ack.until), 'browser')}`}
            {item.ack.comment && `: “${item.ack.comment}”`}
          </div>
        )}
        {item.expr && <Why item={item} now={now} expr={item.expr} />}
        {fingerprint && <Told fingerprint={fingerprint} />}
        <section>
          <h3 className={page.heading}>Labels</h3>
          <LabelList labels={item.labels} />
        </section>
        <OtherAnnotations annotations={annotations} />
        {fingerprint && <Before fingerprint={fingerprint} />}
      </div>
    </Drawer>
  );
}

function sentence(item: AlertItem, now: number): string {
  if (item.endedAt !== undefined) {
    const lasted = Number.isNaN(item.since) ? '' : `, lasted ${formatAge(item.since, item.endedAt)}`;
    return `ended ${formatAge(item.endedAt, now)} ago${lasted}`;
  }
  return `since ${formatInstant(item.since, 'browser')}, ${formatAge(item.since, now)}`;
}

function TakeBack({ fingerprint }: { fingerprint: string }) {
  const { notify } = useApi();
  const queries = useQueryClient();
  const send = useMutation({
    mutationFn: () => notify.unacknowledge(fingerprint),
    onSuccess: () => toastDone('The acknowledgement is taken back'),
    onError: (error) => toastError('Not taken back', error),
    onSettled: () => void queries.invalidateQueries({ queryKey: alertsKey }),
  });
  return (
    <Button
      variant="default"
      leftSection={<IconUserOff size={15} />}
      loading={send.isPending}
      onClick={() => send.mutate()}
    >
      Take it back
    </Button>
  );
}

/** Before and after, so that one sees what came from where. */
function Why({ item, now, expr }: { item: AlertItem; now: number; expr: string }) {
  const condition = useMemo(() => splitCondition(expr), [expr]);
  const threshold = useMemo(() => condition && { op: condition.op, value: condition.value }, [condition]);
  const start = Number.isNaN(item.since) ? (item.endedAt ?? now) : item.since;
  const end = item.endedAt ?? now;
  const margin = Math.max(20 * 60_000, (end - start) * 0.25);
  // By whole half minutes, or each second would ask anew.
  const to = Math.ceil(Math.min(now, end + margin) / 30_000) * 30_000;
  const from = Math.floor((start - margin) / 30_000) * 30_000;
  const range = useMemo(() => ({ from, to }), [from, to]);
  const marks = useMemo<Mark[]>(
    () => [{ from: start, to: start, title: item.name, text: 'since then', color: 'red' }],
    [start, item.name],
  );
  const value = Number(item.value);
  return (
    <section>
      <h3 className={page.heading}>
        Why
        {item.value !== undefined && item.value !== '' && (
          <span className={page.note}>
            the value is {formatText(value, undefined)}
            {condition && `, the condition ${condition.op} ${formatText(condition.value, undefined)}`}
          </span>
        )}
      </h3>
      <code className={styles.expr}>{expr}</code>
      <ThresholdGraph
        query={condition?.query ?? expr}
        threshold={threshold}
        range={range}
        only={(labels) => concerns(labels, item)}
        marks={marks}
      />
    </section>
  );
}

/** Series whose labels the alert has; what its rule sets may differ. */
function concerns(series: Labels, item: AlertItem): boolean {
  return Object.entries(series).every(
    ([name, value]) =>
      name === '__name__' || item.rule?.labels[name] !== undefined || item.labels[name] === value,
  );
}

function Told({ fingerprint }: { fingerprint: string }) {
  const { notify } = useApi();
  const deliveries = useQuery({
    queryKey: ['deliveries', 'of', fingerprint],
    queryFn: ({ signal }) => notify.deliveries({ fingerprint, limit: 200 }, signal),
    ...useLive(['alerts', 'deliveries'], 5000),
  });
  return (
    <section>
      <h3 className={page.heading}>Who was told</h3>
      <Answer query={deliveries} what="Deliveries">
        {(all) => {
          const latency = latencyOf(all, fingerprint);
          if (all.length === 0) return <div className={page.note}>Nobody yet.</div>;
          return (
            <div className={styles.told}>
              {latency && <LatencyBar latency={latency} />}
              <DeliveryTable deliveries={all.slice(0, 8)} brief />
              {all.length > 8 && (
                <Link href={`/deliveries?fingerprint=${encodeURIComponent(fingerprint)}`}>
                  All {all.length === 200 ? 'attempts' : `${all.length} attempts`}
                </Link>
              )}
            </div>
          );
        }}
      </Answer>
    </section>
  );
}

const shownElsewhere = ['summary', 'description', 'runbook_url'];

function OtherAnnotations({ annotations }: { annotations: Labels }) {
  const others = Object.entries(annotations).filter(([name]) => !shownElsewhere.includes(name));
  if (others.length === 0) return null;
  return (
    <section>
      <h3 className={page.heading}>Annotations</h3>
      <dl className={styles.facts}>
        {others.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function Before({ fingerprint }: { fingerprint: string }) {
  const { notify } = useApi();
  const history = useQuery({
    queryKey: [...alertsKey, 'history', fingerprint],
    queryFn: ({ signal }) => notify.history({ fingerprint, limit: 100 }, signal),
    ...useLive(['alerts'], 10_000),
  });
  return (
    <section>
      <h3 className={page.heading}>History</h3>
      <Answer query={history} what="The history">
        {(transitions) => <Timeline transitions={transitions} />}
      </Answer>
    </section>
  );
}
