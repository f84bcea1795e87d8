import { useState } from 'react';
import type { Delivery } from '../../api/notify';
import { formatInstant } from '../../model/time';
import table from '../table.module.css';
import { Chip } from './Chip';
import styles from './DeliveryTable.module.css';
import { LabelList } from './LabelList';
import { formatMs } from './latency';
import { MessageDrawer } from './MessageDrawer';
import { integrationName, outcomeText, toneOf } from './outcome';

/** Attempts to deliver messages; a click shows what was sent and answered. */
export function DeliveryTable({ deliveries, brief }: { deliveries: Delivery[]; brief?: boolean }) {
  const [shown, setShown] = useState<string | undefined>();
  return (
    <>
      <div className={table.wrap}>
        <table className={`${table.table} ${styles.table}`}>
          <thead>
            <tr>
              <th>Time</th>
              <th>To</th>
              <th>Outcome</th>
              {!brief && <th>About</th>}
              <th className={table.number}>Took</th>
              <th className={table.number}>Late</th>
            </tr>
          </thead>
          <tbody>
            {deliveries.map((d) => (
              <tr key={`${d.id} ${d.attempt} ${d.attemptedAt}`}>
                <td className={styles.time}>
                  <button
                    type="button"
                    className={styles.open}
                    onClick={() => setShown(d.id)}
                    aria-label={`${formatInstant(Date.parse(d.attemptedAt), 'browser')}: message to ${d.receiver}, attempt ${d.attempt}`}
                  >
                    {formatInstant(Date.parse(d.attemptedAt), 'browser')}
                  </button>
                </td>
                <td>
                  {d.receiver} <span className={table.dim}>{integrationName(d)}</span>
                </td>
                <td>
                  <Chip tone={toneOf(d.outcome)} title={outcomeText(d.outcome)}>
                    {d.outcome}
                    {d.attempt > 1 && ` · attempt ${d.attempt}`}
                  </Chip>
                  {d.error && <div className={table.error}>{d.error}</div>}
                </td>
                {!brief && (
                  <td>
                    <LabelList labels={d.groupLabels} />{' '}
                    <span className={table.dim}>{d.alertCount > 1 ? `${d.alertCount} alerts` : ''}</span>
                  </td>
                )}
                <td className={table.number}>{formatMs(d.latencySeconds * 1000)}</td>
                <td className={table.number} title="From the message to its arrival, with all attempts">
                  {formatMs(d.lateSeconds * 1000)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {shown !== undefined && <MessageDrawer id={shown} onClose={() => setShown(undefined)} />}
    </>
  );
}
