import * as d from './decode';
import type { Http } from './http';

const labels = d.map(d.string);

const storedGroup = d.object({
  name: d.string,
  version: d.number,
  updated: d.string,
  updatedBy: d.withDefault(d.string, ''),
  message: d.withDefault(d.string, ''),
  yaml: d.withDefault(d.string, ''),
});
/** A rule group that was made in the UI. */
export type StoredGroup = d.TypeOf<typeof storedGroup>;

const interval = d.object({ active: d.string, from: d.string, to: d.optional(d.string) });

const backtest = d.object({
  steps: d.number,
  alerts: d.array(
    d.object({ labels, intervals: d.array(interval), firingSeconds: d.number, pended: d.number }),
  ),
  omitted: d.withDefault(d.number, 0),
  fired: d.number,
  firingSeconds: d.number,
  messages: d.optional(d.object({ total: d.number, byReceiver: d.map(d.number) })),
  threshold: d.optional(
    d.object({
      expr: d.string,
      op: d.string,
      value: d.number,
      quantiles: d.map(d.number),
      suggestion: d.number,
    }),
  ),
  warnings: d.array(d.string),
});
export type Backtest = d.TypeOf<typeof backtest>;

export interface BacktestRequest {
  expr: string;
  for: string;
  keep_firing_for: string;
  alert: string;
  labels: Record<string, string>;
  from: string;
  to: string;
  step: string;
}

const textOr = d.withDefault(d.string, '');
const fileRule = d.object({
  alert: d.string,
  expr: d.string,
  for: textOr,
  keep_firing_for: textOr,
  labels: d.withDefault(labels, {}),
  annotations: d.withDefault(labels, {}),
});
/** An alerting rule as its file has it. */
export type FileRule = d.TypeOf<typeof fileRule>;

const access = { writable: d.boolean, reason: textOr };
const ruleInFile = d.object({ rule: fileRule, hash: d.string, ...access });
export type RuleInFile = d.TypeOf<typeof ruleInFile>;

const fileChange = d.object({ diff: d.string, hash: d.string, ...access });
export type FileChange = d.TypeOf<typeof fileChange>;

export interface FilePlace {
  file: string;
  group: string;
  alert: string;
  /** Which of the group's rules of this name. */
  nth: number;
}

export interface FileEdit extends FilePlace {
  /** Of the file that the edit began with; empty until a new rule's diff has it. */
  hash: string;
  /** Null takes the rule out. */
  to: Partial<FileRule> | null;
  /** Puts the rule at the end of the group; hash, alert and nth say nothing then. */
  new?: boolean;
}

const root = 'api/hw/v1';
const groupPath = (name: string) => `${root}/rules/${encodeURIComponent(name)}`;

/** Rules that were made in the UI, and trials of rules. */
export class RulesApi {
  constructor(private readonly http: Http) {}

  async groups(signal?: AbortSignal): Promise<StoredGroup[]> {
    return this.http.get(`${root}/rules`, d.array(storedGroup), { signal });
  }

  async group(name: string, signal?: AbortSignal): Promise<StoredGroup> {
    return this.http.get(groupPath(name), storedGroup, { signal });
  }

  /** Version is the one that the edit began with, 0 for a new group. */
  async save(name: string, save: { yaml: string; message: string; version: number }): Promise<StoredGroup> {
    return this.http.get(groupPath(name), storedGroup, { method: 'PUT', json: save });
  }

  async delete(name: string): Promise<void> {
    await this.http.request(groupPath(name), { method: 'DELETE' });
  }

  async versions(name: string, signal?: AbortSignal): Promise<StoredGroup[]> {
    return this.http.get(`${groupPath(name)}/versions`, d.array(storedGroup), { signal });
  }

  async restore(name: string, version: number, current: number): Promise<StoredGroup> {
    const path = `${groupPath(name)}/versions/${version}/restore`;
    return this.http.get(path, storedGroup, { method: 'POST', json: { version: current } });
  }

  async inFile(place: FilePlace, signal?: AbortSignal): Promise<RuleInFile> {
    const params = { ...place, nth: String(place.nth) };
    return this.http.get(`${root}/rule-files/rule`, ruleInFile, { params, signal });
  }

  /** What an edit would change in its file. */
  async fileDiff(edit: FileEdit, signal?: AbortSignal): Promise<FileChange> {
    return this.http.get(`${root}/rule-files/diff`, fileChange, { method: 'POST', json: edit, signal });
  }

  async saveInFile(edit: FileEdit): Promise<FileChange> {
    return this.http.get(`${root}/rule-files/rule`, fileChange, { method: 'PUT', json: edit });
  }

  /** When a rule would have fired over stored samples. */
  async backtest(request: BacktestRequest, signal?: AbortSignal): Promise<Backtest> {
    const options = { method: 'POST', json: request, signal, timeoutMs: 70_000 } as const;
    return this.http.get(`${root}/backtest`, backtest, options);
  }
}
