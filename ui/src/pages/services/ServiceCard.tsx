import { IconChevronDown, IconChevronRight } from '@tabler/icons-react';
import { useId, useMemo, useState, type CSSProperties } from 'react';
import type { Instance, Watcher } from '../../api/services';
import { Chip } from '../../components/alerting/Chip';
import page from '../../components/page.module.css';
import { QueryGraph } from '../../components/QueryGraph';
import { formatAge } from '../../components/useNow';
import { formatClock, formatInstant } from '../../model/time';
import { formatText } from '../../units';
import { exitText, isBlind, stateText, stateTone, ticksOf, type Service } from './services';
import styles from './Services.module.css';
import { find, type Usage } from './usage';

interface Props {
  service: Service;
  watchers: Watcher[];
  usage?: ReadonlyMap<string, Usage>;
  now: number;
  spanMs: number;
}

/** One service: its trouble first, then its instances, then what fails because of it. */
export function ServiceCard(props: Props) {
  const { service, watchers, now } = props;
  const blind = isBlind(service.platform, watchers);
  return (
    <section
      className={`${styles.card} ${service.failing ? styles.failing : ''} ${blind ? styles.unseen : ''}`}
      aria-label={service.name}
      data-service={service.name}
    >
      <header className={styles.head}>
        <h2 className={styles.name}>{service.name}</h2>
        <span className={page.note}>{service.platform}</span>
        {service.critical && (
          <Chip tone="info" title="A single crash is an incident">
            critical
          </Chip>
        )}
        {blind && <Chip tone="dim">not seen now</Chip>}
        {service.becauseOf && <span className={page.note}>fails because of {service.becauseOf}</span>}
        {service.dependsOn.length > 0 && (
          <span className={page.note}>depends on {service.dependsOn.join(', ')}</span>
        )}
      </header>
      {service.instances.map((i) => (
        <InstanceRow key={i.instance} {...props} instance={i} blind={blind} now={now} />
      ))}
      {service.below.length > 0 && (
        <div className={styles.below}>
          <div className={page.note}>Fails because of {service.name}:</div>
          {service.below.map((child) => (
            <ServiceCard key={child.id} {...props} service={child} />
          ))}
        </div>
      )}
    </section>
  );
}

function InstanceRow({
  instance: i,
  usage,
  now,
  spanMs,
  blind,
}: Props & { instance: Instance; blind: boolean }) {
  const [choice, setOpen] = useState<boolean>();
  const open = choice ?? i.failing;
  const id = useId();
  const used = find(usage ?? new Map(), i);
  return (
    <div className={styles.instance} data-instance={i.instance} data-state={blind ? 'unknown' : i.state}>
      <div className={styles.row}>
        <button
          type="button"
          className={styles.toggle}
          aria-expanded={open}
          aria-controls={id}
          onClick={() => setOpen(!open)}
        >
          {open ? <IconChevronDown size={15} /> : <IconChevronRight size={15} />}
          <span className={styles.instanceName}>{i.instance}</span>
        </button>
        <span>
          <Chip tone={blind ? 'dim' : stateTone(i.state)}>
            {blind ? `was ${stateText[i.state] ?? i.state}` : (stateText[i.state] ?? i.state)}
          </Chip>
        </span>
        <span className={`${page.note} numeric`}>
          {i.restarts === 1 ? '1 restart' : `${i.restarts} restarts`}
        </span>
        <Timeline instance={i} now={now} spanMs={spanMs} />
        <span className={`${styles.next} numeric`}>{blind ? '' : nextText(i, now)}</span>
        <span className={styles.used}>
          <Meter what="CPU" used={used.cpu} request={used.cpuRequest} limit={used.cpuLimit} unit="cores" />
          <Meter
            what="Memory"
            used={used.memory}
            request={used.memoryRequest}
            limit={used.memoryLimit}
            unit="bytes"
          />
        </span>
      </div>
      <div id={id}>{open && <Details instance={i} now={now} spanMs={spanMs} />}</div>
    </div>
  );
}

function nextText(i: Instance, now: number): string {
  const at = Date.parse(i.nextRestart);
  if (Number.isNaN(at)) return '';
  if (at <= now) return 'next start is due';
  return `next start in ${formatText(Math.ceil((at - now) / 1000), 's', 0)}`;
}

/** A mark for each end that nobody wanted. */
function Timeline({ instance, now, spanMs }: { instance: Instance; now: number; spanMs: number }) {
  const ticks = ticksOf(instance.history, now - spanMs, now);
  const text = `${ticks.length === 0 ? 'no' : ticks.length} ${ticks.length === 1 ? 'end' : 'ends'} in ${formatText(spanMs / 1000, 's', 0)}`;
  return (
    <span className={styles.timeline} role="img" aria-label={text} title={text}>
      {ticks.map(({ at, end }, index) => (
        <span
          key={`${end.at} ${index}`}
          className={styles.tick}
          data-cause={end.cause || 'unknown'}
          style={{ left: `${at * 100}%` } as CSSProperties}
          title={`${formatInstant(Date.parse(end.at), 'browser')}: ${exitText(end)}${end.cause ? `, ${end.cause}` : ''}`}
        />
      ))}
    </span>
  );
}

interface MeterProps {
  what: string;
  used?: number;
  request?: number;
  limit?: number;
  unit: 'cores' | 'bytes';
}

/** What is used, of what is allowed. Unknown is said, and is not zero. */
function Meter({ what, used, request, limit, unit }: MeterProps) {
  const show = (n: number) => (unit === 'bytes' ? formatText(n, 'bytes') : formatText(n, 'short', 2));
  const of = limit ?? request;
  const share = used === undefined || !of ? undefined : used / of;
  const text =
    used === undefined
      ? `${what} unknown${limit ? `, limit ${show(limit)}` : ''}`
      : `${what} ${show(used)}${limit ? ` of ${show(limit)}` : request ? `, asks for ${show(request)}` : ''}`;
  const title = `${text}${request && limit ? `, asks for ${show(request)}` : ''}`;
  return (
    <span className={styles.meter} title={title} data-meter={what}>
      <span className={page.note}>{text}</span>
      {share !== undefined && (
        <span className={styles.bar}>
          <span
            className={share > 0.9 ? styles.barBad : share > 0.75 ? styles.barWarn : styles.barOk}
            style={{ width: `${Math.min(1, share) * 100}%` }}
          />
        </span>
      )}
    </span>
  );
}

function Details({ instance: i, now, spanMs }: { instance: Instance; now: number; spanMs: number }) {
  const { diagnosis, lastExit } = i;
  const since = Date.parse(i.since);
  const facts: [string, string][] = [];
  if (lastExit)
    facts.push([
      'Last end',
      `${exitText(lastExit)}${lastExit.at ? `, ${formatAge(Date.parse(lastExit.at), now)} ago (${formatClock(Date.parse(lastExit.at), 'browser')})` : ''}${lastExit.wanted ? ', as somebody wanted' : ''}`,
    ]);
  if (i.reason) facts.push(['Reason', i.reason]);
  if (i.lastChange) facts.push(['Last change', i.lastChange]);
  if (since > 0) facts.push([stateText[i.state] ?? i.state, `for ${formatAge(since, now)}`]);
  if (i.cpuThrottledRatio !== undefined)
    facts.push(['Held back by its CPU limit', formatText(i.cpuThrottledRatio, 'percentunit', 0)]);
  if (i.image) facts.push(['Image', i.image]);
  if (i.node) facts.push(['Node', i.node]);
  return (
    <div className={styles.details}>
      {diagnosis && (
        <div>
          <div className={styles.cause}>
            <Chip tone={diagnosis.cause === 'unknown' ? 'dim' : 'warn'}>{diagnosis.cause}</Chip>{' '}
            {diagnosis.finding}
          </div>
          {diagnosis.evidence.length > 0 && (
            <pre className={page.pre} tabIndex={0} aria-label="Evidence">
              {diagnosis.evidence.join('\n')}
            </pre>
          )}
        </div>
      )}
      {facts.length > 0 && (
        <dl className={styles.facts}>
          {facts.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      )}
      <States instance={i} spanMs={spanMs} />
    </div>
  );
}

/** The states of the stored past, which a restart of hedgewatch does not forget. */
function States({ instance: i, spanMs }: { instance: Instance; spanMs: number }) {
  const [now] = useState(() => Date.now());
  const range = useMemo(() => ({ from: now - spanMs, to: now }), [now, spanMs]);
  const selector = `platform="${quoted(i.platform)}", namespace="${quoted(i.namespace)}", service="${quoted(i.service)}", container="${quoted(i.container)}", instance="${quoted(i.instance)}"`;
  const queries = useMemo(
    () => [
      {
        expr: `sum by (cause) (increase(hedgewatch_service_restarts_total{${selector}}[$__rate_interval]))`,
        legend: '{{cause}}',
      },
      { expr: `max(hedgewatch_service_backoff{${selector}})`, legend: 'backs off' },
    ],
    [selector],
  );
  return <QueryGraph title="Ends by cause, and back-off" queries={queries} range={range} height={170} />;
}

const quoted = (text: string) => text.replace(/[\\"]/g, '\\$&').replace(/\n/g, '\\n');
