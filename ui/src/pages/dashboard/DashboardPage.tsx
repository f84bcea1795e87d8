import { useQuery } from '@tanstack/react-query';
import { useParams } from 'wouter';
import { ApiError, messageOf } from '../../api';
import { useApi } from '../../app/context';
import { ErrorState, LoadingState } from '../../components/states';
import { newDashboard } from '../../model/dashboard';
import { DashboardView } from './DashboardView';

/** Loads the dashboard that the address names; "new" is an empty one. */
export default function DashboardPage() {
  const { uid = '' } = useParams();
  const { hedgewatch } = useApi();
  const isNew = uid === 'new';
  const { data, error, refetch } = useQuery({
    queryKey: ['dashboard', uid],
    queryFn: ({ signal }) => hedgewatch.dashboard(uid, signal),
    enabled: !isNew,
    // A draft is edited for long; what somebody else saves is told when saving.
    staleTime: Infinity,
  });
  if (isNew) return <DashboardView key="new" original={newDashboard('New dashboard')} />;
  if (error && !data) {
    const missing = error instanceof ApiError && error.status === 404;
    return (
      <ErrorState
        title={missing ? 'There is no such dashboard' : 'The dashboard cannot be read'}
        message={messageOf(error)}
        onRetry={() => void refetch()}
      />
    );
  }
  if (!data) return <LoadingState />;
  return <DashboardView key={`${uid} ${data.meta.version}`} original={data.dashboard} meta={data.meta} />;
}
