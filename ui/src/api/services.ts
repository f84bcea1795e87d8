import * as d from './decode';
import type { Http } from './http';

const key = {
  platform: d.string,
  namespace: d.withDefault(d.string, ''),
  service: d.string,
  container: d.withDefault(d.string, ''),
};

const end = d.object({
  at: d.string,
  code: d.withDefault(d.number, 0),
  signal: d.withDefault(d.number, 0),
  unseen: d.withDefault(d.boolean, false),
  cause: d.withDefault(d.string, ''),
});
export type End = d.TypeOf<typeof end>;

const instance = d.object({
  ...key,
  instance: d.string,
  state: d.string,
  critical: d.withDefault(d.boolean, false),
  failing: d.withDefault(d.boolean, false),
  /** Whose incident this one's is part of. */
  becauseOf: d.withDefault(d.string, ''),
  node: d.withDefault(d.string, ''),
  image: d.withDefault(d.string, ''),
  since: d.withDefault(d.string, ''),
  restarts: d.number,
  history: d.array(end),
  dependsOn: d.array(d.string),
  nextRestart: d.withDefault(d.string, ''),
  lastExit: d.optional(
    d.object({
      code: d.withDefault(d.number, 0),
      signal: d.withDefault(d.number, 0),
      reason: d.withDefault(d.string, ''),
      oom: d.withDefault(d.boolean, false),
      unseen: d.withDefault(d.boolean, false),
      wanted: d.withDefault(d.boolean, false),
      at: d.withDefault(d.string, ''),
    }),
  ),
  diagnosis: d.optional(
    d.object({ cause: d.string, finding: d.withDefault(d.string, ''), evidence: d.array(d.string) }),
  ),
  lastChange: d.withDefault(d.string, ''),
  memoryLimitBytes: d.optional(d.number),
  cpuThrottledRatio: d.optional(d.number),
  reason: d.withDefault(d.string, ''),
});
export type Instance = d.TypeOf<typeof instance>;

const watcher = d.object({
  platform: d.string,
  sees: d.boolean,
  error: d.withDefault(d.string, ''),
  since: d.withDefault(d.string, ''),
});
export type Watcher = d.TypeOf<typeof watcher>;

const overview = d.object({ watchers: d.array(watcher), services: d.array(instance) });
export type ServicesOverview = d.TypeOf<typeof overview>;

/** The services that are watched, and how they are. */
export class ServicesApi {
  constructor(private readonly http: Http) {}

  async overview(signal?: AbortSignal): Promise<ServicesOverview> {
    return this.http.get('api/hw/v1/services', overview, { signal });
  }
}
