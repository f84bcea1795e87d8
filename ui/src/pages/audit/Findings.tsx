import { Button } from '@mantine/core';
import { IconCopy, IconDatabaseHeart } from '@tabler/icons-react';
import { Fragment, useState } from 'react';
import type { Finding, Plan } from '../../api/audit';
import { Chip, type Tone } from '../../components/alerting/Chip';
import page from '../../components/page.module.css';
import { EmptyState } from '../../components/states';
import table from '../../components/table.module.css';
import { toastDone, toastError } from '../../components/toast';
import { formatAge, useNow } from '../../components/useNow';
import { formatInstant } from '../../model/time';
import styles from './Audit.module.css';
import { isOpen, seriesTitle } from './matrix';

const causeTones: Record<string, Tone> = { platform: 'bad', exchange: 'info', archive: 'warn' };
const kindText: Record<string, string> = {
  missing: 'missing',
  duplicate: 'more than once',
  mismatch: 'with other values',
  extra: 'that the exchange has not',
  order: 'out of order',
  unit: 'in another unit of time',
  late: 'late',
  unchecked: 'not checked',
  sum: 'wrong sums',
};
const urgencyText: Record<string, string> = {
  expired: 'too late: the exchange no longer gives it',
  now: 'now: the exchange keeps it for less than twelve hours',
  today: 'within days',
  any: 'any time',
};

interface Props {
  findings: Finding[];
  /** Some are open, though perhaps none like this. */
  any: boolean;
  /** Undefined where these are all. */
  onMore?: () => void;
}

/** What is missing or wrong, whose fault, how it is known, and how to mend it. */
export function Findings({ findings, any, onMore }: Props) {
  const [open, setOpen] = useState<string>();
  const now = useNow(5000);
  if (findings.length === 0)
    return (
      <EmptyState
        icon={<IconDatabaseHeart size={28} stroke={1.4} />}
        title={any ? 'No finding is like this' : 'Nothing was found'}
        message={
          any ? undefined : 'What was verified is complete. What was not is hatched in the matrix above.'
        }
      />
    );
  return (
    <>
      <div className={table.wrap} tabIndex={0} role="group" aria-label="Findings">
        <table className={table.table}>
          <thead>
            <tr>
              <th>Series</th>
              <th>Rows</th>
              <th>Cause</th>
              <th>Time</th>
              <th>How it is known</th>
              <th>Found</th>
              <th>Repair</th>
            </tr>
          </thead>
          <tbody>
            {findings.map((f) => (
              <Fragment key={`${f.series.source} ${f.id}`}>
                <tr data-finding={f.id}>
                  <td>
                    {seriesTitle(f.series)}
                    {f.symbols.length > 0 && (
                      <div className={table.dim}>
                        {f.symbols.length} symbols: {f.symbols.slice(0, 5).join(', ')}
                        {f.symbols.length > 5 && '…'}
                      </div>
                    )}
                    <div className={table.dim}>{f.series.source}</div>
                  </td>
                  <td className="numeric">
                    {f.count.toLocaleString('en')} {kindText[f.kind] ?? f.kind}
                    {f.fields.length > 0 && <div className={table.dim}>{f.fields.join(', ')}</div>}
                  </td>
                  <td>
                    <Chip tone={causeTones[f.cause] ?? 'dim'}>{f.cause}</Chip>
                    {!f.confirmed && <div className={table.dim}>exchange not asked</div>}
                  </td>
                  <td className={styles.time}>
                    {formatInstant(Date.parse(f.from), 'browser')}
                    <div>– {formatInstant(Date.parse(f.to), 'browser')}</div>
                  </td>
                  <td className={styles.evidence}>{f.evidence}</td>
                  <td className={styles.time}>
                    {formatAge(Date.parse(f.openedAt), now)} ago
                    <div className={table.dim}>
                      {isOpen(f)
                        ? `looked at ${formatAge(Date.parse(f.checkedAt), now)} ago`
                        : `gone ${formatAge(Date.parse(f.closedAt), now)} ago`}
                    </div>
                  </td>
                  <td>
                    {f.plan && isOpen(f) ? (
                      <Button
                        size="compact-xs"
                        variant="default"
                        aria-expanded={open === f.id}
                        onClick={() => setOpen(open === f.id ? undefined : f.id)}
                      >
                        {f.plan.requests.length === 1 ? '1 request' : `${f.plan.requests.length} requests`}
                      </Button>
                    ) : (
                      <span className={table.dim}>–</span>
                    )}
                    {f.handover && (
                      <div className={f.handover.refused ? table.error : table.dim} title={f.handover.error}>
                        {handoverText(f.handover, now)}
                      </div>
                    )}
                  </td>
                </tr>
                {open === f.id && f.plan && (
                  <tr>
                    <td colSpan={7}>
                      <RepairPlan plan={f.plan} />
                    </td>
                  </tr>
                )}
              </Fragment>
            ))}
          </tbody>
        </table>
      </div>
      {onMore && (
        <Button variant="default" onClick={onMore}>
          Show more
        </Button>
      )}
    </>
  );
}

function handoverText(h: NonNullable<Finding['handover']>, now: number): string {
  if (h.takenAt !== '') return `taken ${formatAge(Date.parse(h.takenAt), now)} ago`;
  if (h.refused) return 'refused by who repairs';
  return h.attempts === 0 ? 'about to be handed over' : `not taken yet, ${h.attempts} tries`;
}

function RepairPlan({ plan }: { plan: Plan }) {
  const lines = plan.requests.map(
    (r) => `${r.method} ${r.market} ${r.path}?${r.query}${r.signed ? '   (to be signed)' : ''}`,
  );
  const copy = (text: string) =>
    navigator.clipboard.writeText(text).then(
      () => toastDone('The plan is copied'),
      (error: unknown) => toastError('The plan was not copied', error),
    );
  return (
    <div className={styles.plan}>
      <div className={page.bar}>
        <span>
          These requests fetch what is missing, for {plan.weight.toLocaleString('en')} of the weight;{' '}
          {urgencyText[plan.urgency] ?? plan.urgency}
          {Date.parse(plan.until) > 0 && ` (until ${formatInstant(Date.parse(plan.until), 'browser')})`}.
        </span>
        <Button
          size="compact-xs"
          variant="default"
          leftSection={<IconCopy size={13} />}
          onClick={() => void copy(JSON.stringify(plan, null, 2))}
        >
          Copy as JSON
        </Button>
      </div>
      <pre className={page.pre} tabIndex={0} aria-label="Requests">
        {lines.join('\n')}
      </pre>
    </div>
  );
}
