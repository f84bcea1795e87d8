import { Button, Menu } from '@mantine/core';
import { IconLogout, IconUser } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { toastError } from '../components/toast';
import { useApi } from './context';
import styles from './UserMenu.module.css';
import { sessionKey, useSession } from './useSession';

/** Who is logged in, and the version that runs. */
export function UserMenu({ inMenu = false }: { inMenu?: boolean }) {
  const { hedgewatch, connection } = useApi();
  const queries = useQueryClient();
  const { session } = useSession();
  const { data: status } = useQuery({
    queryKey: ['status'],
    queryFn: ({ signal }) => hedgewatch.status(signal),
  });
  if (!session || session.user === '') return <span className={styles.version}>{status?.version}</span>;

  const logOut = async () => {
    try {
      await hedgewatch.logOut();
      queries.setQueryData(sessionKey, await hedgewatch.session());
      // Whoever sits down next must not see what the last one saw.
      if (!session.login.anonymousViewer) connection.answered(401);
      queries.removeQueries({ predicate: (q) => q.queryKey[0] !== sessionKey[0] });
    } catch (error) {
      toastError('The session was not ended', error);
    }
  };
  return (
    // Outside of the menu that it is in, a click would close that one first.
    <Menu position="top-start" width={190} withinPortal={!inMenu}>
      <Menu.Target>
        <Button
          variant="subtle"
          color="gray"
          size="compact-sm"
          leftSection={<IconUser size={15} />}
          className={styles.user}
        >
          {session.user}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          {session.role} · {status?.version}
        </Menu.Label>
        <Menu.Item leftSection={<IconLogout size={15} />} onClick={() => void logOut()}>
          Log out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
