import { expect, test } from 'vitest';
import type { Alert } from '../../api/alertmanager';
import type { Transition } from '../../api/notify';
import type { RuleGroup } from '../../api/prometheus';
import { combine, exprOf, groupBy, inOrder, search, type Sources } from './alerts';

const alert = (labels: Record<string, string>, state: Alert['status']['state'] = 'active'): Alert => ({
  fingerprint: labels.fp ?? 'f1',
  labels,
  annotations: { summary: 'Lag is high' },
  startsAt: '2026-05-01T12:00:00Z',
  endsAt: '2026-05-01T12:05:00Z',
  updatedAt: '',
  generatorURL: 'http://h/graph?g0.expr=up+%3D%3D+0&g0.tab=1',
  receivers: [{ name: 'ops' }],
  status: { state, silencedBy: state === 'suppressed' ? ['s1'] : [], inhibitedBy: [], mutedBy: [] },
});

const transition = (to: string, time: string, fingerprint: string, alertname = 'Over'): Transition => ({
  id: 1,
  time,
  fingerprint,
  labels: { alertname },
  annotations: {},
  from: '',
  to,
  value: undefined,
  receiver: '',
  messageId: '',
  who: '',
  note: '',
});

const groups: RuleGroup[] = [
  {
    name: 'g',
    file: 'f.yml',
    interval: 15,
    limit: 0,
    evaluationTime: 0,
    lastEvaluation: '',
    rules: [
      {
        type: 'alerting',
        name: 'Lag',
        query: 'lag > 60',
        labels: {},
        annotations: {},
        health: 'ok',
        state: 'firing',
        lastError: '',
        duration: 30,
        keepFiringFor: 0,
        evaluationTime: 0,
        lastEvaluation: '',
        alerts: [
          {
            state: 'firing',
            labels: { alertname: 'Lag', s: 'BTC' },
            annotations: {},
            activeAt: '',
            value: '9e+01',
          },
          {
            state: 'pending',
            labels: { alertname: 'Lag', s: 'ETH' },
            annotations: {},
            activeAt: '2026-05-01T12:00:00Z',
            value: '7e+01',
          },
        ],
      },
    ],
  },
];

const empty: Sources = { alerts: [], groups: [], acks: [], history: [] };

test('an alert finds its rule although external labels were added', () => {
  const [item] = combine({ ...empty, alerts: [alert({ alertname: 'Lag', s: 'BTC', site: 'x' })], groups });
  expect(item).toMatchObject({ state: 'firing', value: '9e+01', expr: 'lag > 60', rule: { group: 'g' } });
});

test('pending alerts are those of rules; an alert without a rule has the expression of its link', () => {
  const items = combine({ ...empty, alerts: [alert({ alertname: 'Event' })], groups });
  expect(items.map((i) => [i.name, i.state, i.expr])).toEqual([
    ['Event', 'firing', 'up == 0'],
    ['Lag', 'pending', 'lag > 60'],
  ]);
});

test('the canary is left out, and what is silenced is muted', () => {
  const alerts = [
    alert({ alertname: 'HedgewatchCanary' }),
    alert({ alertname: 'A', fp: 'f2' }, 'suppressed'),
  ];
  expect(combine({ ...empty, alerts }).map((i) => [i.name, i.state])).toEqual([['A', 'muted']]);
});

test('what has ended is listed once, unless it fires again', () => {
  const history = [
    transition('resolved', '2026-05-01T12:09:00Z', 'x'),
    transition('firing', '2026-05-01T12:08:00Z', 'x'),
    transition('resolved', '2026-05-01T12:05:00Z', 'x'),
    transition('firing', '2026-05-01T12:01:00Z', 'x'),
    transition('resolved', '2026-05-01T12:00:00Z', 'f1'),
    transition('resolved', '2026-05-01T12:00:00Z', 'c', 'HedgewatchCanary'),
  ];
  const items = combine({ ...empty, alerts: [alert({ alertname: 'Lag' })], history });
  expect(items.filter((i) => i.state === 'resolved')).toMatchObject([
    { key: 'x', since: Date.parse('2026-05-01T12:08:00Z'), endedAt: Date.parse('2026-05-01T12:09:00Z') },
  ]);
});

test('all words have to be found, in labels or text', () => {
  const items = combine({ ...empty, alerts: [alert({ alertname: 'Lag', job: 'feed' })] });
  expect(search(items, 'job="feed" HIGH')).toHaveLength(1);
  expect(search(items, 'job=feed low')).toHaveLength(0);
});

test('the worst come first, and those taken on after the others', () => {
  const alerts = [
    alert({ alertname: 'I', severity: 'info', fp: 'a' }),
    alert({ alertname: 'C1', severity: 'critical', fp: 'b' }),
    alert({ alertname: 'C2', severity: 'critical', fp: 'c' }),
  ];
  const acks = [{ fingerprint: 'b', labels: {}, by: 'ann', at: '', comment: '', until: undefined }];
  const items = inOrder(combine({ ...empty, alerts, acks }));
  expect(items.map((i) => i.name)).toEqual(['C2', 'C1', 'I']);
  expect(groupBy(items, 'severity').map((g) => [g.title, g.items.length])).toEqual([
    ['critical', 2],
    ['info', 1],
  ]);
});

test('a link that is none has no expression', () => expect(exprOf('')).toBeUndefined());
