import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AuditStatus, Finding, Series } from '../../api/audit';
import { cellStates, findingQuery, matrixOf, parseStretch, runsOf, stretchId, verdict } from './matrix';

const hour = 3_600_000;
const noon = Date.parse('2026-11-22T12:00:00Z');
const at = (hours: number) => new Date(noon + hours * hour).toISOString();

const series = (more: Partial<Series> = {}): Series => ({
  source: 'platform',
  dataset: 'klines',
  market: 'usdm',
  account: '',
  symbol: 'BTCUSDT',
  interval: '1m',
  from: at(0),
  until: at(10),
  verifiedUntil: at(10),
  comparedUntil: '',
  newest: '',
  lastSuccess: at(10),
  missing: 0,
  missingAtExchange: 0,
  duplicate: 0,
  mismatched: 0,
  lagSeconds: 0,
  ...more,
});

const finding = (from: number, to: number, more: Partial<Finding> = {}): Finding => ({
  id: `${from}`,
  series: series(),
  symbols: [],
  kind: 'missing',
  cause: 'platform',
  from: at(from),
  to: at(to),
  count: 1,
  fields: [],
  evidence: '',
  openedAt: at(10),
  closedAt: '',
  checkedAt: at(10),
  confirmed: true,
  plan: undefined,
  handover: undefined,
  ...more,
});

const status = (list: Series[], more: Partial<AuditStatus['datasets'][0]> = {}): AuditStatus => ({
  datasets: [
    {
      source: 'platform',
      dataset: 'platform/usdm/klines',
      market: 'usdm',
      error: '',
      historyVerifiedAt: '',
      openFindings: 0,
      droppedFindings: 0,
      series: list,
      asked: [],
      ...more,
    },
  ],
});

const words = (runs: { from: number; to: number; state: string; findings: number }[]) =>
  runs.map((r) => `${(r.from - noon) / hour}-${(r.to - noon) / hour} ${r.state} ${r.findings}`);

describe('a row', () => {
  const draw = (findings: Finding[], from = -1, to = 11, s = series(), complete = true) =>
    words(runsOf(s, findings, noon + from * hour, noon + to * hour, complete));

  test('is unknown where nothing was verified', () => {
    expect(draw([])).toEqual(['-1-0 unknown 0', '0-10 complete 0', '10-11 unknown 0']);
    expect(draw([], 0, 1, series({ from: '', until: '' }))).toEqual(['0-1 unknown 0']);
    expect(draw([], 0, 1, series({ from: 'soon', until: 'later' }))).toEqual(['0-1 unknown 0']);
  });

  test('has its holes, by whose fault', () => {
    expect(draw([finding(2, 3), finding(5, 6, { cause: 'exchange' })], 0, 10)).toEqual([
      '0-2 complete 0',
      '2-3 platform 1',
      '3-5 complete 0',
      '5-6 exchange 1',
      '6-10 complete 0',
    ]);
  });

  test('the worst wins, and neighbours are one', () => {
    expect(draw([finding(2, 6, { cause: 'exchange' }), finding(3, 4), finding(4, 5)], 0, 10)).toEqual([
      '0-2 complete 0',
      '2-3 exchange 1',
      '3-5 platform 3',
      '5-6 exchange 1',
      '6-10 complete 0',
    ]);
  });

  test.each(['unknown', 'solar flare', ''])('a cause %j is unknown, never fine', (cause) =>
    expect(draw([finding(2, 3, { cause })], 0, 10)).toContain('2-3 unknown 1'),
  );

  test('a check that could not run makes it unknown', () =>
    expect(draw([finding(2, 3, { kind: 'unchecked' })], 0, 10)).toContain('2-3 unknown 1'));

  test('a single moment is seen', () => {
    const runs = runsOf(series(), [finding(2, 2)], noon, noon + 10 * hour, true);
    expect(runs.filter((r) => r.state === 'platform')).toEqual([
      { from: noon + 2 * hour, to: noon + 2 * hour + 1, state: 'platform', findings: 1 },
    ]);
  });

  test('is unknown as a whole when findings were dropped', () =>
    expect(draw([finding(2, 3)], 0, 10, series(), false)).toEqual([
      '0-2 unknown 0',
      '2-3 platform 1',
      '3-10 unknown 0',
    ]));

  test('always covers its time once, and is nowhere better than a naive look says', () => {
    const cause = fc.constantFrom('platform', 'exchange', 'archive', 'unknown');
    const span = fc.tuple(fc.integer({ min: -5, max: 30 }), fc.integer({ min: 1, max: 8 }), cause);
    fc.assert(
      fc.property(fc.array(span, { maxLength: 12 }), (spans) => {
        const findings = spans.map(([f, length, c]) => finding(f, f + length, { cause: c }));
        const runs = runsOf(series(), findings, noon - hour, noon + 24 * hour, true);
        expect(runs[0]?.from).toBe(noon - hour);
        expect(runs[runs.length - 1]?.to).toBe(noon + 24 * hour);
        runs.slice(1).forEach((r, i) => expect(r.from).toBe(runs[i]?.to));
        for (let h = -1; h < 24; h++) {
          const middle = noon + (h + 0.5) * hour;
          const here = runs.find((r) => r.from <= middle && r.to > middle);
          let want = h >= 0 && h < 10 ? 0 : cellStates.indexOf('unknown');
          for (const [f, length, c] of spans)
            if (f <= h && f + length > h) want = Math.max(want, cellStates.indexOf(c as 'unknown'));
          expect(here?.state).toBe(cellStates[want]);
        }
      }),
    );
  });
});

test('a finding that symbols share is in the row of each, once', () => {
  const eth = series({ symbol: 'ETHUSDT' });
  const sol = series({ symbol: 'SOLUSDT' });
  const halt = finding(2, 3, {
    series: series({ symbol: '' }),
    symbols: ['BTCUSDT', 'ETHUSDT'],
    cause: 'exchange',
  });
  const rows = matrixOf(
    status([sol, series(), eth]),
    [halt, finding(7, 8, { series: eth })],
    noon,
    noon + 10 * hour,
  );
  expect(rows.map((r) => [r.series.symbol, r.runs.length])).toEqual([
    ['ETHUSDT', 5],
    ['BTCUSDT', 3],
    ['SOLUSDT', 1],
  ]);
});

describe('the address of the page', () => {
  const key = series({ account: '0-1' });
  test('names a stretch', () => {
    expect(parseStretch(stretchId(key, 5, 9))).toMatchObject({
      series: { source: 'platform', account: '0-1', interval: '1m' },
      from: 5,
      to: 9,
    });
    for (const bad of ['', '~', 'a|b~1~2', stretchId(key, 9, 5), 'a|b|c|d|e|f~x~y'])
      expect(parseStretch(bad)).toBeUndefined();
  });
  test.each([
    ['', { state: 'open' }],
    ['state=all', {}],
    ['state=closed&cause=exchange&search=eth', { state: 'closed', cause: 'exchange', search: 'eth' }],
    ['account=a&symbol=B&dataset=incomes', { state: 'open', account: 'a', symbol: 'B', dataset: 'incomes' }],
    [
      `dataset=trades&at=${stretchId(key, 5, 9)}`,
      { state: 'open', symbol: 'BTCUSDT', dataset: 'klines', market: 'usdm', from: 5, to: 9 },
    ],
  ])('%j is what is asked for', (address, want) =>
    expect(findingQuery(new URLSearchParams(address))).toMatchObject(want),
  );
});

test('a series is proven only if its table is read and nothing was dropped', () => {
  const list = [series(), series({ missing: 3, mismatched: 1 }), series({ lastSuccess: '' })];
  expect(verdict(status(list))).toEqual({ series: 3, proven: 1, missing: 3, wrong: 1, unknown: 1, blind: 0 });
  expect(verdict(status(list, { error: 'down' }))).toMatchObject({ proven: 0, unknown: 3, blind: 1 });
  expect(verdict(status(list, { droppedFindings: 1 })).proven).toBe(0);
});
