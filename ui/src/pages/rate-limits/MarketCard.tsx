import type { CSSProperties } from 'react';
import type { Egress, Endpoint, Market } from '../../api/governor';
import { Chip } from '../../components/alerting/Chip';
import page from '../../components/page.module.css';
import table from '../../components/table.module.css';
import { formatText } from '../../units';
import { levelOf, marketText, outlook, partsOf } from './limits';
import styles from './RateLimits.module.css';

interface Timed {
  now: number;
  /** When the numbers were true: windows go on since. */
  readAt: number;
}

const left = (seconds: number, { now, readAt }: Timed) =>
  Math.max(0, Math.ceil(seconds - Math.max(0, now - readAt) / 1000));

const n = (value: number) => value.toLocaleString('en');

/** One market: its weight by address, its orders by account, who asks, and what waits. */
export function MarketCard({ market: m, now, readAt }: Timed & { market: Market }) {
  const queued = Object.entries(m.queued).filter(([, count]) => count > 0);
  return (
    <section className={page.card} aria-label={marketText[m.market] ?? m.market} data-market={m.market}>
      <h2 className={page.heading}>
        {marketText[m.market] ?? m.market}
        <span className={page.note}>
          {m.limitsRead
            ? `${n(m.limit)} weight in ${m.window}`
            : `${n(m.limit)} weight in ${m.window}, as documented`}
          {m.clockOffsetSeconds !== undefined
            ? `, clock ${m.clockOffsetSeconds >= 0 ? '+' : '−'}${formatText(Math.abs(m.clockOffsetSeconds), 's')}`
            : ', clock unknown'}
        </span>
      </h2>
      {m.egress.map((e) => (
        <Weight key={e.name} egress={e} limit={m.limit} now={now} readAt={readAt} />
      ))}
      {m.orders.map((o) => (
        <Bar
          key={`${o.account} ${o.window}`}
          title={`Orders of ${o.account} in ${o.window}`}
          used={o.used}
          limit={o.limit}
        />
      ))}
      {m.orders.length === 0 && m.orderLimits.length > 0 && (
        <div className={page.note}>
          No orders yet; allowed {m.orderLimits.map((l) => `${n(l.limit)} in ${l.window}`).join(', ')}
        </div>
      )}
      <div className={styles.queue} data-queue={queued.length > 0 ? 'waiting' : 'empty'}>
        {queued.length === 0 ? (
          <span className={page.note}>Nothing waits</span>
        ) : (
          queued.map(([priority, count]) => (
            <Chip key={priority} tone="warn">
              {n(count)} {priority} waiting
            </Chip>
          ))
        )}
      </div>
      {m.callers.length > 0 && <Callers market={m} />}
      {m.drifts.length > 0 && (
        <div>
          <h3 className={page.heading}>Prices that the weight table has wrong</h3>
          {m.drifts.map((d) => (
            <div key={`${d.endpoint} ${d.condition}`} className={page.mono}>
              {d.endpoint} {d.condition} costs {n(Math.abs(d.more))} {d.more > 0 ? 'more' : 'less'}
            </div>
          ))}
        </div>
      )}
    </section>
  );
}

function Weight({ egress: e, limit, now, readAt }: Timed & { egress: Egress; limit: number }) {
  const parts = partsOf(e, limit);
  const { text, level } = outlook(e, limit);
  const ends = left(e.windowEndsInSeconds, { now, readAt });
  const share = limit > 0 ? e.used / limit : 0;
  return (
    <div className={styles.weight} data-egress={e.name}>
      <div className={styles.line}>
        <span>Address {e.name}</span>
        <span className={`${styles.big} numeric`}>
          {n(e.used)} <span className={page.note}>of {n(limit)}</span>
        </span>
        <span className={`${page.note} numeric`}>new window in {ends} s</span>
      </div>
      <div
        className={`${styles.bar} ${styles.tall}`}
        role="meter"
        aria-label={`Weight of address ${e.name}`}
        aria-valuemin={0}
        aria-valuemax={limit}
        aria-valuenow={Math.min(e.used, limit)}
        aria-valuetext={`${n(e.used)} of ${n(limit)}`}
      >
        {parts.map((p) => (
          <span
            key={p.id}
            className={styles.part}
            data-part={p.id}
            style={{ width: `${p.share * 100}%` } as CSSProperties}
            title={`${p.title}: ${n(p.weight)}`}
          />
        ))}
        <span
          className={styles.projection}
          style={{ left: `${Math.min(1, limit > 0 ? e.projected / limit : 0) * 100}%` } as CSSProperties}
          title={`${n(e.projected)} projected`}
        />
      </div>
      <div className={styles.line}>
        <span className={styles[`text_${level}`]}>{text}</span>
        {share >= 1 && <Chip tone="bad">used up</Chip>}
        {e.foreign > 0 && <span className={styles.text_warn}>{n(e.foreign)} by others on this address</span>}
        {e.inFlight > 0 && <span className={page.note}>{n(e.inFlight)} on its way</span>}
      </div>
      <div className={styles.legend}>
        {parts.map((p) => (
          <span key={p.id} className={page.note} title={roomOf(e, p.id)}>
            <span className={styles.swatch} data-part={p.id} /> {p.title} {n(p.weight)}
          </span>
        ))}
      </div>
      {e.requests && (
        <Bar
          title={`Requests of address ${e.name} in ${e.requests.window}`}
          used={e.requests.used}
          limit={e.requests.limit}
          note={`new window in ${left(e.requests.windowEndsInSeconds, { now, readAt })} s`}
        />
      )}
    </div>
  );
}

function roomOf(e: Egress, priority: string): string | undefined {
  const room = e.priorities[priority]?.room;
  return room === undefined ? undefined : `may use ${n(room)} more at once`;
}

function Bar({ title, used, limit, note }: { title: string; used: number; limit: number; note?: string }) {
  const share = limit > 0 ? used / limit : 0;
  return (
    <div className={styles.weight}>
      <div className={styles.line}>
        <span className={styles.title}>{title}</span>
        <span className={`${page.note} numeric`}>
          {n(used)} of {n(limit)}
          {note && `, ${note}`}
        </span>
      </div>
      <div
        className={styles.bar}
        role="meter"
        aria-label={title}
        aria-valuemin={0}
        aria-valuemax={limit}
        aria-valuenow={Math.min(used, limit)}
      >
        <span
          className={styles.part}
          data-part={levelOf(share)}
          style={{ width: `${Math.min(1, share) * 100}%` } as CSSProperties}
        />
      </div>
    </div>
  );
}

/** Limits apart from a market's: each path of /sapi, funding rates, connections. */
export function Endpoints({ endpoints, now, readAt }: Timed & { endpoints: Endpoint[] }) {
  return (
    <section className={page.card} aria-label="Other limits">
      <h2 className={page.heading}>Other limits</h2>
      <div className={styles.others}>
        {endpoints.map((e) => (
          <Bar
            key={`${e.market} ${e.endpoint} ${e.by} ${e.name}`}
            title={`${e.market === 'sapi' ? '' : `${marketText[e.market] ?? e.market}: `}${e.endpoint}, ${e.by} ${e.name}`}
            used={e.used}
            limit={e.limit}
            note={`${e.queued > 0 ? `${n(e.queued)} waiting, ` : ''}new window of ${e.window} in ${left(e.windowEndsInSeconds, { now, readAt })} s`}
          />
        ))}
      </div>
    </section>
  );
}

function Callers({ market: m }: { market: Market }) {
  return (
    <div className={table.wrap} tabIndex={0} role="group" aria-label="Who asks">
      <table className={table.table}>
        <thead>
          <tr>
            <th>Client</th>
            <th>Endpoint</th>
            <th className={table.number}>Weight, 2 min</th>
            <th className={table.number}>Requests</th>
          </tr>
        </thead>
        <tbody>
          {m.callers.map((c) => (
            <tr key={`${c.client} ${c.endpoint}`}>
              <td>{c.client || 'unnamed'}</td>
              <td className="mono">{c.endpoint}</td>
              <td className={table.number}>{n(c.weight)}</td>
              <td className={table.number}>{n(c.requests)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
