import { expect, test } from 'vitest';
import type { Transition } from '../../api/notify';
import { chapters } from './chapters';

let id = 0;
const entry = (to: string, receiver = ''): Transition => ({
  id: id++,
  time: '2026-05-01T12:00:00Z',
  fingerprint: 'f',
  labels: {},
  annotations: {},
  from: '',
  to,
  value: undefined,
  receiver,
  messageId: '',
  who: '',
  note: '',
});

test('messages in a row become one entry, which ends at a change', () => {
  const all = [
    entry('notified', 'a'),
    entry('notified', 'b'),
    entry('notified', 'a'),
    entry('firing'),
    entry('notified', 'a'),
  ];
  expect(chapters(all).map((c) => [c.last.to, c.receivers, c.messages])).toEqual([
    ['notified', ['a', 'b'], 3],
    ['firing', [], 0],
    ['notified', ['a'], 1],
  ]);
});
