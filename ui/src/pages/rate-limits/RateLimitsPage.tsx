import { SegmentedControl } from '@mantine/core';
import { IconBan, IconGauge, IconHourglass } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useMemo, useState } from 'react';
import { ApiError, messageOf } from '../../api';
import type { GovernorStatus } from '../../api/governor';
import { useApi } from '../../app/context';
import { useLive } from '../../app/live';
import { useTimeRange } from '../../app/timeRange';
import { Answer } from '../../components/Answer';
import { HowTo } from '../../components/HowTo';
import { PageHeader } from '../../components/PageHeader';
import page from '../../components/page.module.css';
import { QueryGraph } from '../../components/QueryGraph';
import { TimePicker } from '../../components/TimePicker';
import { useNow } from '../../components/useNow';
import { formatInstant } from '../../model/time';
import { formatText } from '../../units';
import { marketText, nextRoll, stopsOf, usedMarkets } from './limits';
import { Endpoints, MarketCard } from './MarketCard';
import styles from './RateLimits.module.css';
import { Sockets } from './Sockets';

const pollMs = 2000;
/** As old as that, a number says nothing about a window of ten seconds. */
const safetyMs = 5000;

const example = `governor: {}

# then point the services at it:
#   https://api.binance.com   →  http://127.0.0.1:9091
#   https://fapi.binance.com  →  http://127.0.0.1:9091`;

/** The exchange's limits: what is used of them, by whom, and where that leads. */
export default function RateLimitsPage() {
  const { governor } = useApi();
  const answer = useQuery({
    queryKey: ['governor'],
    queryFn: ({ signal }) => governor.status(signal),
    ...useLive(['governor'], pollMs, safetyMs),
  });
  const { data, dataUpdatedAt, refetch } = answer;
  // A window that ends is no news for the stream: nobody did anything.
  useEffect(() => {
    if (!data) return;
    const timer = setTimeout(() => void refetch(), nextRoll(data, dataUpdatedAt) - Date.now() + 100);
    return () => clearTimeout(timer);
  }, [data, dataUpdatedAt, refetch]);
  const missing = answer.error instanceof ApiError && answer.error.status === 404;
  return (
    <>
      <PageHeader
        title="Rate limits"
        subtitle={
          data &&
          (data.listen
            ? `The governor listens on ${data.listen}, weight table ${data.weightTable}`
            : 'The governor does not listen yet')
        }
      />
      {missing ? (
        <HowTo
          icon={<IconGauge size={28} stroke={1.4} />}
          title="There is no governor"
          message="The exchange counts all requests of an address together. The governor is a proxy that keeps everybody on it inside the limits, and shows here what is used and by whom. Add it to the configuration, and restart."
          yaml={example}
        />
      ) : (
        <Answer query={answer} what="The limits">
          {(status) => <Limits status={status} readAt={dataUpdatedAt} />}
        </Answer>
      )}
    </>
  );
}

function Limits({ status, readAt }: { status: GovernorStatus; readAt: number }) {
  const now = useNow();
  const markets = usedMarkets(status);
  const stops = stopsOf(status, now);
  return (
    <div className={page.body}>
      {stops.map((stop) => (
        <div
          key={`${stop.market} ${stop.egress}`}
          className={stop.kind === 'ban' ? styles.ban : styles.backoff}
          role="alert"
          data-stop={stop.kind}
        >
          {stop.kind === 'ban' ? <IconBan size={20} /> : <IconHourglass size={20} />}
          <div>
            <strong>
              {marketText[stop.market] ?? stop.market}{' '}
              {stop.kind === 'ban' ? 'refuses' : 'asked for silence from'} address {stop.egress}
            </strong>{' '}
            for <span className="numeric">{formatText(Math.ceil((stop.until - now) / 1000), 's', 0)}</span>,
            until {formatInstant(stop.until, 'browser')}.
            {stop.kind === 'ban' && (
              <div className={page.note}>
                {stop.how && `${stop.how}; `}
                {stop.bans === 1 ? 'the first ban' : `ban ${stop.bans}`} in three days. The governor answers
                by itself and sends nothing.
              </div>
            )}
          </div>
        </div>
      ))}
      <div className={styles.markets}>
        {markets.map((m) => (
          <MarketCard key={m.market} market={m} now={now} readAt={readAt} />
        ))}
      </div>
      {status.endpoints.length > 0 && <Endpoints endpoints={status.endpoints} now={now} readAt={readAt} />}
      {status.sockets.length > 0 && <Sockets sockets={status.sockets} now={now} />}
      <WhatIf markets={markets.map((m) => m.market)} />
      <Graphs />
    </div>
  );
}

const growths = [
  { value: '1', label: 'as now' },
  { value: '1.5', label: '1.5 ×' },
  { value: '2', label: '2 ×' },
  { value: '3', label: '3 ×' },
];

/** What the last hour would have been like with more to ask for. */
function WhatIf({ markets }: { markets: string[] }) {
  const { governor } = useApi();
  const [growth, setGrowth] = useState('1.5');
  const answer = useQuery({
    queryKey: ['governor', 'whatif', growth, markets],
    queryFn: ({ signal }) =>
      Promise.all(
        markets.map(async (m) => ({ market: m, ...(await governor.whatIf(m, Number(growth), signal)) })),
      ),
    ...useLive([], 30_000),
  });
  return (
    <section className={page.card} aria-label="What if">
      <div className={page.bar}>
        <h2 className={page.heading}>If everybody but backfill asked for</h2>
        <SegmentedControl size="xs" aria-label="Growth" value={growth} onChange={setGrowth} data={growths} />
      </div>
      {answer.isError && <div className={page.stale}>{messageOf(answer.error)}</div>}
      {answer.data?.map((a) => (
        <div key={a.market} className={page.note}>
          <strong>{marketText[a.market] ?? a.market}</strong>:{' '}
          {a.minutes === 0
            ? 'nothing was asked for in the last hour'
            : `of ${a.minutes === 1 ? 'one minute' : `${a.minutes} minutes`} with requests in the last hour, ${a.over === 0 ? 'none' : a.over} would have wanted more than the limit; backfill would have given up ${formatText(a.giveUp, 'percentunit', 0)}${a.short > 0 ? `, and ${a.short} would not have fitted even without it` : ''}`}
        </div>
      ))}
    </section>
  );
}

function Graphs() {
  const time = useTimeRange({ from: 'now-3h', refresh: '30s' });
  const graphs = useMemo(
    () => [
      {
        title: 'Used weight, share of the limit',
        unit: 'percentunit',
        queries: [
          {
            expr: 'max by (market, egress) (hedgewatch_binance_used_weight / on (instance, job, market, window) group_left () hedgewatch_binance_weight_limit)',
            legend: '{{market}} {{egress}}',
          },
        ],
      },
      {
        title: 'Used by others on the address',
        queries: [
          {
            expr: 'max by (market, egress) (hedgewatch_binance_foreign_weight)',
            legend: '{{market}} {{egress}}',
          },
        ],
      },
      {
        title: 'Requests by client and priority',
        unit: 'reqps',
        stack: true,
        queries: [
          {
            expr: 'sum by (client, priority) (rate(hedgewatch_governor_requests_total[$__rate_interval]))',
            legend: '{{client}} {{priority}}',
          },
        ],
      },
      {
        title: 'Requests that wait',
        queries: [
          {
            expr: 'sum by (market, priority) (hedgewatch_governor_queued_requests)',
            legend: '{{market}} {{priority}}',
          },
        ],
      },
      {
        title: 'Answers of the exchange',
        unit: 'reqps',
        queries: [
          {
            expr: 'sum by (market, code) (rate(hedgewatch_binance_responses_total[$__rate_interval])) > 0',
            legend: '{{market}} {{code}}',
          },
        ],
      },
      {
        title: 'Orders, share of the limit',
        unit: 'percentunit',
        queries: [
          {
            expr: 'max by (market, account, window) (hedgewatch_binance_orders_used / on (instance, job, market, window) group_left () hedgewatch_binance_orders_limit)',
            legend: '{{market}} {{account}} {{window}}',
          },
        ],
      },
    ],
    [],
  );
  return (
    <>
      <div className={page.bar}>
        <h2 className={page.heading}>Over time</h2>
        <TimePicker time={time} />
      </div>
      <div className={styles.graphs}>
        {graphs.map((g) => (
          <QueryGraph key={g.title} {...g} range={time.range} />
        ))}
      </div>
    </>
  );
}
