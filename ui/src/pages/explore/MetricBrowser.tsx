import { Button, Drawer, Group, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { useApi } from '../../app/context';
import { Answer } from '../../components/Answer';
import { LabelList } from '../../components/alerting/LabelList';
import { Chip } from '../../components/alerting/Chip';
import { formatMatchers, matchersFor } from '../../components/alerting/matchers';
import page from '../../components/page.module.css';
import styles from './Explore.module.css';
import { matching, queryFor } from './metrics';

const maxShown = 200;
const maxSeries = 50;

interface Props {
  onClose: () => void;
  onPick: (expr: string) => void;
}

/** What is measured: names with their help, and the series of one. */
export function MetricBrowser({ onClose, onPick }: Props) {
  const { prometheus } = useApi();
  const [text, setText] = useState('');
  const [search] = useDebouncedValue(text, 150);
  const [metric, setMetric] = useState<string | undefined>();
  const names = useQuery({
    queryKey: ['metrics'],
    queryFn: async ({ signal }) => {
      const [all, metadata] = await Promise.all([
        prometheus.labelValues('__name__', [], undefined, signal),
        prometheus.metadata(undefined, signal),
      ]);
      return { all, metadata };
    },
    staleTime: 60_000,
  });
  return (
    <Drawer opened onClose={onClose} position="right" size="lg" title="Metrics">
      <TextInput
        placeholder="Words of the name or its help"
        aria-label="Search metrics"
        value={text}
        onChange={(e) => setText(e.currentTarget.value)}
        data-autofocus
      />
      <Answer query={names} what="Metrics">
        {({ all, metadata }) => {
          const found = matching(all, metadata, search);
          return (
            <ul className={styles.metrics}>
              {found.slice(0, maxShown).map((name) => {
                const info = metadata[name]?.[0];
                return (
                  <li key={name}>
                    <button
                      type="button"
                      className={styles.metric}
                      aria-expanded={name === metric}
                      onClick={() => setMetric(name === metric ? undefined : name)}
                    >
                      <span className={page.mono}>{name}</span>
                      {info && <Chip tone="dim">{info.type}</Chip>}
                      {info?.help && <span className={styles.help}>{info.help}</span>}
                    </button>
                    {name === metric && <SeriesOf metric={name} type={info?.type ?? ''} onPick={onPick} />}
                  </li>
                );
              })}
              {found.length === 0 && <li className={page.note}>No metric is like this.</li>}
              {found.length > maxShown && <li className={page.note}>and {found.length - maxShown} more</li>}
            </ul>
          );
        }}
      </Answer>
    </Drawer>
  );
}

function SeriesOf({
  metric,
  type,
  onPick,
}: {
  metric: string;
  type: string;
  onPick: (expr: string) => void;
}) {
  const { prometheus } = useApi();
  const range = useMemo(() => {
    const end = Math.floor(Date.now() / 1000);
    return { start: end - 3600, end };
  }, []);
  const series = useQuery({
    queryKey: ['series', metric, range],
    queryFn: ({ signal }) => prometheus.series([`{__name__=${JSON.stringify(metric)}}`], range, signal),
  });
  return (
    <div className={styles.series}>
      <Group gap={8}>
        <Button size="compact-xs" onClick={() => onPick(queryFor(metric, type))}>
          {queryFor(metric, type)}
        </Button>
      </Group>
      <Answer query={series} what="Series">
        {(all) => (
          <>
            <div className={page.note}>
              {all.length === 1 ? 'one series' : `${all.length} series`} in the last hour
            </div>
            {all.slice(0, maxSeries).map(({ __name__: _, ...labels }) => {
              const selector = formatMatchers(matchersFor(labels));
              return (
                <button
                  key={selector}
                  type="button"
                  className={styles.one}
                  onClick={() => onPick(queryFor(metric, type, selector))}
                >
                  <LabelList labels={labels} />
                </button>
              );
            })}
            {all.length > maxSeries && <div className={page.note}>and {all.length - maxSeries} more</div>}
          </>
        )}
      </Answer>
    </div>
  );
}
