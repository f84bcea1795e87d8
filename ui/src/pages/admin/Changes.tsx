import { Button } from '@mantine/core';
import { IconNotes } from '@tabler/icons-react';
import { useInfiniteQuery } from '@tanstack/react-query';
import { messageOf } from '../../api';
import { useApi } from '../../app/context';
import { Chip } from '../../components/alerting/Chip';
import { EmptyState, ErrorState, LoadingState } from '../../components/states';
import table from '../../components/table.module.css';
import { formatInstant } from '../../model/time';

const pageSize = 100;

/** Who changed what, when, and from where. */
export function Changes() {
  const { admin } = useApi();
  const pages = useInfiniteQuery({
    queryKey: ['admin', 'changes'],
    initialPageParam: undefined as number | undefined,
    queryFn: ({ pageParam, signal }) => admin.changes(pageParam, pageSize, signal),
    getNextPageParam: (last) => (last.length < pageSize ? undefined : last.at(-1)?.id),
  });
  if (pages.isPending) return <LoadingState />;
  if (pages.isError)
    return (
      <ErrorState
        title="The log of changes cannot be read"
        message={messageOf(pages.error)}
        onRetry={() => void pages.refetch()}
      />
    );
  const changes = pages.data.pages.flat();
  if (changes.length === 0)
    return (
      <EmptyState
        icon={<IconNotes size={28} stroke={1.4} />}
        title="Nothing was changed yet"
        message="Changes of dashboards, rules, silences and users are listed here, and logins."
      />
    );
  return (
    <>
      <div className={table.wrap}>
        <table className={table.table}>
          <thead>
            <tr>
              <th>Time</th>
              <th>Who</th>
              <th>What</th>
              <th>Object</th>
              <th>From</th>
            </tr>
          </thead>
          <tbody>
            {changes.map((c) => (
              <tr key={c.id}>
                <td className="numeric">{formatInstant(Date.parse(c.time), 'browser')}</td>
                <td>{c.who || <span className={table.dim}>nobody</span>}</td>
                <td>
                  {c.action} {c.status >= 400 && <Chip tone="bad">refused, {c.status}</Chip>}
                  {c.detail && <div className={table.dim}>{c.detail}</div>}
                </td>
                <td>{c.object}</td>
                <td className={table.dim}>{c.client}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {pages.hasNextPage && (
        <div>
          <Button
            variant="default"
            loading={pages.isFetchingNextPage}
            onClick={() => void pages.fetchNextPage()}
          >
            Older ones
          </Button>
        </div>
      )}
    </>
  );
}
