import * as d from './decode';
import type { Http } from './http';
import type { JsonObject } from '../model/json';

const status = d.object({
  version: d.string,
  ready: d.withDefault(d.boolean, false),
  waitingFor: d.withDefault(d.string, ''),
});
export type Status = d.TypeOf<typeof status>;

const dashboardMeta = d.object({
  uid: d.string,
  title: d.string,
  folder: d.withDefault(d.string, ''),
  tags: d.array(d.string),
  version: d.number,
  updated: d.withDefault(d.string, ''),
  updatedBy: d.withDefault(d.string, ''),
  message: d.withDefault(d.string, ''),
  shipped: d.withDefault(d.boolean, false),
  edited: d.withDefault(d.boolean, false),
});
export type DashboardMeta = d.TypeOf<typeof dashboardMeta>;

const storedDashboard = d.object({
  meta: dashboardMeta,
  dashboard: d.record as d.Decoder<JsonObject>,
  warnings: d.array(d.string),
});
export type StoredDashboard = d.TypeOf<typeof storedDashboard>;

export interface DashboardSave {
  dashboard: JsonObject;
  folder: string;
  message?: string;
  /** The one that the edit began with; 0 for a new or a shipped one. */
  version: number;
}

const dashboardVersion = d.object({
  version: d.number,
  time: d.string,
  who: d.withDefault(d.string, ''),
  message: d.withDefault(d.string, ''),
});
export type DashboardVersion = d.TypeOf<typeof dashboardVersion>;

const session = d.object({
  user: d.withDefault(d.string, ''),
  role: d.withDefault(d.string, ''),
  kind: d.withDefault(d.string, ''),
  mustChangePassword: d.withDefault(d.boolean, false),
  login: d.object({
    required: d.withDefault(d.boolean, false),
    password: d.withDefault(d.boolean, false),
    oidc: d.withDefault(d.string, ''),
    anonymousViewer: d.withDefault(d.boolean, false),
  }),
});
export type Session = d.TypeOf<typeof session>;

export const mayEdit = (s: Session | undefined): boolean => s?.role === 'editor' || s?.role === 'admin';

const root = 'api/hw/v1';
const dashboardPath = (uid: string) => `${root}/dashboards/${encodeURIComponent(uid)}`;

/** Our own API, below /api/hw/v1. */
export class HedgewatchApi {
  constructor(private readonly http: Http) {}

  async status(signal?: AbortSignal): Promise<Status> {
    return this.http.get(`${root}/status`, status, { signal });
  }

  async dashboards(signal?: AbortSignal): Promise<DashboardMeta[]> {
    return this.http.get(`${root}/dashboards`, d.array(dashboardMeta), { signal });
  }

  async dashboard(uid: string, signal?: AbortSignal): Promise<StoredDashboard> {
    return this.http.get(dashboardPath(uid), storedDashboard, { signal });
  }

  /** Without a UID a new one is made. Answers 409 if somebody else has saved since. */
  async saveDashboard(uid: string, save: DashboardSave): Promise<StoredDashboard> {
    const [method, path] = uid
      ? (['PUT', dashboardPath(uid)] as const)
      : (['POST', `${root}/dashboards`] as const);
    return this.http.get(path, storedDashboard, { method, json: save });
  }

  async importDashboard(dashboard: JsonObject, folder: string, overwrite: boolean): Promise<StoredDashboard> {
    const json = { dashboard, folder, overwrite };
    return this.http.get(`${root}/dashboards/import`, storedDashboard, { method: 'POST', json });
  }

  async deleteDashboard(uid: string): Promise<void> {
    await this.http.request(dashboardPath(uid), { method: 'DELETE' });
  }

  async dashboardVersions(uid: string, signal?: AbortSignal): Promise<DashboardVersion[]> {
    return this.http.get(`${dashboardPath(uid)}/versions`, d.array(dashboardVersion), { signal });
  }

  async dashboardAt(uid: string, version: number, signal?: AbortSignal): Promise<JsonObject> {
    return this.http.get(`${dashboardPath(uid)}/versions/${version}`, d.record as d.Decoder<JsonObject>, {
      signal,
    });
  }

  async restoreDashboard(uid: string, version: number, current: number): Promise<StoredDashboard> {
    const path = `${dashboardPath(uid)}/versions/${version}/restore`;
    return this.http.get(path, storedDashboard, { method: 'POST', json: { version: current } });
  }

  async session(signal?: AbortSignal): Promise<Session> {
    return this.http.get(`${root}/session`, session, { signal });
  }

  async logIn(user: string, password: string): Promise<Session> {
    return this.http.get(`${root}/session`, session, { method: 'POST', json: { user, password } });
  }

  async logOut(): Promise<void> {
    await this.http.request(`${root}/session`, { method: 'DELETE' });
  }

  async changePassword(old: string, next: string): Promise<Session> {
    return this.http.get(`${root}/session/password`, session, { method: 'PUT', json: { old, new: next } });
  }
}
