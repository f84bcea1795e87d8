import { SegmentedControl } from '@mantine/core';
import { IconLock } from '@tabler/icons-react';
import { useSession } from '../../app/useSession';
import { useUrlState } from '../../app/urlState';
import page from '../../components/page.module.css';
import { PageHeader } from '../../components/PageHeader';
import { EmptyState } from '../../components/states';
import { Changes } from './Changes';
import { Tokens } from './Tokens';
import { Users } from './Users';

const views = ['users', 'tokens', 'changes'] as const;

/** Who gets in, with what, and what they did. */
export default function AdminPage() {
  const { session } = useSession();
  const [params, update] = useUrlState();
  const view = views.find((v) => v === params.get('view')) ?? 'users';
  return (
    <>
      <PageHeader title="Users">
        <SegmentedControl
          size="xs"
          aria-label="View"
          value={view}
          onChange={(value) => update({ view: value === 'users' ? undefined : value })}
          data={[
            { value: 'users', label: 'Users' },
            { value: 'tokens', label: 'API tokens' },
            { value: 'changes', label: 'Changes' },
          ]}
        />
      </PageHeader>
      <div className={page.body}>
        {session && session.role !== 'admin' ? (
          <EmptyState
            icon={<IconLock size={28} stroke={1.4} />}
            title="For administrators"
            message="Ask one for the role admin to see users, tokens and the log of changes."
          />
        ) : (
          <>
            {view === 'users' && <Users />}
            {view === 'tokens' && <Tokens />}
            {view === 'changes' && <Changes />}
          </>
        )}
      </div>
    </>
  );
}
