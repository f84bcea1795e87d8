import { MantineProvider } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { Suspense, useState } from 'react';
import { Route, Router, Switch, useLocation } from 'wouter';
import { ApiError, type Api } from '../api';
import { EmptyState, LoadingState } from '../components/states';
import { CommandPalette } from './commands';
import { ApiProvider } from './context';
import { ErrorBoundary } from './ErrorBoundary';
import { LiveUpdates } from './live';
import { routes } from './routes';
import { SessionGate } from './SessionGate';
import { Shell } from './Shell';
import { Shortcuts } from './Shortcuts';
import { colorSchemeManager, theme } from './theme';

export function App({ api }: { api: Api }) {
  const [queries] = useState(createQueryClient);
  return (
    <MantineProvider theme={theme} colorSchemeManager={colorSchemeManager} defaultColorScheme="dark">
      <ApiProvider value={api}>
        <QueryClientProvider client={queries}>
          <Router base={api.http.root.pathname.replace(/\/$/, '')}>
            <CommandPalette>
              <Shell>
                <Pages />
              </Shell>
              <Shortcuts />
              <SessionGate />
              <LiveUpdates />
            </CommandPalette>
          </Router>
        </QueryClientProvider>
        <Notifications position="bottom-right" limit={4} />
      </ApiProvider>
    </MantineProvider>
  );
}

function Pages() {
  const [location] = useLocation();
  return (
    <ErrorBoundary resetKey={location}>
      <Suspense fallback={<LoadingState />}>
        <Switch>
          {routes.map(({ path, page }) => (
            <Route key={path} path={path} component={page} />
          ))}
          <Route>
            <EmptyState title="There is no such page" message={`Nothing lives at ${location}.`} />
          </Route>
        </Switch>
      </Suspense>
    </ErrorBoundary>
  );
}

function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 5000,
        refetchOnWindowFocus: true,
        // The banner tries again when there is no connection; a wrong request stays wrong.
        retry: (count, error) => error instanceof ApiError && error.status >= 500 && count < 2,
      },
    },
  });
}
