import { Button, CloseButton } from '@mantine/core';
import { IconRefresh } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { AuditStatus, Verification } from '../../api/audit';
import { useApi } from '../../app/context';
import { useSession } from '../../app/useSession';
import page from '../../components/page.module.css';
import { toastError } from '../../components/toast';
import { formatAge, useNow } from '../../components/useNow';
import { formatInstant } from '../../model/time';
import styles from './Audit.module.css';
import { seriesId, seriesTitle, type Stretch } from './matrix';

interface Props {
  stretch: Stretch;
  status: AuditStatus;
  onClear: () => void;
}

/** The stretch that was clicked. Whoever has just repaired it need not wait for the audit to come by. */
export function Chosen({ stretch, status, onClear }: Props) {
  const { audit } = useApi();
  const queries = useQueryClient();
  const { mayEdit } = useSession();
  const now = useNow();
  const verify = useMutation({
    mutationFn: () => audit.verify(stretch.series, stretch.from, stretch.to),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['audit'] }),
    onError: (error) => toastError('It is not verified', error),
  });
  const id = seriesId(stretch.series);
  const last = status.datasets
    .flatMap((d) => d.asked)
    .filter((v) => seriesId(v.series) === id && overlaps(v, stretch))
    .at(-1);
  const busy = verify.isPending || last?.doneAt === '';
  return (
    <div className={styles.chosen} role="group" aria-label="What was clicked">
      <span>
        <strong>{seriesTitle(stretch.series)}</strong> <Time from={stretch.from} to={stretch.to} />
      </span>
      {mayEdit && (
        <Button
          size="compact-xs"
          variant="default"
          leftSection={<IconRefresh size={13} />}
          loading={busy}
          onClick={() => verify.mutate()}
        >
          Verify now
        </Button>
      )}
      {last && (
        <span className={page.note} role="status" data-verified={last.doneAt !== ''}>
          {busy ? 'Verifying ' : last.error === '' ? 'Verified ' : 'Not verified '}
          <Time from={Date.parse(last.from)} to={Date.parse(last.to)} />
          {last.doneAt !== '' && `, ${formatAge(Date.parse(last.doneAt), now)} ago`}
          {last.error !== '' && `: ${last.error}`}
        </span>
      )}
      <CloseButton size="sm" aria-label="Show the findings of all series" onClick={onClear} />
    </div>
  );
}

const overlaps = (v: Verification, s: Stretch): boolean =>
  Date.parse(v.from) < s.to && s.from < Date.parse(v.to);

function Time({ from, to }: { from: number; to: number }) {
  return (
    <span className="numeric">
      {formatInstant(from, 'browser')} – {formatInstant(to, 'browser')}
    </span>
  );
}
