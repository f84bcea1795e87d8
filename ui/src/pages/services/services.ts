import type { End, Instance, Watcher } from '../../api/services';
import type { Tone } from '../../components/alerting/Chip';

/** A service with its instances, and those that fail because of it. */
export interface Service {
  /** Unlike the name, told apart by platform. */
  id: string;
  name: string;
  platform: string;
  critical: boolean;
  failing: boolean;
  becauseOf: string;
  dependsOn: string[];
  instances: Instance[];
  below: Service[];
}

/** The name that people use, and becauseOf does: as the server writes it. */
export function nameOf({ namespace, service, container }: Instance): string {
  const name = namespace ? `${namespace}/${service}` : service;
  return container && container !== service ? `${name} (${container})` : name;
}

/** Services in the order in which they came: trouble first, each below the one because of which it fails. */
export function servicesOf(instances: Instance[]): Service[] {
  const byId = new Map<string, Service>();
  for (const i of instances) {
    const name = nameOf(i);
    const id = `${i.platform} ${name}`;
    let service = byId.get(id);
    if (!service) {
      service = {
        id,
        name,
        platform: i.platform,
        critical: false,
        failing: false,
        becauseOf: '',
        dependsOn: [],
        instances: [],
        below: [],
      };
      byId.set(id, service);
    }
    service.instances.push(i);
    service.critical ||= i.critical;
    service.failing ||= i.failing;
    service.becauseOf ||= i.becauseOf;
    service.dependsOn = [...new Set([...service.dependsOn, ...i.dependsOn])];
  }
  const all = [...byId.values()];
  const roots: Service[] = [];
  for (const service of all) {
    const parent =
      byId.get(`${service.platform} ${service.becauseOf}`) ?? all.find((s) => s.name === service.becauseOf);
    if (parent && parent !== service && !isBelow(parent, service)) parent.below.push(service);
    else roots.push(service);
  }
  return roots;
}

/** Whether a hangs below b: a circle must not make both vanish. */
const isBelow = (a: Service, b: Service): boolean => b.below.some((s) => s === a || isBelow(a, s));

export const stateText: Record<string, string> = {
  starting: 'starting',
  running: 'running',
  restarting: 'restarting',
  backing_off: 'backing off',
  blocked: 'cannot start',
  gave_up: 'gave up',
  failed: 'failed',
  recovering: 'recovering',
  stopped: 'stopped',
};

export function stateTone(state: string): Tone {
  switch (state) {
    case 'running':
      return 'ok';
    case 'recovering':
    case 'restarting':
      return 'warn';
    case 'backing_off':
    case 'blocked':
    case 'gave_up':
    case 'failed':
      return 'bad';
  }
  return 'dim'; // Also a state of a later version.
}

export const isBlind = (platform: string, watchers: Watcher[]): boolean =>
  watchers.some((w) => w.platform === platform && !w.sees);

const signals: Record<number, string> = { 6: 'SIGABRT', 9: 'SIGKILL', 11: 'SIGSEGV', 15: 'SIGTERM' };

/** How a process ended, in words. */
export function exitText(
  e: Pick<End, 'code' | 'signal' | 'unseen'> & { oom?: boolean; reason?: string },
): string {
  if (e.unseen) return 'nobody saw how';
  const parts = [e.signal ? (signals[e.signal] ?? `signal ${e.signal}`) : `exit code ${e.code}`];
  if (e.oom) parts.push('out of memory');
  else if (e.reason && e.reason !== 'Error') parts.push(e.reason);
  return parts.join(', ');
}

export interface Tick {
  /** 0 to 1 of the time that is shown. */
  at: number;
  end: End;
}

/** The ends of one process on a line of time. */
export function ticksOf(history: End[], from: number, to: number): Tick[] {
  return history
    .map((end) => ({ end, at: (Date.parse(end.at) - from) / (to - from) }))
    .filter(({ at }) => at >= 0 && at <= 1);
}

/** Services one of whose words is in the name, cause or evidence, with all that hangs below. */
export function search(services: Service[], text: string, failingOnly: boolean): Service[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const found = (s: Service): boolean =>
    s.below.some(found) || ((!failingOnly || s.failing) && words.every((w) => haystack(s).includes(w)));
  return services.filter(found);
}

function haystack(s: Service): string {
  return [
    s.name,
    s.platform,
    ...s.instances.flatMap((i) => [
      i.instance,
      i.state,
      i.node,
      i.image,
      i.diagnosis?.cause ?? '',
      i.diagnosis?.finding ?? '',
      ...(i.diagnosis?.evidence ?? []),
    ]),
  ]
    .join('\n')
    .toLowerCase();
}
