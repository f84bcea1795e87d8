import * as d from './decode';
import type { Http } from './http';

const user = d.object({
  name: d.string,
  role: d.string,
  provider: d.withDefault(d.string, ''),
  mustChange: d.withDefault(d.boolean, false),
  disabled: d.withDefault(d.boolean, false),
  created: d.string,
  lastLogin: d.optional(d.string),
});
export type User = d.TypeOf<typeof user>;

const token = d.object({
  name: d.string,
  role: d.string,
  created: d.string,
  createdBy: d.withDefault(d.string, ''),
  expires: d.optional(d.string),
  lastUsed: d.optional(d.string),
});
export type Token = d.TypeOf<typeof token>;

const change = d.object({
  id: d.number,
  time: d.string,
  who: d.withDefault(d.string, ''),
  client: d.withDefault(d.string, ''),
  action: d.string,
  object: d.withDefault(d.string, ''),
  status: d.withDefault(d.number, 0),
  detail: d.withDefault(d.string, ''),
});
export type Change = d.TypeOf<typeof change>;

export const roles = ['viewer', 'editor', 'admin'] as const;

const root = 'api/hw/v1';
const userPath = (name: string) => `${root}/users/${encodeURIComponent(name)}`;

/** Users, tokens and the log of changes. */
export class AdminApi {
  constructor(private readonly http: Http) {}

  async users(signal?: AbortSignal): Promise<User[]> {
    return this.http.get(`${root}/users`, d.array(user), { signal });
  }

  async createUser(json: { name: string; role: string; password: string }): Promise<void> {
    await this.http.request(`${root}/users`, { method: 'POST', json });
  }

  async changeUser(
    name: string,
    json: { role?: string; disabled?: boolean; password?: string },
  ): Promise<void> {
    await this.http.request(userPath(name), { method: 'PATCH', json });
  }

  async deleteUser(name: string): Promise<void> {
    await this.http.request(userPath(name), { method: 'DELETE' });
  }

  async tokens(signal?: AbortSignal): Promise<Token[]> {
    return this.http.get(`${root}/tokens`, d.array(token), { signal });
  }

  /** Returns the secret, which no other answer has. */
  async createToken(json: { name: string; role: string; expires?: string }): Promise<string> {
    const decode = d.object({ secret: d.string });
    return (await this.http.get(`${root}/tokens`, decode, { method: 'POST', json })).secret;
  }

  async deleteToken(name: string): Promise<void> {
    await this.http.request(`${root}/tokens/${encodeURIComponent(name)}`, { method: 'DELETE' });
  }

  /** The newest first; before is the id at which the page before ended. */
  async changes(before: number | undefined, limit: number, signal?: AbortSignal): Promise<Change[]> {
    const decode = d.object({ changes: d.array(change) });
    return (await this.http.get(`${root}/changes`, decode, { params: { before, limit }, signal })).changes;
  }
}
