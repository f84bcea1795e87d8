import { useLocalStorage } from '@mantine/hooks';
import { useSession } from '../../app/useSession';

/** Who acts: the login, or without one the name that was given last. */
export function useAuthor(): { author: string; fixed: boolean; setAuthor: (name: string) => void } {
  const { session } = useSession();
  const [typed, setTyped] = useLocalStorage({ key: 'hedgewatch.author', defaultValue: '' });
  const user = session?.user ?? '';
  return { author: user || typed, fixed: user !== '', setAuthor: setTyped };
}
