import { matcher } from './alertmanager';
import * as d from './decode';
import type { Http } from './http';

const labels = d.map(d.string);
const text = d.withDefault(d.string, '');

const ack = d.object({
  fingerprint: d.string,
  labels,
  by: text,
  at: text,
  comment: text,
  until: d.optional(d.string),
});
export type Ack = d.TypeOf<typeof ack>;

export interface AckRequest {
  by: string;
  comment: string;
  /** A duration such as "2h"; empty: until the alert ends. */
  for?: string;
}

const transition = d.object({
  id: d.number,
  time: d.string,
  fingerprint: d.string,
  labels,
  annotations: labels,
  from: text,
  to: d.string,
  value: d.optional(d.string),
  receiver: text,
  messageId: text,
  who: text,
  note: text,
});
export type Transition = d.TypeOf<typeof transition>;

const origin = d.object({
  sampled: d.optional(d.string),
  committed: d.optional(d.string),
  evaluated: d.optional(d.string),
  put: d.optional(d.string),
});
export type Origin = d.TypeOf<typeof origin>;

const delivery = d.object({
  id: d.string,
  attempt: d.number,
  receiver: d.string,
  integration: d.string,
  index: d.number,
  groupLabels: labels,
  reason: text,
  alerts: d.array(
    d.object({ fingerprint: d.string, name: d.string, status: d.string, origin: d.optional(origin) }),
  ),
  alertCount: d.withDefault(d.number, 0),
  queuedAt: d.string,
  attemptedAt: d.string,
  latencySeconds: d.withDefault(d.number, 0),
  lateSeconds: d.withDefault(d.number, 0),
  superseded: d.withDefault(d.number, 0),
  storm: d.withDefault(d.boolean, false),
  outcome: d.string,
  error: text,
  endpoint: text,
  status: d.withDefault(d.number, 0),
  answer: text,
  payload: text,
  truncated: d.withDefault(d.boolean, false),
});
export type Delivery = d.TypeOf<typeof delivery>;

export interface DeliveryFilter {
  receiver?: string;
  fingerprint?: string;
  outcome?: string;
  /** Unix seconds. */
  from?: number;
  limit?: number;
}

const destination = d.object({
  receiver: d.string,
  integration: d.string,
  index: d.number,
  state: d.string,
  waiting: d.number,
  oldest: d.optional(d.string),
  nextAttempt: d.optional(d.string),
  failingSince: d.optional(d.string),
  failures: d.withDefault(d.number, 0),
  lastError: text,
  stormSince: d.optional(d.string),
});
export type Destination = d.TypeOf<typeof destination>;

const testResult = d.object({
  receiver: d.string,
  at: d.string,
  by: text,
  delivered: d.boolean,
  attempts: d.array(
    d.object({
      integration: d.string,
      delivered: d.boolean,
      seconds: d.number,
      status: d.withDefault(d.number, 0),
      endpoint: text,
      answer: text,
      error: text,
    }),
  ),
  error: text,
});
export type TestResult = d.TypeOf<typeof testResult>;

const receiver = d.object({
  name: d.string,
  integrations: d.array(d.string),
  routes: d.array(d.string),
  destinations: d.array(
    d.object({
      integration: d.string,
      state: d.string,
      lastDelivered: d.optional(d.string),
      lastFailed: d.optional(d.string),
      lastError: text,
    }),
  ),
  lastTest: d.optional(testResult),
});
export type Receiver = d.TypeOf<typeof receiver>;

const routeMatch = d.object({
  route: d.string,
  receiver: d.string,
  groupKey: d.string,
  groupLabels: labels,
  groupWait: d.string,
  groupInterval: d.string,
  repeatInterval: d.string,
  muteTimeIntervals: d.array(d.string),
  activeTimeIntervals: d.array(d.string),
  muted: d.boolean,
});
export type RouteMatch = d.TypeOf<typeof routeMatch>;

const calendarSilence = d.object({
  id: d.string,
  matchers: d.array(matcher),
  schedule: d.string,
  timeZone: text,
  duration: d.string,
  createdBy: text,
  comment: text,
  updatedAt: text,
  next: d.array(d.object({ silenceID: text, startsAt: d.string, endsAt: d.string })),
});
export type CalendarSilence = d.TypeOf<typeof calendarSilence>;
export type CalendarSilenceRequest = Pick<
  CalendarSilence,
  'matchers' | 'schedule' | 'timeZone' | 'duration' | 'createdBy' | 'comment'
>;

const drill = d.object({
  receiver: d.string,
  schedule: d.string,
  timeZone: d.string,
  next: d.string,
  last: d.optional(testResult),
});
export type Drill = d.TypeOf<typeof drill>;

const root = 'api/hw/v1';
const ackPath = (fingerprint: string) => `${root}/alerts/${encodeURIComponent(fingerprint)}/ack`;

/** What became of alerts: who was told, who has taken them on, when they fired. */
export class NotifyApi {
  constructor(private readonly http: Http) {}

  async acknowledgements(signal?: AbortSignal): Promise<Ack[]> {
    return this.http.get(`${root}/acknowledgements`, d.array(ack), { signal });
  }

  async acknowledge(fingerprint: string, request: AckRequest): Promise<Ack> {
    const json = { ...request, for: request.for || undefined };
    return this.http.get(ackPath(fingerprint), ack, { method: 'POST', json });
  }

  async unacknowledge(fingerprint: string): Promise<void> {
    await this.http.request(ackPath(fingerprint), { method: 'DELETE' });
  }

  /** The newest first. Filters are matchers in Alertmanager's notation. */
  async history(
    query: { fingerprint?: string; filter?: string[]; from?: number; limit?: number },
    signal?: AbortSignal,
  ): Promise<Transition[]> {
    const decode = d.object({ transitions: d.array(transition) });
    return (await this.http.get(`${root}/alerts/history`, decode, { params: { ...query }, signal }))
      .transitions;
  }

  /** Attempts, the newest first, without their payloads. */
  async deliveries(filter: DeliveryFilter, signal?: AbortSignal): Promise<Delivery[]> {
    return this.http.get(`${root}/deliveries`, d.array(delivery), { params: { ...filter }, signal });
  }

  /** All attempts of one message, with what was sent and answered. */
  async message(id: string, signal?: AbortSignal): Promise<Delivery[]> {
    return this.http.get(`${root}/deliveries/${encodeURIComponent(id)}`, d.array(delivery), { signal });
  }

  async outbox(signal?: AbortSignal): Promise<Destination[]> {
    return this.http.get(`${root}/outbox`, d.array(destination), { signal });
  }

  async receivers(signal?: AbortSignal): Promise<Receiver[]> {
    return this.http.get(`${root}/receivers`, d.array(receiver), { signal });
  }

  async testReceiver(name: string): Promise<TestResult> {
    const path = `${root}/receivers/${encodeURIComponent(name)}/test`;
    return this.http.get(path, testResult, { method: 'POST', timeoutMs: 120_000 });
  }

  async drills(signal?: AbortSignal): Promise<Drill[]> {
    return this.http.get(`${root}/drills`, d.array(drill), { signal });
  }

  /** Where an alert with these labels would go. */
  async routesFor(labels: Record<string, string>, signal?: AbortSignal): Promise<RouteMatch[]> {
    const options = { method: 'POST', json: { labels }, signal } as const;
    return this.http.get(`${root}/routes/match`, d.array(routeMatch), options);
  }

  async calendarSilences(signal?: AbortSignal): Promise<CalendarSilence[]> {
    return this.http.get(`${root}/calendar-silences`, d.array(calendarSilence), { signal });
  }

  /** Without an id a new one is made. */
  async setCalendarSilence(id: string, request: CalendarSilenceRequest): Promise<CalendarSilence> {
    const path = id ? `${root}/calendar-silences/${encodeURIComponent(id)}` : `${root}/calendar-silences`;
    return this.http.get(path, calendarSilence, { method: id ? 'PUT' : 'POST', json: request });
  }

  async deleteCalendarSilence(id: string): Promise<void> {
    await this.http.request(`${root}/calendar-silences/${encodeURIComponent(id)}`, { method: 'DELETE' });
  }
}
