import { Button, SegmentedControl, TextInput } from '@mantine/core';
import { useHotkeys } from '@mantine/hooks';
import { IconListDetails, IconPlus, IconSearch } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useMemo, useRef } from 'react';
import { Link, useLocation } from 'wouter';
import type { Rule } from '../../api/prometheus';
import { useApi } from '../../app/context';
import { useCommands, type Command } from '../../app/commands';
import { useUrlState } from '../../app/urlState';
import { useSession } from '../../app/useSession';
import { Chip } from '../../components/alerting/Chip';
import { durationOf } from '../../components/alerting/durations';
import { LabelList } from '../../components/alerting/LabelList';
import { formatMs } from '../../components/alerting/latency';
import { Answer } from '../../components/Answer';
import page from '../../components/page.module.css';
import { PageHeader } from '../../components/PageHeader';
import { EmptyState } from '../../components/states';
import { formatAge, useNow } from '../../components/useNow';
import { exploreLink, ruleLink } from '../links';
import { failing, list, loadOf, nthOf, ruleFilters, type ListedGroup } from './rules';
import styles from './Rules.module.css';

const refreshMs = 5000;

export default function RulesPage() {
  const { prometheus, rules: api } = useApi();
  const { mayEdit } = useSession();
  const [params, update] = useUrlState();
  const [, navigate] = useLocation();
  const text = params.get('search') ?? '';
  const filter = ruleFilters.find((f) => f === params.get('show')) ?? 'all';
  const answer = useQuery({
    queryKey: ['rules'],
    queryFn: async ({ signal }) => {
      const [groups, stored] = await Promise.all([prometheus.rules(signal), api.groups(signal)]);
      return { groups, stored };
    },
    refetchInterval: refreshMs,
  });
  const input = useRef<HTMLInputElement>(null);
  useHotkeys([
    ['/', () => input.current?.focus()],
    ['n', () => mayEdit && navigate('/rules/edit')],
  ]);
  const commands = useMemo<Command[]>(
    () =>
      (answer.data?.groups ?? []).flatMap((group) =>
        group.rules
          .filter((r) => r.type === 'alerting')
          .map((r) => ({
            id: `rule:${group.file}:${group.name}:${r.name}`,
            label: r.name,
            description: r.annotations.summary,
            group: 'Rules',
            run: () => navigate(ruleLink({ group: group.name, file: group.file, name: r.name })),
          })),
      ),
    [answer.data, navigate],
  );
  useCommands(commands);
  const all = answer.data?.groups.flatMap((g) => g.rules) ?? [];
  const bad = all.filter(failing).length;
  return (
    <>
      <PageHeader title="Rules" subtitle={answer.data && `${all.length} rules, ${bad || 'none'} failing`}>
        <TextInput
          ref={input}
          leftSection={<IconSearch size={14} />}
          placeholder="Name, expression, label=value  ( / )"
          aria-label="Search rules"
          value={text}
          onChange={(e) => update({ search: e.currentTarget.value || undefined })}
        />
        <SegmentedControl
          size="xs"
          aria-label="Show"
          value={filter}
          onChange={(value) => update({ show: value === 'all' ? undefined : value })}
          data={ruleFilters}
        />
        {mayEdit && (
          <Button component={Link} href="/rules/edit" leftSection={<IconPlus size={14} />}>
            New rule
          </Button>
        )}
      </PageHeader>
      <div className={page.body}>
        <Answer query={answer} what="Rules">
          {({ groups, stored }) => {
            const listed = list(groups, stored, filter, text);
            if (listed.length === 0)
              return (
                <EmptyState
                  icon={<IconListDetails size={28} stroke={1.4} />}
                  title={groups.length > 0 ? 'No rule is like this' : 'There are no rules'}
                  message={
                    groups.length > 0
                      ? undefined
                      : 'Make one here, or name files under rule_files in the configuration.'
                  }
                />
              );
            return listed.map((g) => <Group key={`${g.group.file} ${g.group.name}`} listed={g} />);
          }}
        </Answer>
      </div>
    </>
  );
}

function Group({ listed: { group, rules, stored } }: { listed: ListedGroup }) {
  const now = useNow(5000);
  const load = loadOf(group);
  const last = Date.parse(group.lastEvaluation);
  return (
    <section className={styles.group}>
      <h2 className={styles.groupTitle}>
        {group.name}
        {stored ? (
          <Chip tone="info">made here, version {stored.version}</Chip>
        ) : (
          <span className={page.note}>{group.file}</span>
        )}
        <span
          className={styles.cost}
          title={`the evaluation takes ${(load * 100).toPrecision(2)} % of the interval`}
        >
          every {durationOf(group.interval)} · takes {formatMs(group.evaluationTime * 1000)}
          {load > 0.5 && <Chip tone={load > 1 ? 'bad' : 'warn'}>slow</Chip>}
          {last > 0 && ` · ${formatAge(last, now)} ago`}
        </span>
      </h2>
      <ul className={styles.rules}>
        {rules.map((rule, i) => (
          <Row
            key={`${rule.name} ${i}`}
            rule={rule}
            href={
              rule.type === 'alerting'
                ? ruleLink({ group: group.name, file: group.file, name: rule.name, nth: nthOf(group, rule) })
                : exploreLink(rule.name)
            }
          />
        ))}
      </ul>
    </section>
  );
}

function Row({ rule, href }: { rule: Rule; href: string }) {
  const firing = rule.alerts.filter((a) => a.state === 'firing').length;
  const pending = rule.alerts.filter((a) => a.state === 'pending').length;
  return (
    <li className={styles.rule} data-rule={rule.name}>
      <div className={styles.head}>
        <Link href={href} className={styles.name}>
          {rule.name}
        </Link>
        {rule.type === 'recording' && <Chip tone="dim">recording</Chip>}
        {firing > 0 && <Chip tone="bad">{firing} firing</Chip>}
        {pending > 0 && <Chip tone="warn">{pending} pending</Chip>}
        {failing(rule) && <Chip tone="bad">failing</Chip>}
        {rule.health === 'unknown' && <Chip tone="dim">not evaluated yet</Chip>}
        <span className={styles.cost}>
          {rule.duration > 0 && <>for {durationOf(rule.duration)} · </>}
          {formatMs(rule.evaluationTime * 1000)}
        </span>
      </div>
      <code className={styles.expr}>{rule.query}</code>
      {rule.lastError && <div className={styles.error}>{rule.lastError}</div>}
      <LabelList labels={rule.labels} />
    </li>
  );
}
