import { TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { messageOf } from '../../api';
import type { Alert, Matcher } from '../../api/alertmanager';
import { useApi } from '../../app/context';
import styles from './alerting.module.css';
import { LabelList } from './LabelList';
import { formatMatcher, matchesEmpty, parseMatchers } from './matchers';

const maxShown = 8;

export interface ReadMatchers {
  matchers: Matcher[];
  error?: string;
}

/** Also refuses what Alertmanager would: a silence for everything. */
export function readMatchers(text: string): ReadMatchers {
  try {
    const matchers = parseMatchers(text);
    if (matchers.length === 0) return { matchers, error: 'write at least one, such as alertname="KlineGap"' };
    if (matchesEmpty(matchers)) return { matchers, error: 'this matches everything; name a value' };
    return { matchers };
  } catch (error) {
    return { matchers: [], error: messageOf(error) };
  }
}

/** Matchers as text, with the alerts of now that they match, as the server sees it. */
export function MatcherField({ value, onChange }: { value: string; onChange: (text: string) => void }) {
  const { alertmanager } = useApi();
  const read = readMatchers(value);
  const [filter] = useDebouncedValue(read.error ? undefined : read.matchers.map(formatMatcher), 300);
  const preview = useQuery({
    queryKey: ['alerts', 'preview', filter],
    enabled: filter !== undefined,
    queryFn: ({ signal }) => alertmanager.alerts(filter, signal),
  });
  return (
    <div>
      <TextInput
        label="Alerts whose labels match"
        description={'All of them: severity="warning", job=~"feed|book", team!="ops"'}
        value={value}
        onChange={(e) => onChange(e.currentTarget.value)}
        error={read.error}
        classNames={{ input: styles.matcherInput }}
        autoComplete="off"
        spellCheck={false}
      />
      {filter && !read.error && (
        <div className={styles.preview} aria-live="polite">
          {preview.isError ? (
            <span className={styles.previewError}>{messageOf(preview.error)}</span>
          ) : (
            preview.data && <Matched alerts={preview.data} />
          )}
        </div>
      )}
    </div>
  );
}

function Matched({ alerts }: { alerts: Alert[] }) {
  if (alerts.length === 0) return <>Matches no alert of now.</>;
  return (
    <>
      <strong>
        {alerts.length === 1 ? 'Matches one alert of now:' : `Matches ${alerts.length} alerts of now:`}
      </strong>
      <ul>
        {alerts.slice(0, maxShown).map((alert) => (
          <li key={alert.fingerprint}>
            {alert.labels.alertname} <LabelList labels={alert.labels} without={['alertname']} />
          </li>
        ))}
      </ul>
      {alerts.length > maxShown && `and ${alerts.length - maxShown} more`}
    </>
  );
}
