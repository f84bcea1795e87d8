import { Button, CopyButton, Modal, Select, Stack, TextInput } from '@mantine/core';
import { IconKey, IconPlus } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { roles } from '../../api/admin';
import { useApi } from '../../app/context';
import { Answer } from '../../components/Answer';
import { Chip } from '../../components/alerting/Chip';
import page from '../../components/page.module.css';
import { EmptyState } from '../../components/states';
import table from '../../components/table.module.css';
import { toastDone, toastError } from '../../components/toast';
import { formatInstant, parseDuration } from '../../model/time';

const tokensKey = ['admin', 'tokens'];
const lifetimes = [
  { value: '', label: 'for ever' },
  { value: '30d', label: '30 days' },
  { value: '90d', label: '90 days' },
  { value: '365d', label: 'a year' },
];

/** Secrets by which programs get in. */
export function Tokens() {
  const { admin } = useApi();
  const queries = useQueryClient();
  const [creating, setCreating] = useState(false);
  const tokens = useQuery({ queryKey: tokensKey, queryFn: ({ signal }) => admin.tokens(signal) });
  const remove = useMutation({
    mutationFn: (name: string) => admin.deleteToken(name),
    onSuccess: (_, name) => toastDone(`The token ${name} works no more`),
    onError: (error) => toastError('Not revoked', error),
    onSettled: () => void queries.invalidateQueries({ queryKey: tokensKey }),
  });
  const day = (text: string | undefined) =>
    text ? formatInstant(Date.parse(text), 'browser').slice(0, 16) : undefined;
  return (
    <Answer query={tokens} what="Tokens">
      {(all) => (
        <>
          <div className={page.bar}>
            <span className={page.note}>Sent as Authorization: Bearer hw_…</span>
            <Button ml="auto" leftSection={<IconPlus size={14} />} onClick={() => setCreating(true)}>
              New token
            </Button>
          </div>
          {all.length === 0 ? (
            <EmptyState
              icon={<IconKey size={28} stroke={1.4} />}
              title="There are no tokens"
              message="A token lets a program in with a role of its own, until it is revoked."
            />
          ) : (
            <div className={table.wrap}>
              <table className={table.table}>
                <thead>
                  <tr>
                    <th>Name</th>
                    <th>Role</th>
                    <th>Made</th>
                    <th>Expires</th>
                    <th>Last used</th>
                    <th aria-label="Actions" />
                  </tr>
                </thead>
                <tbody>
                  {all.map((t) => (
                    <tr key={t.name}>
                      <td>{t.name}</td>
                      <td>{t.role}</td>
                      <td className="numeric">
                        {day(t.created)} <span className={table.dim}>{t.createdBy}</span>
                      </td>
                      <td className="numeric">
                        {t.expires && Date.parse(t.expires) < tokens.dataUpdatedAt ? (
                          <Chip tone="bad">expired</Chip>
                        ) : (
                          (day(t.expires) ?? 'never')
                        )}
                      </td>
                      <td className="numeric">{day(t.lastUsed) ?? 'never'}</td>
                      <td>
                        <Button
                          variant="subtle"
                          color="red"
                          size="compact-xs"
                          onClick={() => remove.mutate(t.name)}
                        >
                          Revoke
                        </Button>
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )}
          {creating && <CreateToken onClose={() => setCreating(false)} />}
        </>
      )}
    </Answer>
  );
}

function CreateToken({ onClose }: { onClose: () => void }) {
  const { admin } = useApi();
  const queries = useQueryClient();
  const [name, setName] = useState('');
  const [role, setRole] = useState('viewer');
  const [lifetime, setLifetime] = useState('90d');
  const create = useMutation({
    mutationFn: () =>
      admin.createToken({
        name: name.trim(),
        role,
        expires: lifetime ? new Date(Date.now() + (parseDuration(lifetime) ?? 0)).toISOString() : undefined,
      }),
    onError: (error) => toastError('No token was made', error),
    onSettled: () => void queries.invalidateQueries({ queryKey: tokensKey }),
  });
  const secret = create.data;
  return (
    <Modal opened onClose={onClose} title="New token" closeOnClickOutside={secret === undefined}>
      {secret !== undefined ? (
        <Stack gap={10}>
          <div>Copy it now: it is not shown again.</div>
          <pre className={page.pre} data-secret>
            {secret}
          </pre>
          <CopyButton value={secret}>
            {({ copied, copy }) => <Button onClick={copy}>{copied ? 'Copied' : 'Copy'}</Button>}
          </CopyButton>
        </Stack>
      ) : (
        <Stack
          gap={10}
          component="form"
          onSubmit={(e) => {
            (e as unknown as Event).preventDefault();
            if (name.trim()) create.mutate();
          }}
        >
          <TextInput
            label="Name"
            placeholder="deploy-bot"
            value={name}
            onChange={(e) => setName(e.currentTarget.value)}
            data-autofocus
          />
          <Select label="Role" value={role} onChange={(v) => v && setRole(v)} data={[...roles]} />
          <Select label="Valid" value={lifetime} onChange={(v) => setLifetime(v ?? '')} data={lifetimes} />
          <Button type="submit" disabled={name.trim() === ''} loading={create.isPending}>
            Create
          </Button>
        </Stack>
      )}
    </Modal>
  );
}
