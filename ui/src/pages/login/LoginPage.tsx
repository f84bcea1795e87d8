import { Alert, Button, PasswordInput, Stack, TextInput } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState, type FormEvent, type ReactNode } from 'react';
import { ApiError, messageOf } from '../../api';
import type { Session } from '../../api/hedgewatch';
import { useApi } from '../../app/context';
import { Logo } from '../../app/Logo';
import { sessionKey } from '../../app/useSession';
import styles from './LoginPage.module.css';

/** Asks who is there, above whatever was on the screen: nothing of it is lost. */
export function LoginPage({ session }: { session?: Session }) {
  const { hedgewatch, connection, http } = useApi();
  const queries = useQueryClient();
  const [user, setUser] = useState(session?.user ?? '');
  const [password, setPassword] = useState('');
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const [refused] = useState(readRefusal);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    forgetRefusal(http.root);
    try {
      const next = await hedgewatch.logIn(user, password);
      queries.setQueryData(sessionKey, next);
      connection.restored();
      if (!next.mustChangePassword) await queries.invalidateQueries();
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Frame title="Log in to hedgewatch">
      {refused !== '' && (
        <Alert color="red" variant="light" title="You were not let in">
          {refused}
        </Alert>
      )}
      {session?.login.oidc && (
        <Button
          component="a"
          size="sm"
          variant="default"
          onClick={() => forgetRefusal(http.root)}
          href={http.url('api/hw/v1/oidc/login', { to: here(http.root) }).toString()}
        >
          Log in with {session.login.oidc}
        </Button>
      )}
      {session?.login.password !== false && (
        <form onSubmit={(e) => void submit(e)}>
          <Stack gap="sm">
            <TextInput
              size="sm"
              label="User"
              name="username"
              autoComplete="username"
              required
              autoFocus
              value={user}
              onChange={(e) => setUser(e.currentTarget.value)}
            />
            <PasswordInput
              size="sm"
              label="Password"
              name="password"
              autoComplete="current-password"
              required
              value={password}
              onChange={(e) => setPassword(e.currentTarget.value)}
            />
            {error !== undefined && (
              <Alert color="red" variant="light">
                {loginError(error)}
              </Alert>
            )}
            <Button type="submit" size="sm" loading={busy}>
              Log in
            </Button>
          </Stack>
        </form>
      )}
      {session?.login.password !== false && (
        <p className={styles.hint}>The first start prints the password of the user “admin” in the log.</p>
      )}
    </Frame>
  );
}

const refusalCookie = 'hedgewatch_login_error';

/** Why the identity provider's answer was refused; the server leaves it in a cookie for a minute. */
function readRefusal(): string {
  const [, value = ''] = new RegExp(`(?:^|; )${refusalCookie}=([^;]*)`).exec(document.cookie) ?? [];
  try {
    return decodeURIComponent(value);
  } catch {
    return 'The identity provider did not let you in.'; // Cut off in the middle of a letter.
  }
}

/** The next attempt is another one. */
function forgetRefusal(root: URL): void {
  document.cookie = `${refusalCookie}=; max-age=0; path=${root.pathname}`;
}

/** Where to come back to: the page below the login, without the route prefix. */
const here = (root: URL): string =>
  `/${window.location.pathname.slice(root.pathname.length)}${window.location.search}`;

function loginError(error: unknown): string {
  if (error instanceof ApiError && error.status === 401) return 'Wrong user or password.';
  if (error instanceof ApiError && error.status === 429)
    return 'Too many attempts: wait a little, then try again.';
  return messageOf(error);
}

/** Before a printed password is changed, nothing else works. */
export function ChangePasswordPage({ session }: { session: Session }) {
  const { hedgewatch } = useApi();
  const queries = useQueryClient();
  const [old, setOld] = useState('');
  const [next, setNext] = useState('');
  const [again, setAgain] = useState('');
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const different = again !== '' && next !== again;
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (next !== again) return;
    setBusy(true);
    setError(undefined);
    try {
      queries.setQueryData(sessionKey, await hedgewatch.changePassword(old, next));
      await queries.invalidateQueries();
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Frame title={`Choose a password, ${session.user}`}>
      <form onSubmit={(e) => void submit(e)}>
        <Stack gap="sm">
          <PasswordInput
            size="sm"
            label="Present password"
            autoComplete="current-password"
            required
            autoFocus
            value={old}
            onChange={(e) => setOld(e.currentTarget.value)}
          />
          <PasswordInput
            size="sm"
            label="New password"
            autoComplete="new-password"
            required
            value={next}
            onChange={(e) => setNext(e.currentTarget.value)}
          />
          <PasswordInput
            size="sm"
            label="New password again"
            autoComplete="new-password"
            required
            value={again}
            onChange={(e) => setAgain(e.currentTarget.value)}
            error={different ? 'The two are different' : undefined}
          />
          {error !== undefined && (
            <Alert color="red" variant="light">
              {error instanceof ApiError && error.status === 401
                ? 'The present password is wrong.'
                : messageOf(error)}
            </Alert>
          )}
          <Button type="submit" size="sm" loading={busy} disabled={different}>
            Change it
          </Button>
        </Stack>
      </form>
    </Frame>
  );
}

function Frame({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className={styles.page} role="dialog" aria-modal="true" aria-label={title}>
      <div className={styles.card}>
        <div className={styles.head}>
          <Logo size={34} />
          <h1>{title}</h1>
        </div>
        {children}
      </div>
    </div>
  );
}
