import type { Connection } from './connection';
import * as d from './decode';

/** What the server's stream tells of; internal/stream has the same names. */
export type Topic =
  | 'alerts'
  | 'deliveries'
  | 'silences'
  | 'rules'
  | 'services'
  | 'audit'
  | 'governor'
  | 'dashboards'
  | 'samples'
  | 'configuration';

/** As much of EventSource as is used here. */
export interface Source {
  addEventListener: (type: string, listener: (event: { data?: string }) => void) => void;
  close: () => void;
}

/** What a listener hears: the stream is there anew, has told something, or is gone. */
export type Heard = { kind: 'up' } | { kind: 'changed'; topics: ReadonlySet<string> } | { kind: 'down' };

const hello = d.object({ heartbeatSeconds: d.number });
const topicNames = d.array(d.string);
const firstRetryMs = 1000;
const maxRetryMs = 30_000;
/** So many heartbeats may be missing. */
const patience = 3;
const greetingMs = 10_000;

/**
 * Hears from the server what has changed, as long as somebody looks at the page:
 * a browser opens six connections to a server and no more, so pages in the
 * background must not hold one.
 */
export class Changes {
  private source: Source | undefined;
  private silence: ReturnType<typeof setTimeout> | undefined;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private retryMs = firstRetryMs;
  private silenceMs = greetingMs;
  private wanted = false;
  private isUp = false;
  private readonly listeners = new Set<(heard: Heard) => void>();

  constructor(
    private readonly open: () => Source,
    private readonly connection: Connection,
  ) {}

  /** Whether pages can rely on being told. */
  get up(): boolean {
    return this.isUp;
  }

  subscribe = (listener: (heard: Heard) => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Listens, or stops to: a page that nobody sees wants nothing. */
  want(wanted: boolean): void {
    if (wanted === this.wanted) return;
    this.wanted = wanted;
    if (!wanted) {
      this.end();
      return;
    }
    this.retryMs = firstRetryMs;
    this.connect();
  }

  private connect(): void {
    clearTimeout(this.retry);
    if (this.connection.current.kind === 'unauthorized') {
      this.later(); // Without a login every answer is known.
      return;
    }
    const source = this.open();
    this.source = source;
    this.silenceMs = greetingMs;
    this.listen();
    const on = (type: string, then: (data: unknown) => void) =>
      source.addEventListener(type, ({ data }) => {
        if (this.source !== source) return;
        try {
          then(JSON.parse(data ?? '') as unknown);
          this.listen();
        } catch {
          this.fail(); // Something else answers there.
        }
      });
    on('hello', (data) => {
      this.silenceMs = hello(data, 'hello').heartbeatSeconds * 1000 * patience;
      this.retryMs = firstRetryMs;
      this.isUp = true;
      this.tell({ kind: 'up' });
    });
    on('beat', () => undefined);
    on('changed', (data) => this.tell({ kind: 'changed', topics: new Set(topicNames(data, 'changed')) }));
    // EventSource tries again by itself, but not after a refusal: we do in both cases.
    source.addEventListener('error', () => this.source === source && this.fail());
  }

  private listen(): void {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.fail(), this.silenceMs);
  }

  private fail(): void {
    this.end();
    if (this.wanted) this.later();
  }

  private later(): void {
    this.retry = setTimeout(() => this.connect(), this.retryMs * (0.75 + Math.random() / 2));
    this.retryMs = Math.min(2 * this.retryMs, maxRetryMs);
  }

  private end(): void {
    clearTimeout(this.silence);
    clearTimeout(this.retry);
    this.source?.close();
    this.source = undefined;
    if (!this.isUp) return;
    this.isUp = false;
    this.tell({ kind: 'down' });
  }

  private tell(heard: Heard): void {
    for (const listener of this.listeners) listener(heard);
  }
}
