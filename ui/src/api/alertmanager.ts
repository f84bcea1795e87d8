import * as d from './decode';
import type { Http } from './http';

const labels = d.map(d.string);

const alert = d.object({
  fingerprint: d.string,
  labels,
  annotations: labels,
  startsAt: d.string,
  endsAt: d.string,
  updatedAt: d.withDefault(d.string, ''),
  generatorURL: d.withDefault(d.string, ''),
  receivers: d.array(d.object({ name: d.string })),
  status: d.object({
    state: d.oneOf('unprocessed', 'active', 'suppressed'),
    silencedBy: d.array(d.string),
    inhibitedBy: d.array(d.string),
    mutedBy: d.array(d.string),
  }),
});
export type Alert = d.TypeOf<typeof alert>;

const alertGroup = d.object({ labels, receiver: d.object({ name: d.string }), alerts: d.array(alert) });
export type AlertGroup = d.TypeOf<typeof alertGroup>;

export const matcher = d.object({
  name: d.string,
  value: d.string,
  isRegex: d.boolean,
  isEqual: d.withDefault(d.boolean, true),
});
export type Matcher = d.TypeOf<typeof matcher>;

const silence = d.object({
  id: d.string,
  matchers: d.array(matcher),
  startsAt: d.string,
  endsAt: d.string,
  updatedAt: d.withDefault(d.string, ''),
  createdBy: d.string,
  comment: d.string,
  status: d.object({ state: d.oneOf('active', 'pending', 'expired') }),
});
export type Silence = d.TypeOf<typeof silence>;

/** A silence to create; with an id, one to change. */
export interface SilenceRequest {
  id?: string;
  matchers: Matcher[];
  startsAt: string;
  endsAt: string;
  createdBy: string;
  comment: string;
}

/** The Alertmanager v2 API. */
export class AlertmanagerApi {
  constructor(private readonly http: Http) {}

  /** Filters are matchers in Alertmanager's notation: severity="critical". */
  async alerts(filter: string[] = [], signal?: AbortSignal): Promise<Alert[]> {
    return this.http.get('api/v2/alerts', d.array(alert), { params: { filter }, signal });
  }

  async alertGroups(filter: string[] = [], signal?: AbortSignal): Promise<AlertGroup[]> {
    return this.http.get('api/v2/alerts/groups', d.array(alertGroup), { params: { filter }, signal });
  }

  async silences(signal?: AbortSignal): Promise<Silence[]> {
    return this.http.get('api/v2/silences', d.array(silence), { signal });
  }

  /** Returns the silence's id: changing one may make a new one. */
  async setSilence(request: SilenceRequest): Promise<string> {
    const options = { method: 'POST', json: request } as const;
    return (await this.http.get('api/v2/silences', d.object({ silenceID: d.string }), options)).silenceID;
  }

  async expireSilence(id: string): Promise<void> {
    await this.http.request(`api/v2/silence/${encodeURIComponent(id)}`, { method: 'DELETE' });
  }

  async receivers(signal?: AbortSignal): Promise<string[]> {
    const receivers = await this.http.get('api/v2/receivers', d.array(d.object({ name: d.string })), {
      signal,
    });
    return receivers.map((r) => r.name);
  }

  async status(signal?: AbortSignal): Promise<{ config: { original: string } }> {
    return this.http.get('api/v2/status', d.object({ config: d.object({ original: d.string }) }), { signal });
  }
}
