import type { Socket } from '../../api/governor';
import page from '../../components/page.module.css';
import table from '../../components/table.module.css';
import { formatAge } from '../../components/useNow';
import { marketText } from './limits';

/** Who holds a connection to a WebSocket API, and whether it is used. */
export function Sockets({ sockets, now }: { sockets: Socket[]; now: number }) {
  return (
    <section className={page.card} aria-label="Open WebSockets">
      <h2 className={page.heading}>
        Open WebSockets <span className={page.note}>{sockets.length}</span>
      </h2>
      <div className={table.wrap} tabIndex={0} role="group" aria-label="WebSockets">
        <table className={table.table}>
          <thead>
            <tr>
              <th>Client</th>
              <th>Market</th>
              <th>Address</th>
              <th className={table.number}>Open for</th>
              <th className={table.number}>Requests</th>
              <th className={table.number}>Unanswered</th>
              <th className={table.number}>Last request</th>
            </tr>
          </thead>
          <tbody>
            {sockets.map((s) => (
              <tr key={`${s.market} ${s.client} ${s.openedAt}`}>
                <td>{s.client || 'unnamed'}</td>
                <td>{marketText[s.market] ?? s.market}</td>
                <td>{s.egress}</td>
                <td className={table.number}>{formatAge(Date.parse(s.openedAt), now)}</td>
                <td className={table.number}>{s.asked.toLocaleString('en')}</td>
                <td className={table.number}>{s.waiting.toLocaleString('en')}</td>
                <td className={table.number}>
                  {s.lastAsked === '' ? 'none yet' : `${formatAge(Date.parse(s.lastAsked), now)} ago`}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
