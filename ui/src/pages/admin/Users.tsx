import { Button, Group, Menu, Modal, PasswordInput, Select, Stack, TextInput } from '@mantine/core';
import { IconDots, IconPlus, IconUsers } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { roles, type User } from '../../api/admin';
import { useApi } from '../../app/context';
import { sessionKey, useSession } from '../../app/useSession';
import { Answer } from '../../components/Answer';
import { Chip } from '../../components/alerting/Chip';
import page from '../../components/page.module.css';
import { EmptyState } from '../../components/states';
import table from '../../components/table.module.css';
import { toastDone, toastError } from '../../components/toast';
import { formatInstant } from '../../model/time';

const usersKey = ['admin', 'users'];
/** As the server counts them, in bytes. */
const minPassword = 10;
const maxPassword = 72;

type Dialog = { kind: 'create' } | { kind: 'password' | 'delete'; user: User };

export function Users() {
  const { admin } = useApi();
  const { session } = useSession();
  const [dialog, setDialog] = useState<Dialog | undefined>();
  const users = useQuery({ queryKey: usersKey, queryFn: ({ signal }) => admin.users(signal) });
  const act = useAction();
  return (
    <Answer query={users} what="Users">
      {(all) => (
        <>
          <div className={page.bar}>
            {all.length === 0 && session?.kind === 'open' && (
              <span className={page.stale}>
                Everybody on this machine is an administrator, until there is a first user.
              </span>
            )}
            <Button
              ml="auto"
              leftSection={<IconPlus size={14} />}
              onClick={() => setDialog({ kind: 'create' })}
            >
              New user
            </Button>
          </div>
          {all.length === 0 ? (
            <EmptyState
              icon={<IconUsers size={28} stroke={1.4} />}
              title="There are no users"
              message="Make the first one an administrator: from then on everybody has to log in."
            />
          ) : (
            <div className={table.wrap}>
              <table className={table.table}>
                <thead>
                  <tr>
                    <th>Name</th>
                    <th>Role</th>
                    <th>State</th>
                    <th>Last login</th>
                    <th aria-label="Actions" />
                  </tr>
                </thead>
                <tbody>
                  {all.map((user) => (
                    <tr key={user.name}>
                      <td>{user.name}</td>
                      <td>
                        <Select
                          aria-label={`Role of ${user.name}`}
                          value={user.role}
                          onChange={(role) =>
                            role &&
                            act.mutate({
                              done: `${user.name} is ${role}`,
                              run: () => admin.changeUser(user.name, { role }),
                            })
                          }
                          data={[...roles]}
                          w={110}
                        />
                      </td>
                      <td>
                        {user.disabled ? (
                          <Chip tone="bad">disabled</Chip>
                        ) : user.mustChange ? (
                          <Chip tone="warn">must choose a password</Chip>
                        ) : (
                          <Chip tone="ok">active</Chip>
                        )}
                        {user.provider && <span className={page.note}> by {user.provider}</span>}
                      </td>
                      <td className="numeric">
                        {user.lastLogin ? formatInstant(Date.parse(user.lastLogin), 'browser') : 'never'}
                      </td>
                      <td>
                        <Menu position="bottom-end">
                          <Menu.Target>
                            <Button variant="subtle" px={6} aria-label={`Actions for ${user.name}`}>
                              <IconDots size={16} />
                            </Button>
                          </Menu.Target>
                          <Menu.Dropdown>
                            <Menu.Item onClick={() => setDialog({ kind: 'password', user })}>
                              Set a password
                            </Menu.Item>
                            <Menu.Item
                              onClick={() =>
                                act.mutate({
                                  done: user.disabled ? `${user.name} may log in` : `${user.name} is out`,
                                  run: () => admin.changeUser(user.name, { disabled: !user.disabled }),
                                })
                              }
                            >
                              {user.disabled ? 'Enable' : 'Disable, and end sessions'}
                            </Menu.Item>
                            <Menu.Item color="red" onClick={() => setDialog({ kind: 'delete', user })}>
                              Delete
                            </Menu.Item>
                          </Menu.Dropdown>
                        </Menu>
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )}
          {dialog?.kind === 'create' && (
            <CreateUser first={all.length === 0} onClose={() => setDialog(undefined)} />
          )}
          {dialog?.kind === 'password' && (
            <SetPassword user={dialog.user} onClose={() => setDialog(undefined)} />
          )}
          {dialog?.kind === 'delete' && (
            <Modal opened onClose={() => setDialog(undefined)} title={`Delete ${dialog.user.name}?`}>
              <Group justify="flex-end" gap={8}>
                <Button variant="default" onClick={() => setDialog(undefined)}>
                  Cancel
                </Button>
                <Button
                  color="red"
                  onClick={() => {
                    const { name } = dialog.user;
                    act.mutate({ done: `${name} is deleted`, run: () => admin.deleteUser(name) });
                    setDialog(undefined);
                  }}
                >
                  Delete
                </Button>
              </Group>
            </Modal>
          )}
        </>
      )}
    </Answer>
  );
}

interface Action {
  done: string;
  run: () => Promise<void>;
}

function useAction(onDone?: () => void) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ run }: Action) => run(),
    onSuccess: (_, { done }) => {
      toastDone(done);
      onDone?.();
    },
    onError: (error) => toastError('Not done', error),
    onSettled: () => {
      void queries.invalidateQueries({ queryKey: usersKey });
      void queries.invalidateQueries({ queryKey: sessionKey });
    },
  });
}

function passwordError(password: string): string | undefined {
  const bytes = new TextEncoder().encode(password).length;
  if (bytes === 0 || (bytes >= minPassword && bytes <= maxPassword)) return undefined;
  return bytes < minPassword ? `at least ${minPassword} characters` : `at most ${maxPassword} bytes`;
}

function CreateUser({ first, onClose }: { first: boolean; onClose: () => void }) {
  const { admin } = useApi();
  const [name, setName] = useState('');
  const [role, setRole] = useState(first ? 'admin' : 'viewer');
  const [password, setPassword] = useState('');
  const act = useAction(onClose);
  const wrong = name.trim() === '' || password === '' || passwordError(password) !== undefined;
  return (
    <Modal opened onClose={onClose} title="New user">
      <Stack
        gap={10}
        component="form"
        onSubmit={(e) => {
          (e as unknown as Event).preventDefault();
          if (!wrong)
            act.mutate({
              done: `${name} may log in`,
              run: () => admin.createUser({ name: name.trim(), role, password }),
            });
        }}
      >
        <TextInput
          label="Name"
          value={name}
          onChange={(e) => setName(e.currentTarget.value)}
          data-autofocus
        />
        <Select
          label="Role"
          description="Viewers read; editors change dashboards, rules and silences; admins everything."
          value={role}
          onChange={(value) => value && setRole(value)}
          data={[...roles]}
        />
        <PasswordInput
          size="xs"
          label="First password"
          description="To be changed at the first login."
          autoComplete="new-password"
          value={password}
          onChange={(e) => setPassword(e.currentTarget.value)}
          error={passwordError(password)}
        />
        <Button type="submit" disabled={wrong} loading={act.isPending}>
          Create
        </Button>
      </Stack>
    </Modal>
  );
}

function SetPassword({ user, onClose }: { user: User; onClose: () => void }) {
  const { admin } = useApi();
  const [password, setPassword] = useState('');
  const act = useAction(onClose);
  const wrong = password === '' || passwordError(password) !== undefined;
  return (
    <Modal opened onClose={onClose} title={`A password for ${user.name}`}>
      <Stack
        gap={10}
        component="form"
        onSubmit={(e) => {
          (e as unknown as Event).preventDefault();
          if (!wrong)
            act.mutate({
              done: 'The password is set; all sessions ended',
              run: () => admin.changeUser(user.name, { password }),
            });
        }}
      >
        <PasswordInput
          size="xs"
          label="Password"
          autoComplete="new-password"
          value={password}
          onChange={(e) => setPassword(e.currentTarget.value)}
          error={passwordError(password)}
          data-autofocus
        />
        <Button type="submit" disabled={wrong} loading={act.isPending}>
          Set
        </Button>
      </Stack>
    </Modal>
  );
}
