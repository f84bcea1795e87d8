import { IconArrowRight, IconChevronDown, IconChevronRight } from '@tabler/icons-react';
import { useState } from 'react';
import { Link } from 'wouter';
import type { CapacityItem } from '../../api/capacity';
import page from '../../components/page.module.css';
import { formatInstant } from '../../model/time';
import { barOf, barText, linksOf, valueText, verdictText, weekOf } from './capacity';
import styles from './Capacity.module.css';

/** One resource of one subject: what it uses, of what, and what to change. */
export function ItemRow({ item, range }: { item: CapacityItem; range: string }) {
  const [open, setOpen] = useState(false);
  const Chevron = open ? IconChevronDown : IconChevronRight;
  return (
    <li
      className={styles.item}
      data-item={`${item.kind} ${item.name} ${item.resource}`}
      data-verdict={item.verdict}
    >
      <div className={styles.row}>
        <button type="button" className={styles.toggle} aria-expanded={open} onClick={() => setOpen(!open)}>
          <Chevron size={15} />
          <span className={styles.names}>
            <span className={styles.name}>{item.name}</span>
            <span className={page.note}>
              {item.kind} · {item.resource}
              {item.replicas > 1 && ` · ${item.replicas} replicas`}
            </span>
          </span>
        </button>
        <span className={styles.verdict}>{verdictText[item.verdict]}</span>
        <Bar item={item} />
        <span className={`${styles.left} numeric`}>
          {item.headroom === undefined
            ? valueText(item.peak.value, item.unit)
            : `${Math.round(Math.max(0, item.headroom) * 100)} % left`}
        </span>
      </div>
      {item.advice !== '' && (
        <div className={styles.advice}>
          <IconArrowRight size={14} aria-hidden />
          {item.advice}
        </div>
      )}
      {open && <Detail item={item} range={range} />}
    </li>
  );
}

function Bar({ item }: { item: CapacityItem }) {
  const bar = barOf(item);
  const percent = (share: number) => `${share * 100}%`;
  return (
    <div className={styles.bar} role="img" aria-label={barText(item)} title={barText(item)}>
      <span className={styles.peak} style={{ width: percent(bar.peak) }} />
      <span className={styles.p95} style={{ width: percent(bar.p95) }} />
      <span className={styles.usual} style={{ width: percent(bar.usual) }} />
      {bar.request !== undefined && (
        <span className={styles.request} style={{ left: percent(bar.request) }} />
      )}
      {bar.limit !== undefined && <span className={styles.limit} style={{ left: percent(bar.limit) }} />}
      {bar.advised !== undefined && (
        <span className={styles.advised} style={{ left: percent(bar.advised) }} />
      )}
    </div>
  );
}

function Detail({ item, range }: { item: CapacityItem; range: string }) {
  return (
    <div className={styles.detail}>
      <div className={styles.words}>
        <p>{item.reason}</p>
        {item.busy.length > 0 && <p>Peaks come {item.busy.join('; ')} UTC.</p>}
        <dl className={styles.numbers}>
          <Number label="usual" value={item.usual} unit={item.unit} />
          <Number label="95 %" value={item.p95} unit={item.unit} />
          <Number label="99 %" value={item.p99} unit={item.unit} />
          <Number label="peak" value={item.peak.value} unit={item.unit} />
          <Number label="request" value={item.request} unit={item.unit} />
          <Number label="limit" value={item.limit} unit={item.unit} />
          <Number label="gains in a week" value={item.perWeek} unit={item.unit} />
          <Number label="could be given back" value={item.giveBack} unit={item.unit} />
          <div>
            <dt>peak was</dt>
            <dd>{formatInstant(Date.parse(item.peak.at), 'browser')}</dd>
          </div>
          {item.full !== undefined && (
            <div>
              <dt>full</dt>
              <dd>{formatInstant(Date.parse(item.full), 'browser')}</dd>
            </div>
          )}
        </dl>
        <div className={page.bar}>
          {linksOf(item, range).map(([text, href]) => (
            <Link key={text} href={href}>
              {text}
            </Link>
          ))}
        </div>
      </div>
      <Week item={item} />
    </div>
  );
}

function Number({ label, value, unit }: { label: string; value?: number; unit: string }) {
  if (value === undefined) return null;
  return (
    <div>
      <dt>{label}</dt>
      <dd className="numeric">{valueText(value, unit)}</dd>
    </div>
  );
}

/** The highest use of each hour of the week: when peaks come. */
function Week({ item }: { item: CapacityItem }) {
  const rows = weekOf(item);
  return (
    <figure className={styles.week}>
      <svg
        viewBox="0 0 316 116"
        role="img"
        aria-label={
          item.busy.length > 0
            ? `The hours that stand out are ${item.busy.join('; ')}`
            : 'No hours of the week stand out'
        }
      >
        {rows.map(({ day, hours }, y) => (
          <g key={day}>
            <text x={0} y={y * 14 + 10}>
              {day}
            </text>
            {hours.map((share, x) => (
              <rect
                key={x}
                x={28 + x * 12}
                y={y * 14}
                width={11}
                height={13}
                rx={2}
                className={share === undefined ? styles.unseen : styles.seen}
                style={share === undefined ? undefined : { fillOpacity: 0.08 + 0.92 * Math.min(1, share) }}
              >
                <title>
                  {day} {x}:00 UTC:{' '}
                  {share === undefined ? 'unknown' : valueText(share * item.peak.value, item.unit)}
                </title>
              </rect>
            ))}
          </g>
        ))}
        {[0, 6, 12, 18].map((hour) => (
          <text key={hour} x={28 + hour * 12} y={112}>
            {hour}:00
          </text>
        ))}
      </svg>
      <figcaption className={page.note}>Highest use by hour of the week, UTC</figcaption>
    </figure>
  );
}
