import { ActionIcon, Badge, Button, TextInput, Tooltip } from '@mantine/core';
import { useHotkeys, useLocalStorage } from '@mantine/hooks';
import {
  IconFileImport,
  IconLayoutDashboard,
  IconPlus,
  IconSearch,
  IconStar,
  IconStarFilled,
} from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useMemo, useRef, useState } from 'react';
import { Link } from 'wouter';
import { messageOf } from '../../api';
import type { DashboardMeta } from '../../api/hedgewatch';
import { useApi } from '../../app/context';
import { useUrlState } from '../../app/urlState';
import { PageHeader } from '../../components/PageHeader';
import { EmptyState, ErrorState, LoadingState } from '../../components/states';
import { formatInstant } from '../../model/time';
import styles from './DashboardsPage.module.css';
import { groupByFolder } from './groups';
import { ImportDialog } from './ImportDialog';

export default function DashboardsPage() {
  const { hedgewatch } = useApi();
  const [params, update] = useUrlState();
  const search = params.get('search') ?? '';
  const [importing, setImporting] = useState(params.has('import'));
  const [starred, setStarred] = useLocalStorage<string[]>({
    key: 'hedgewatch.starred',
    defaultValue: [],
    getInitialValueInEffect: false,
  });
  const list = useQuery({ queryKey: ['dashboards'], queryFn: ({ signal }) => hedgewatch.dashboards(signal) });
  const groups = useMemo(() => groupByFolder(list.data ?? [], search, starred), [list.data, search, starred]);
  const input = useRef<HTMLInputElement>(null);
  useHotkeys([['/', () => input.current?.focus()]]);
  const star = (uid: string) =>
    setStarred((old) => (old.includes(uid) ? old.filter((s) => s !== uid) : [...old, uid]));
  return (
    <>
      <PageHeader
        title="Dashboards"
        subtitle={
          list.data
            ? `${list.data.length} in ${new Set(list.data.map((d) => d.folder)).size} folders`
            : undefined
        }
      >
        <TextInput
          ref={input}
          leftSection={<IconSearch size={14} />}
          placeholder="Title or tag  ( / )"
          aria-label="Search dashboards"
          value={search}
          onChange={(e) => update({ search: e.currentTarget.value || undefined })}
        />
        <Button
          variant="default"
          leftSection={<IconFileImport size={15} />}
          onClick={() => setImporting(true)}
        >
          Import
        </Button>
        <Button component={Link} href="/dashboards/new" leftSection={<IconPlus size={15} />}>
          New
        </Button>
      </PageHeader>
      {list.isPending && <LoadingState />}
      {list.isError && !list.data && (
        <ErrorState
          title="Dashboards cannot be read"
          message={messageOf(list.error)}
          onRetry={() => void list.refetch()}
        />
      )}
      {list.data && groups.length === 0 && (
        <EmptyState
          icon={<IconLayoutDashboard size={28} stroke={1.4} />}
          title={search ? `No dashboard is like “${search}”` : 'No dashboards yet'}
          message={search ? undefined : 'Make one, or import one that was made in Grafana.'}
        />
      )}
      <div className={styles.folders}>
        {groups.map(({ folder, dashboards }) => (
          <section key={folder}>
            <h2 className={styles.folder}>{folder}</h2>
            <ul className={styles.list}>
              {dashboards.map((d) => (
                <Item
                  key={d.uid}
                  dashboard={d}
                  starred={starred.includes(d.uid)}
                  onStar={() => star(d.uid)}
                />
              ))}
            </ul>
          </section>
        ))}
      </div>
      <ImportDialog
        opened={importing}
        onClose={() => {
          setImporting(false);
          update({ import: undefined });
        }}
      />
    </>
  );
}

function Item({
  dashboard: d,
  starred,
  onStar,
}: {
  dashboard: DashboardMeta;
  starred: boolean;
  onStar: () => void;
}) {
  const label = starred ? `Unstar ${d.title}` : `Star ${d.title}`;
  return (
    <li className={styles.item}>
      <Link href={`/dashboards/${d.uid}`} className={styles.link}>
        <IconLayoutDashboard size={17} stroke={1.5} className={styles.icon} />
        <span className={styles.title}>{d.title}</span>
        {d.tags.slice(0, 4).map((tag) => (
          <Badge key={tag} variant="light" size="xs" color="gray" tt="none">
            {tag}
          </Badge>
        ))}
        {d.edited && (
          <Badge variant="light" size="xs" tt="none">
            edited
          </Badge>
        )}
        <span className={styles.when}>
          {d.updated && !d.shipped ? `${formatInstant(Date.parse(d.updated), 'browser')} ${d.updatedBy}` : ''}
        </span>
      </Link>
      <Tooltip label={starred ? 'Unstar' : 'Star: first in the list'}>
        <ActionIcon
          onClick={onStar}
          aria-label={label}
          aria-pressed={starred}
          color={starred ? 'yellow' : 'gray'}
        >
          {starred ? <IconStarFilled size={15} /> : <IconStar size={15} />}
        </ActionIcon>
      </Tooltip>
    </li>
  );
}
