import { expect, test } from 'vitest';
import type { Delivery } from '../../api/notify';
import { formatMs, latencyOf } from './latency';

const delivery = (patch: Partial<Delivery>): Delivery => ({
  id: 'm',
  attempt: 1,
  receiver: 'ops',
  integration: 'webhook',
  index: 0,
  groupLabels: {},
  reason: 'firing',
  alerts: [
    {
      fingerprint: 'f',
      name: 'A',
      status: 'firing',
      origin: {
        sampled: '2026-05-01T12:00:00.000Z',
        committed: '2026-05-01T12:00:00.010Z',
        evaluated: '2026-05-01T12:00:00.015Z',
        put: '2026-05-01T12:00:00.017Z',
      },
    },
  ],
  alertCount: 1,
  queuedAt: '2026-05-01T12:00:02.017Z',
  attemptedAt: '2026-05-01T12:00:02.020Z',
  latencySeconds: 0.04,
  lateSeconds: 0.043,
  superseded: 0,
  storm: false,
  outcome: 'delivered',
  error: '',
  endpoint: '',
  status: 200,
  answer: '',
  payload: '',
  truncated: false,
  ...patch,
});

test('the stages add up to the whole way of the first message that arrived', () => {
  const later = delivery({ id: 'late', attemptedAt: '2026-05-01T12:09:00Z', receiver: 'late' });
  const failed = delivery({ outcome: 'retry', attemptedAt: '2026-05-01T12:00:01Z' });
  const latency = latencyOf([later, delivery({}), failed], 'f');
  expect(latency).toMatchObject({ receiver: 'ops', totalMs: 2060 });
  expect(latency?.stages.map((s) => [s.name, Math.round(s.ms)])).toEqual([
    ['scrape', 10],
    ['evaluate', 7],
    ['group', 2000],
    ['send', 43],
  ]);
});

test('an alert without a sample begins where it came in', () => {
  const alerts = [
    { fingerprint: 'f', name: 'A', status: 'firing', origin: { ...none, put: '2026-05-01T12:00:00.017Z' } },
  ];
  const latency = latencyOf([delivery({ alerts })], 'f');
  expect(latency?.stages.map((s) => s.name)).toEqual(['group', 'send']);
  expect(Math.round(latency?.totalMs ?? 0)).toBe(2043);
});

const none = { sampled: undefined, committed: undefined, evaluated: undefined };

test('nothing arrived, nothing is known', () => {
  expect(latencyOf([delivery({ outcome: 'retry' })], 'f')).toBeUndefined();
  expect(latencyOf([delivery({})], 'other')).toBeUndefined();
});

test.each([
  [0.2, '<1 ms'],
  [12.6, '13 ms'],
  [2060, '2.06 s'],
])('%d ms is %s', (ms, want) => expect(formatMs(ms)).toBe(want));
