import { useQuery } from '@tanstack/react-query';
import { mayEdit, type Session } from '../api/hedgewatch';
import { useApi } from './context';

export const sessionKey = ['session'];

/** Who uses the page, and what they may do. */
export function useSession(): { session?: Session; mayEdit: boolean } {
  const { hedgewatch } = useApi();
  const { data } = useQuery({
    queryKey: sessionKey,
    queryFn: ({ signal }) => hedgewatch.session(signal),
    staleTime: 60_000,
  });
  return { session: data, mayEdit: mayEdit(data) };
}
