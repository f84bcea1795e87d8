import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Changes, type Heard, type Source } from './changes';
import { Connection } from './connection';

class FakeSource implements Source {
  closed = false;
  private readonly listeners = new Map<string, (event: { data?: string }) => void>();

  addEventListener(type: string, listener: (event: { data?: string }) => void) {
    this.listeners.set(type, listener);
  }

  close() {
    this.closed = true;
  }

  emit(type: string, data?: unknown) {
    this.listeners.get(type)?.({ data: typeof data === 'string' ? data : JSON.stringify(data) });
  }
}

let sources: FakeSource[];
let heard: Heard[];
let connection: Connection;
let changes: Changes;

beforeEach(() => {
  vi.useFakeTimers();
  sources = [];
  heard = [];
  connection = new Connection();
  changes = new Changes(() => {
    const source = new FakeSource();
    sources.push(source);
    return source;
  }, connection);
  changes.subscribe((h) => heard.push(h));
});

afterEach(() => {
  changes.want(false);
  vi.useRealTimers();
});

const open = () => sources.filter((s) => !s.closed);
const newest = () => sources[sources.length - 1] as FakeSource;

test('says what has changed from the greeting on', () => {
  changes.want(true);
  expect(changes.up).toBe(false);
  newest().emit('hello', { heartbeatSeconds: 5, topics: [] });
  newest().emit('changed', ['alerts', 'news of a later version']);
  expect(changes.up).toBe(true);
  expect(heard).toEqual([
    { kind: 'up' },
    { kind: 'changed', topics: new Set(['alerts', 'news of a later version']) },
  ]);
});

test('a stream without heartbeats is lost, and opened again', () => {
  changes.want(true);
  newest().emit('hello', { heartbeatSeconds: 5 });
  vi.advanceTimersByTime(14_000);
  newest().emit('beat', {});
  vi.advanceTimersByTime(14_000);
  expect(changes.up).toBe(true);
  vi.advanceTimersByTime(2_000);
  expect(changes.up).toBe(false);
  expect(heard[heard.length - 1]).toEqual({ kind: 'down' });
  vi.advanceTimersByTime(2_000);
  expect(open()).toHaveLength(1);
  newest().emit('hello', { heartbeatSeconds: 5 });
  expect(heard[heard.length - 1]).toEqual({ kind: 'up' });
});

test('refusals are asked again ever less often', () => {
  changes.want(true);
  for (let second = 0; second < 300; second++) {
    newest().emit('error');
    vi.advanceTimersByTime(1000);
  }
  expect(open().length).toBeLessThanOrEqual(1);
  expect(sources.length).toBeGreaterThan(8);
  expect(sources.length).toBeLessThan(25);
});

test.each([
  ['no JSON', 'changed', '<html>'],
  ['no list', 'changed', { topics: 1 }],
  ['no greeting', 'hello', { heartbeatSeconds: 'soon' }],
])('an answer that is %s ends the stream and throws nothing', (_, type, data) => {
  changes.want(true);
  newest().emit(type, data);
  expect(changes.up).toBe(false);
  expect(open()).toHaveLength(0);
});

test('a page that nobody sees holds no connection', () => {
  changes.want(true);
  newest().emit('hello', { heartbeatSeconds: 5 });
  changes.want(false);
  vi.advanceTimersByTime(120_000);
  expect(open()).toHaveLength(0);
  changes.want(true);
  expect(open()).toHaveLength(1);
});

test('nothing is asked for without a login', () => {
  connection.answered(401);
  changes.want(true);
  vi.advanceTimersByTime(60_000);
  expect(sources).toHaveLength(0);
  connection.restored();
  vi.advanceTimersByTime(40_000); // The longest pause between two tries; nobody greets, so there may be several.
  expect(sources.length).toBeGreaterThan(0);
});

test('what an old stream says late counts for nothing', () => {
  changes.want(true);
  const old = newest();
  old.emit('error');
  vi.advanceTimersByTime(2000);
  old.emit('hello', { heartbeatSeconds: 5 });
  expect(changes.up).toBe(false);
});
