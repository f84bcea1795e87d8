import { Connection } from './connection';
import type { Decoder } from './decode';

/** A request that was answered with an error, or with none at all (status 0). */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    /** Prometheus' errorType ("bad_data", "timeout", …), if the answer has one. */
    readonly type?: string,
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

export type Params = Record<string, string | number | boolean | string[] | undefined>;

export interface RequestOptions {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  params?: Params;
  /** Sent as JSON. */
  json?: unknown;
  /** Sent as a form, as the Prometheus API takes long queries. */
  form?: Params;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  timeoutMs?: number;
}

const defaultTimeoutMs = 30_000;

/** Speaks HTTP with the server that the page came from, and knows whether it answers. */
export class Http {
  constructor(
    /** Where the server's root is: ends with a slash, contains the route prefix. */
    readonly root: URL,
    readonly connection: Connection,
  ) {}

  url(path: string, params?: Params): URL {
    const url = new URL(path.replace(/^\//, ''), this.root);
    for (const [key, value] of Object.entries(params ?? {})) append(url.searchParams, key, value);
    return url;
  }

  async get<T>(path: string, decode: Decoder<T>, options: RequestOptions = {}): Promise<T> {
    return decode(await this.request(path, options), '');
  }

  /** Returns the parsed JSON body, or undefined if there is none. */
  async request(path: string, options: RequestOptions = {}): Promise<unknown> {
    const response = await this.fetch(path, options);
    const text = await response.text();
    let body: unknown;
    try {
      body = text === '' ? undefined : JSON.parse(text);
    } catch {
      if (response.ok)
        throw new ApiError(response.status, `${path} answered with something that is not JSON`);
    }
    if (!response.ok) throw errorOf(response, body, text);
    return body;
  }

  private async fetch(path: string, options: RequestOptions): Promise<Response> {
    // Until somebody logs in every answer is known: pages that poll must not ask on.
    if (this.connection.current.kind === 'unauthorized' && !path.startsWith('api/hw/v1/session')) {
      throw new ApiError(401, 'log in first');
    }
    const timeout = AbortSignal.timeout(options.timeoutMs ?? defaultTimeoutMs);
    const init: RequestInit = {
      method: options.method ?? (options.form ? 'POST' : 'GET'),
      headers: { Accept: 'application/json', ...options.headers },
      signal: options.signal ? AbortSignal.any([options.signal, timeout]) : timeout,
      credentials: 'same-origin',
    };
    if (options.json !== undefined) {
      init.body = JSON.stringify(options.json);
      init.headers = { ...init.headers, 'Content-Type': 'application/json' };
    } else if (options.form) {
      const form = new URLSearchParams();
      for (const [key, value] of Object.entries(options.form)) append(form, key, value);
      init.body = form;
    }
    let response: Response;
    try {
      response = await fetch(this.url(path, options.params), init);
    } catch (error) {
      if (options.signal?.aborted) throw error;
      if (timeout.aborted)
        throw new ApiError(
          0,
          `no answer within ${(options.timeoutMs ?? defaultTimeoutMs) / 1000} s`,
          'timeout',
        );
      this.connection.lost();
      throw new ApiError(0, 'the server cannot be reached', 'connection');
    }
    this.connection.answered(response.status);
    return response;
  }
}

function append(to: URLSearchParams, key: string, value: Params[string]): void {
  if (value === undefined) return;
  if (Array.isArray(value)) value.forEach((v) => to.append(key, v));
  else to.append(key, String(value));
}

function errorOf(response: Response, body: unknown, text: string): ApiError {
  if (typeof body === 'object' && body !== null) {
    const { error, message, errorType } = body as Record<string, unknown>;
    const words = typeof error === 'string' ? error : typeof message === 'string' ? message : undefined;
    if (words)
      return new ApiError(response.status, words, typeof errorType === 'string' ? errorType : undefined);
  }
  if (typeof body === 'string') return new ApiError(response.status, body); // Alertmanager's way.
  const plain = /^\s*</.test(text) ? '' : text.trim().slice(0, 500);
  return new ApiError(response.status, plain || `${response.status} ${response.statusText}`);
}

/** What to tell a person about anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
