import { TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconArrowRight, IconRoute } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { messageOf } from '../../api';
import type { RouteMatch } from '../../api/notify';
import { useApi } from '../../app/context';
import { useUrlState } from '../../app/urlState';
import { Chip } from '../../components/alerting/Chip';
import { Answer } from '../../components/Answer';
import page from '../../components/page.module.css';
import { EmptyState } from '../../components/states';
import styles from './Deliveries.module.css';
import { readLabels, readRoutes, type RouteNode } from './routing';

interface Question {
  labels: Record<string, string>;
  error?: string;
}

/** The tree of routes, and which way an alert would take through it. */
export function Routing() {
  const { alertmanager, notify } = useApi();
  const [params, update] = useUrlState();
  const text = params.get('labels') ?? '';
  const [settled] = useDebouncedValue(text, 250);
  const question = read(settled);
  const tree = useQuery({
    queryKey: ['routing', 'tree'],
    queryFn: async ({ signal }) => readRoutes((await alertmanager.status(signal)).config.original) ?? null,
  });
  const ways = useQuery({
    queryKey: ['routing', 'ways', question.labels],
    enabled: Object.keys(question.labels).length > 0,
    queryFn: ({ signal }) => notify.routesFor(question.labels, signal),
  });
  const matches = Object.keys(question.labels).length > 0 ? ways.data : undefined;
  const taken = new Set(matches?.map((m) => m.route));
  return (
    <>
      <section className={page.card}>
        <TextInput
          label="Where would an alert go?"
          placeholder="alertname=KlineLagHigh, severity=critical, team=trading"
          description="Its labels; what it is told by is marked below."
          value={text}
          onChange={(e) => update({ labels: e.currentTarget.value || undefined })}
          error={question.error}
        />
        {ways.isError && <div className={styles.error}>{messageOf(ways.error)}</div>}
        {matches && <Ways matches={matches} />}
      </section>
      <Answer query={tree} what="The routes">
        {(root) =>
          root === null ? (
            <EmptyState
              icon={<IconRoute size={28} stroke={1.4} />}
              title="There are no routes"
              message="Add alertmanager.route to the configuration."
            />
          ) : (
            <ul className={styles.tree}>
              <Route node={root} taken={taken} asked={matches !== undefined} />
            </ul>
          )
        }
      </Answer>
    </>
  );
}

function read(text: string): Question {
  try {
    return { labels: readLabels(text) };
  } catch (error) {
    return { labels: {}, error: messageOf(error) };
  }
}

function Ways({ matches }: { matches: RouteMatch[] }) {
  return (
    <ol className={styles.ways}>
      {matches.map((m) => (
        <li key={m.route}>
          <IconArrowRight size={15} /> <strong>{m.receiver}</strong>
          {m.muted && <Chip tone="warn">muted now</Chip>}
          <span className={page.note}>
            within {m.groupWait}, news after {m.groupInterval}, again every {m.repeatInterval}; grouped by{' '}
            {Object.keys(m.groupLabels).join(', ') || 'nothing of these labels'}
          </span>
        </li>
      ))}
    </ol>
  );
}

function Route({ node, taken, asked }: { node: RouteNode; taken: ReadonlySet<string>; asked: boolean }) {
  const isTaken = taken.has(node.path);
  return (
    <li>
      <div
        className={styles.route}
        data-taken={isTaken || undefined}
        data-dim={(asked && !isTaken) || undefined}
      >
        <div className={page.bar}>
          <code>{node.matchers.join(', ') || 'everything'}</code>
          <IconArrowRight size={14} />
          <strong>{node.receiver}</strong>
          {node.continues && <Chip tone="dim">goes on to the next route</Chip>}
          {node.mutedBy.length > 0 && <Chip tone="dim">not in {node.mutedBy.join(', ')}</Chip>}
          {node.activeOnly.length > 0 && <Chip tone="dim">only in {node.activeOnly.join(', ')}</Chip>}
        </div>
        <div className={page.note}>
          grouped by {node.groupBy.join(', ') || 'nothing'} · told within {node.groupWait}, news after{' '}
          {node.groupInterval}, again every {node.repeatInterval}
        </div>
      </div>
      {node.routes.length > 0 && (
        <ul className={styles.tree}>
          {node.routes.map((child, i) => (
            <Route key={`${i} ${child.path}`} node={child} taken={taken} asked={asked} />
          ))}
        </ul>
      )}
    </li>
  );
}
