import { Button, Select } from '@mantine/core';
import { IconSend } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useApi } from '../../app/context';
import { useLive } from '../../app/live';
import { useUrlState } from '../../app/urlState';
import { DeliveryTable } from '../../components/alerting/DeliveryTable';
import { outcomeText } from '../../components/alerting/outcome';
import { Answer } from '../../components/Answer';
import page from '../../components/page.module.css';
import { EmptyState } from '../../components/states';

const outcomes = ['delivered', 'retry', 'paced', 'dead', 'rejected', 'expired', 'dropped'];
const pageSize = 100;
const maxShown = 1000;
/** hedgewatch's own test goes there, each minute. */
const canaryReceiver = 'hedgewatch-canary';

/** Every attempt to deliver a message, the newest first. */
export function Attempts() {
  const { alertmanager, notify } = useApi();
  const [params, update] = useUrlState();
  const filter = {
    receiver: params.get('receiver') ?? undefined,
    outcome: params.get('outcome') ?? undefined,
    fingerprint: params.get('fingerprint') ?? undefined,
    limit: Math.min(maxShown, Number(params.get('limit')) || pageSize),
  };
  const receivers = useQuery({
    queryKey: ['receivers', 'names'],
    queryFn: ({ signal }) => alertmanager.receivers(signal),
    staleTime: 60_000,
  });
  const deliveries = useQuery({
    queryKey: ['deliveries', filter],
    queryFn: ({ signal }) => notify.deliveries(filter, signal),
    ...useLive(['deliveries'], 5000),
  });
  return (
    <>
      <div className={page.bar}>
        <Select
          aria-label="Receiver"
          value={filter.receiver ?? ''}
          onChange={(value) => update({ receiver: value || undefined })}
          data={[
            { value: '', label: 'All receivers' },
            ...(receivers.data ?? []).filter((r) => r !== canaryReceiver),
          ]}
        />
        <Select
          aria-label="Outcome"
          value={filter.outcome ?? ''}
          onChange={(value) => update({ outcome: value || undefined })}
          data={[{ value: '', label: 'Any outcome' }, ...outcomes]}
        />
        {filter.outcome && <span className={page.note}>{outcomeText(filter.outcome)}</span>}
        {filter.fingerprint && (
          <Button variant="default" onClick={() => update({ fingerprint: undefined })}>
            Only one alert: show all
          </Button>
        )}
      </div>
      <Answer query={deliveries} what="Deliveries">
        {(all) => {
          const shown = all.filter((d) => d.receiver !== canaryReceiver);
          if (shown.length === 0)
            return (
              <EmptyState
                icon={<IconSend size={28} stroke={1.4} />}
                title="Nothing was sent"
                message="No attempt is like this within the time that the ledger keeps."
              />
            );
          return (
            <>
              <DeliveryTable deliveries={shown} />
              {all.length === filter.limit && filter.limit < maxShown && (
                <Button
                  variant="default"
                  onClick={() => update({ limit: String(Math.min(maxShown, filter.limit * 3)) })}
                >
                  Older ones
                </Button>
              )}
            </>
          );
        }}
      </Answer>
    </>
  );
}
