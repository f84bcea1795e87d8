import { lazy, Suspense } from 'react';
import { LoadingState } from '../components/states';
import { useConnection } from './context';
import { useSession } from './useSession';

const LoginPage = lazy(() => import('../pages/login/LoginPage').then((m) => ({ default: m.LoginPage })));
const ChangePasswordPage = lazy(() =>
  import('../pages/login/LoginPage').then((m) => ({ default: m.ChangePasswordPage })),
);

/** Covers the page while nobody is logged in; what is below it stays as it was. */
export function SessionGate() {
  const connection = useConnection();
  const { session } = useSession();
  const mustLogIn = connection.kind === 'unauthorized' || (session?.role === '' && session.login.required);
  if (!mustLogIn && !session?.mustChangePassword) return null;
  return (
    <Suspense fallback={<LoadingState />}>
      {mustLogIn ? <LoginPage session={session} /> : session && <ChangePasswordPage session={session} />}
    </Suspense>
  );
}
