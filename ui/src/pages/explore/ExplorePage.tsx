import { ActionIcon, Button, Menu, SegmentedControl, Switch, Tooltip } from '@mantine/core';
import { useHotkeys } from '@mantine/hooks';
import {
  IconHistory,
  IconLink,
  IconListSearch,
  IconPlayerPlay,
  IconPlus,
  IconTrash,
} from '@tabler/icons-react';
import { useMemo, useState } from 'react';
import { useTimeRange } from '../../app/timeRange';
import { useUrlState } from '../../app/urlState';
import page from '../../components/page.module.css';
import { PageHeader } from '../../components/PageHeader';
import { PromQLEditor } from '../../components/PromQLEditor';
import { EmptyState } from '../../components/states';
import { TimePicker } from '../../components/TimePicker';
import { copyText } from '../../components/clipboard';
import { absolute } from '../../model/time';
import styles from './Explore.module.css';
import { Explain } from './Explain';
import { readHistory, remember } from './history';
import { MetricBrowser } from './MetricBrowser';
import { Result } from './Result';

const maxQueries = 6;

/** Questions to the store; the address has them all, so that it can be shared. */
export default function ExplorePage() {
  const [params, update] = useUrlState();
  const time = useTimeRange({ from: 'now-1h' });
  const asked = params.getAll('expr');
  const view = params.get('view') === 'table' ? 'table' : 'graph';
  const exemplars = params.get('exemplars') === '1';
  const [drafts, setDrafts] = useState(() => (asked.length > 0 ? asked : ['']));
  const [history, setHistory] = useState(() => readHistory(localStorage));
  const [browsing, setBrowsing] = useState(false);
  const question = JSON.stringify(asked.filter((e) => e.trim() !== ''));
  const exprs = useMemo(() => JSON.parse(question) as string[], [question]);

  const setDraft = (index: number, value: string) =>
    setDrafts((old) => old.map((d, i) => (i === index ? value : d)));
  const run = (queries = drafts) => {
    for (const query of queries) setHistory(remember(localStorage, query));
    update({ expr: queries.filter((q) => q.trim() !== '') }, { push: true });
    time.refreshNow();
  };
  const replace = (value: string) => {
    const next =
      drafts.length === 1 || drafts.at(-1) === '' ? [...drafts.slice(0, -1), value] : [...drafts, value];
    setDrafts(next.slice(0, maxQueries));
    run(next.slice(0, maxQueries));
  };
  useHotkeys([
    ['r', time.refreshNow],
    ['mod+Enter', () => run()],
  ]);

  return (
    <>
      <PageHeader title="Explore">
        <Tooltip label="Copy a link to what is shown, with its time">
          <ActionIcon onClick={() => void share(time.range)} aria-label="Copy a link">
            <IconLink size={17} />
          </ActionIcon>
        </Tooltip>
        <TimePicker time={time} />
      </PageHeader>
      <div className={page.body}>
        <div className={styles.queries}>
          {drafts.map((draft, index) => (
            // Queries have no identity but their place.
            <div key={index} className={styles.query}>
              <span className={styles.letter}>{String.fromCharCode(65 + index)}</span>
              <PromQLEditor
                value={draft}
                onChange={(value) => setDraft(index, value)}
                onRun={() => run()}
                label={`Query ${String.fromCharCode(65 + index)}`}
                placeholder="rate(http_requests_total[5m])"
              />
              {drafts.length > 1 && (
                <ActionIcon
                  onClick={() => {
                    const next = drafts.filter((_, i) => i !== index);
                    setDrafts(next);
                    run(next);
                  }}
                  aria-label={`Remove query ${String.fromCharCode(65 + index)}`}
                >
                  <IconTrash size={16} />
                </ActionIcon>
              )}
            </div>
          ))}
          <div className={page.bar}>
            <Button leftSection={<IconPlayerPlay size={14} />} onClick={() => run()}>
              Run
            </Button>
            <Button
              variant="default"
              leftSection={<IconPlus size={14} />}
              disabled={drafts.length >= maxQueries}
              onClick={() => setDrafts([...drafts, ''])}
            >
              Query
            </Button>
            <Button
              variant="default"
              leftSection={<IconListSearch size={15} />}
              onClick={() => setBrowsing(true)}
            >
              Metrics
            </Button>
            <Menu position="bottom-start" width={460} disabled={history.length === 0}>
              <Menu.Target>
                <Button
                  variant="default"
                  leftSection={<IconHistory size={15} />}
                  disabled={history.length === 0}
                >
                  History
                </Button>
              </Menu.Target>
              <Menu.Dropdown className={styles.history}>
                {history.map((entry) => (
                  <Menu.Item key={entry} onClick={() => replace(entry)} className={page.mono}>
                    {entry}
                  </Menu.Item>
                ))}
              </Menu.Dropdown>
            </Menu>
            {view === 'graph' && (
              <Switch
                ml="auto"
                size="xs"
                label="Exemplars"
                checked={exemplars}
                onChange={(e) => update({ exemplars: e.currentTarget.checked ? '1' : undefined })}
              />
            )}
            <SegmentedControl
              size="xs"
              ml={view === 'graph' ? undefined : 'auto'}
              aria-label="View"
              value={view}
              onChange={(value) => update({ view: value === 'table' ? value : undefined })}
              data={[
                { value: 'graph', label: 'Graph' },
                { value: 'table', label: 'Table' },
              ]}
            />
          </div>
        </div>
        {exprs.length === 0 ? (
          <EmptyState
            title="Ask something"
            message="Write PromQL and press Enter, or look for a metric first."
            action={
              <Button variant="default" onClick={() => setBrowsing(true)}>
                Look for a metric
              </Button>
            }
          />
        ) : (
          <>
            <Result exprs={exprs} view={view} exemplars={exemplars} time={time} />
            {exprs.map((expr, i) => (
              <Explain key={`${i} ${expr}`} expr={expr} at={time.range.to} onPick={replace} />
            ))}
          </>
        )}
      </div>
      {browsing && (
        <MetricBrowser
          onClose={() => setBrowsing(false)}
          onPick={(expr) => {
            setBrowsing(false);
            replace(expr);
          }}
        />
      )}
    </>
  );
}

/** A link that will still show this tomorrow: its ends are instants. */
async function share(range: { from: number; to: number }): Promise<void> {
  const url = new URL(window.location.href);
  const { from, to } = absolute(range.from, range.to);
  url.searchParams.set('from', from);
  url.searchParams.set('to', to);
  await copyText(url.toString(), 'The link is copied');
}
