import { Button, SegmentedControl } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { messageOf } from '../../api';
import type { Labels } from '../../api/prometheus';
import type { Backtest } from '../../api/rules';
import { useApi } from '../../app/context';
import { LabelList } from '../../components/alerting/LabelList';
import page from '../../components/page.module.css';
import { isComplete, splitCondition } from '../../components/threshold/expression';
import { holds } from '../../components/threshold/threshold';
import { ThresholdGraph } from '../../components/threshold/ThresholdGraph';
import { formatDuration, parseDuration } from '../../model/time';
import { parseSample, seriesName } from '../../model/frame';
import type { Mark } from '../../panels/types';
import { formatText } from '../../units';
import { exprOf, labelsOf, type RuleDraft } from './draft';
import styles from './Rules.module.css';
import { conditionInWords, endInWords, routeInWords, waysOf, whyInWords } from './words';

const spans = ['1h', '6h', '24h', '7d'] as const;
const typingMs = 400;
const maxRouted = 10;
const maxInstances = 12;
/** Fine enough for a `for` of seconds, and far below what the server allows. */
const maxSteps = 20_000;

interface Props {
  draft: RuleDraft;
  onThreshold?: (value: number) => void;
}

/** What the rule sees now, what it would have done before, and whom it tells. */
export function Preview({ draft, onThreshold }: Props) {
  const [span, setSpan] = useState<string>('6h');
  const [settled] = useDebouncedValue(draft, typingMs);
  const typed = exprOf(settled);
  const expr = isComplete(typed) ? typed : '';
  // Without its threshold a query can be looked at already.
  const query = settled.kind === 'threshold' && isComplete(settled.query) ? settled.query : expr;
  const condition = useMemo(() => splitCondition(expr), [expr]);
  const range = useMemo(() => {
    const to = Date.now();
    return { from: to - (parseDuration(span) ?? 0), to };
    // A new question looks at the present of when it was asked.
  }, [span, expr]);
  const backtest = useBacktest(settled, expr, range);
  const marks = useMemo(() => marksOf(backtest.data, range), [backtest.data, range]);
  const threshold = useMemo(() => condition && { op: condition.op, value: condition.value }, [condition]);
  return (
    <div className={styles.preview}>
      <section className={page.card}>
        <h2 className={page.heading}>
          Over time
          <SegmentedControl
            size="xs"
            ml="auto"
            aria-label="How far back"
            value={span}
            onChange={setSpan}
            data={[...spans]}
          />
        </h2>
        <ThresholdGraph
          query={condition?.query ?? query}
          threshold={threshold}
          range={range}
          height={260}
          marks={marks}
          onThreshold={onThreshold}
        />
        <div aria-live="polite" aria-busy={backtest.isFetching}>
          {expr === '' ? (
            <div className={page.note}>The expression is not complete yet.</div>
          ) : backtest.isError ? (
            <div className={styles.error} role="alert">
              {messageOf(backtest.error)}
            </div>
          ) : (
            backtest.data && <Numbers result={backtest.data} span={span} onThreshold={onThreshold} />
          )}
        </div>
      </section>
      <Words draft={settled} query={condition?.query ?? query} />
      {condition && <Instances query={condition.query} condition={condition} />}
    </div>
  );
}

function useBacktest(draft: RuleDraft, expr: string, range: { from: number; to: number }) {
  const { rules } = useApi();
  const stepMs = Math.max(5000, Math.ceil((range.to - range.from) / maxSteps / 1000) * 1000);
  const request = {
    expr,
    for: draft.for.trim() || '0s',
    keep_firing_for: draft.keepFiringFor.trim() || '0s',
    alert: draft.name.trim() || 'Trial',
    labels: labelsOf(draft),
    from: new Date(range.from).toISOString(),
    to: new Date(range.to).toISOString(),
    step: formatDuration(stepMs),
  };
  return useQuery({
    queryKey: ['backtest', request],
    enabled: expr !== '',
    placeholderData: keepPreviousData,
    retry: false,
    staleTime: 60_000,
    queryFn: ({ signal }) => rules.backtest(request, signal),
  });
}

function marksOf(result: Backtest | undefined, range: { to: number }): Mark[] {
  if (!result) return [];
  return result.alerts.flatMap(({ labels, intervals }) =>
    intervals.map((i) => ({
      from: Date.parse(i.from),
      to: i.to ? Date.parse(i.to) : range.to,
      title: 'would have fired',
      text: seriesName(labels),
      color: 'red',
    })),
  );
}

interface NumbersProps {
  result: Backtest;
  span: string;
  onThreshold?: (value: number) => void;
}

function Numbers({ result, span, onThreshold }: NumbersProps) {
  const { messages, threshold } = result;
  const suggestion = threshold?.suggestion;
  return (
    <>
      <dl className={styles.numbers} data-backtest={result.fired}>
        <div>
          <dt>would have fired in {span}</dt>
          <dd>{result.fired === 1 ? 'once' : `${result.fired} times`}</dd>
        </div>
        <div>
          <dt>fired for, in all</dt>
          <dd>{formatText(result.firingSeconds, 's', 0)}</dd>
        </div>
        {messages && (
          <div>
            <dt>messages</dt>
            <dd>
              {messages.total}{' '}
              <small>
                {Object.entries(messages.byReceiver)
                  .map(([name, count]) => `${count} to ${name}`)
                  .join(', ')}
              </small>
            </dd>
          </div>
        )}
      </dl>
      {suggestion !== undefined && suggestion !== threshold?.value && onThreshold && (
        <div className={page.note}>
          One sample in a thousand crosses {formatText(suggestion, undefined)}.{' '}
          <Button variant="subtle" size="compact-xs" onClick={() => onThreshold(suggestion)}>
            Use it
          </Button>
        </div>
      )}
      {result.omitted > 0 && <div className={page.note}>{result.omitted} alerts are not drawn.</div>}
      {result.warnings.map((w) => (
        <div key={w} className={page.stale}>
          {w}
        </div>
      ))}
    </>
  );
}

/** The rule as a sentence, with the ways that its real instances would go. */
function Words({ draft, query }: { draft: RuleDraft; query: string }) {
  const { prometheus, notify } = useApi();
  const labels = labelsOf(draft);
  const ways = useQuery({
    queryKey: ['ways', query, labels, draft.name],
    placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => {
      const own = { ...labels, alertname: draft.name.trim() || 'Trial' };
      const instances = query === '' ? [] : await instancesOf(query, signal).catch(() => []);
      const asked = (instances.length > 0 ? instances : [{}]).slice(0, maxRouted);
      const matches = await Promise.all(asked.map((i) => notify.routesFor({ ...i, ...own }, signal)));
      return { ways: waysOf(matches), asked: asked.length, instances: instances.length };
    },
  });

  async function instancesOf(expr: string, signal: AbortSignal): Promise<Labels[]> {
    const { data } = await prometheus.query(expr, undefined, signal);
    if (data.resultType !== 'vector') return [];
    return data.result.map(({ metric: { __name__: _, ...rest } }) => rest);
  }

  return (
    <section className={page.card}>
      <h2 className={page.heading}>What will happen</h2>
      <div className={styles.words} data-words>
        {conditionInWords(draft)}:
        {ways.isError ? (
          <div className={styles.error}>Who is told is not known: {messageOf(ways.error)}</div>
        ) : (
          <ul>
            {ways.data?.ways.map(({ route, count }) => (
              <li key={route.route}>
                {routeInWords(route)}
                {route.muted && <strong>, but not now: a time interval mutes it</strong>}
                <div className={styles.why}>
                  {whyInWords(route)}
                  {ways.data.asked > 1 && ` (${count} of ${ways.data.asked} series of now)`}
                </div>
              </li>
            ))}
            {ways.data?.ways.length === 0 && <li>nobody is told: no route leads anywhere</li>}
          </ul>
        )}
        {endInWords(draft)}
      </div>
    </section>
  );
}

interface InstancesProps {
  query: string;
  condition: NonNullable<ReturnType<typeof splitCondition>>;
}

/** The series of now, the nearest to firing first. */
function Instances({ query, condition }: InstancesProps) {
  const { prometheus } = useApi();
  const answer = useQuery({
    queryKey: ['instances', query],
    refetchInterval: 5000,
    queryFn: async ({ signal }) => {
      const { data } = await prometheus.query(query, undefined, signal);
      if (data.resultType !== 'vector') return [];
      return data.result.flatMap(({ metric, value }) => {
        const number = value && parseSample(value[1]);
        return typeof number === 'number' ? [{ metric, number }] : [];
      });
    },
  });
  if (!answer.data || answer.data.length === 0) return null;
  const downwards = condition.op === '<' || condition.op === '<=';
  const sorted = [...answer.data].sort((a, b) => (downwards ? a.number - b.number : b.number - a.number));
  return (
    <section className={page.card}>
      <h2 className={page.heading}>
        Now <span className={page.note}>{sorted.length} series</span>
      </h2>
      <ul className={styles.instances}>
        {sorted.slice(0, maxInstances).map(({ metric, number }) => (
          <li key={seriesName(metric)}>
            <LabelList labels={metric} without={['__name__']} />
            <span className="numeric" data-holds={holds(condition, number) || undefined}>
              {formatText(number, undefined)}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}
