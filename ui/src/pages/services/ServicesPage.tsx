import { Button, SegmentedControl, Switch, TextInput } from '@mantine/core';
import { IconEyeOff, IconSearch, IconStack2 } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import type { ServicesOverview, Watcher } from '../../api/services';
import { useApi } from '../../app/context';
import { useLive } from '../../app/live';
import { useUrlState } from '../../app/urlState';
import { Answer } from '../../components/Answer';
import { HowTo } from '../../components/HowTo';
import { PageHeader } from '../../components/PageHeader';
import page from '../../components/page.module.css';
import { EmptyState } from '../../components/states';
import { formatAge, useNow } from '../../components/useNow';
import { parseDuration } from '../../model/time';
import { ServiceCard } from './ServiceCard';
import { search, servicesOf } from './services';
import styles from './Services.module.css';
import { useUsage } from './usage';

const pollMs = 3000;
const spans = ['1h', '6h', '24h'];
const firstShown = 100;

const example = `services:
  critical: [feed, "order-*"]
  docker: {}
  systemd:
    units: ["trading-*.service"]
  kubernetes: {}`;

/** The services of the platform: what runs, what restarts, why, and when it tries again. */
export default function ServicesPage() {
  const { services } = useApi();
  const [params, update] = useUrlState();
  const answer = useQuery({
    queryKey: ['services'],
    queryFn: ({ signal }) => services.overview(signal),
    ...useLive(['services'], pollMs, 10_000),
  });
  const failing = answer.data?.services.filter((s) => s.failing).length ?? 0;
  return (
    <>
      <PageHeader
        title="Services"
        documentTitle={failing > 0 ? `(${failing}) Services` : 'Services'}
        subtitle={answer.data && summary(answer.data, failing)}
      >
        <TextInput
          leftSection={<IconSearch size={14} />}
          placeholder="Name, cause or log line"
          aria-label="Search services"
          value={params.get('search') ?? ''}
          onChange={(e) => update({ search: e.currentTarget.value || undefined })}
        />
        <Switch
          size="xs"
          label="only what fails"
          checked={params.get('failing') === 'yes'}
          onChange={(e) => update({ failing: e.currentTarget.checked ? 'yes' : undefined })}
        />
        <SegmentedControl
          size="xs"
          aria-label="Time of the restarts"
          value={params.get('span') ?? '6h'}
          onChange={(value) => update({ span: value })}
          data={spans}
        />
      </PageHeader>
      <Answer query={answer} what="Services">
        {(data) =>
          data.watchers.length === 0 ? (
            <HowTo
              icon={<IconStack2 size={28} stroke={1.4} />}
              title="No services are watched"
              message="hedgewatch can watch Docker, Kubernetes and systemd: it sees restarts within two seconds and says why. Name the platforms in the configuration, and restart."
              yaml={example}
            />
          ) : (
            <Overview data={data} />
          )
        }
      </Answer>
    </>
  );
}

function summary({ watchers, services }: ServicesOverview, failing: number): string | undefined {
  if (watchers.length === 0) return undefined;
  const blind = watchers.filter((w) => !w.sees).length;
  const parts = [`${services.length} instances, ${failing === 0 ? 'none fails' : `${failing} failing`}`];
  if (blind > 0) parts.push(`${blind === 1 ? 'a platform is' : `${blind} platforms are`} not seen`);
  return parts.join('; ');
}

function Overview({ data }: { data: ServicesOverview }) {
  const [params] = useUrlState();
  const [all, setAll] = useState(false);
  const usage = useUsage();
  const now = useNow();
  const text = params.get('search') ?? '';
  const failingOnly = params.get('failing') === 'yes';
  const spanMs = parseDuration(params.get('span') ?? '6h') ?? 21_600_000;
  const found = useMemo(
    () => search(servicesOf(data.services), text, failingOnly),
    [data.services, text, failingOnly],
  );
  const shown = all ? found : found.slice(0, firstShown);
  const blind = data.watchers.filter((w) => !w.sees);
  return (
    <div className={page.body}>
      {blind.map((w) => (
        <Blind key={w.platform} watcher={w} now={now} />
      ))}
      {shown.map((service) => (
        <ServiceCard
          key={service.id}
          service={service}
          watchers={data.watchers}
          usage={usage.data}
          now={now}
          spanMs={spanMs}
        />
      ))}
      {found.length === 0 && (
        <EmptyState
          icon={<IconStack2 size={28} stroke={1.4} />}
          title={
            data.services.length > 0
              ? failingOnly && text === ''
                ? blind.length > 0
                  ? 'Nothing that can be seen fails'
                  : 'Nothing fails'
                : 'No service is like this'
              : blind.length > 0
                ? 'Nothing is known'
                : 'There are no services'
          }
          message={
            data.services.length === 0 && blind.length === 0
              ? 'The platforms are seen, and nothing runs there that the configuration asks for.'
              : undefined
          }
        />
      )}
      {found.length > shown.length && (
        <Button variant="default" onClick={() => setAll(true)}>
          Show all {found.length}
        </Button>
      )}
    </div>
  );
}

/** Who sees nothing must not look as if all were well. */
function Blind({ watcher, now }: { watcher: Watcher; now: number }) {
  return (
    <div className={styles.blind} role="alert" data-blind={watcher.platform}>
      <IconEyeOff size={20} />
      <div>
        <strong>{platformText[watcher.platform] ?? watcher.platform} is not seen</strong>
        {watcher.since && <> for {formatAge(Date.parse(watcher.since), now)}</>}. What is shown of it is as of
        then.
        <div className={page.mono}>{watcher.error}</div>
      </div>
    </div>
  );
}

const platformText: Record<string, string> = {
  docker: 'Docker',
  kubernetes: 'Kubernetes',
  systemd: 'systemd',
  process: 'The list of processes',
};
