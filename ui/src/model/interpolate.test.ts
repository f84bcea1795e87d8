import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  builtIns,
  interpolate,
  stepFor,
  textFormat,
  withExtra,
  type ResolvedVariable,
  type Scope,
} from './interpolate';
import { variablesOf, type VariableValue } from './variables';

function variable(
  name: string,
  value: string | string[],
  raw: Record<string, unknown> = {},
): ResolvedVariable {
  const [read] = variablesOf({ templating: { list: [{ name, type: 'query', ...raw }] } } as never);
  const current: VariableValue = { value, text: value };
  const options = ['a', 'b.c', 'd'].map((v) => ({ text: v, value: v }));
  return { variable: read!, options, current };
}

const scope: Scope = {
  variables: new Map([
    ['one', variable('one', 'a"b\\c')],
    ['many', variable('many', ['a', 'b.c'], { multi: true })],
    ['single', variable('single', ['b.c'], { multi: true })],
    ['all', variable('all', ['$__all'], { multi: true, includeAll: true })],
    ['allOwn', variable('allOwn', ['$__all'], { multi: true, includeAll: true, allValue: '.*' })],
    ['text', variable('text', 'rate(x[5m])', { type: 'textbox' })],
  ]),
  extra: {},
  range: { from: 1_700_000_000_000, to: 1_700_003_600_000 },
};

describe('interpolation', () => {
  test.each([
    ['up{i="$one"}', 'up{i="a\\"b\\\\c"}'],
    ['up{i=~"$many"}', 'up{i=~"(a|b\\\\.c)"}'],
    ['up{i=~"${single}"}', 'up{i=~"b\\\\.c"}'],
    ['up{i=~"[[all]]"}', 'up{i=~"(a|b\\\\.c|d)"}'],
    ['up{i=~"$allOwn"}', 'up{i=~".*"}'],
    ['$text > 0', 'rate(x[5m]) > 0'],
    ['${many:csv}', 'a,b.c'],
    ['${many:pipe}', 'a|b.c'],
    ['${many:json}', '["a","b.c"]'],
    ['${many:queryparam}', 'var-many=a&var-many=b.c'],
    ['${__from}', '1700000000000'],
    ['${__to:date:seconds}', '1700003600'],
    ['$unknown ${unknown:csv}', '$unknown ${unknown:csv}'],
    ['price in $', 'price in $'],
  ])('%s', (text, want) => expect(interpolate(text, scope)).toBe(want));

  test('a title names the choice', () => {
    expect(interpolate('CPU of $many', scope, textFormat)).toBe('CPU of a + b.c');
  });

  test('text without references stays as it is', () => {
    fc.assert(
      fc.property(
        fc.string().filter((s) => !/[$[]/.test(s)),
        (s) => {
          expect(interpolate(s, scope)).toBe(s);
        },
      ),
    );
  });
});

describe('steps', () => {
  const hour = 3_600_000;
  const request = {
    from: 0,
    to: hour,
    maxDataPoints: 1000,
    minInterval: '',
    intervalFactor: 1,
    scrapeIntervalMs: 15_000,
  };

  test.each([
    ['an hour: the scrape interval', {}, 15_000, 60_000],
    ['a day: a round step', { to: 24 * hour }, 120_000, 135_000],
    ['a least interval', { minInterval: '>1m' }, 60_000, 75_000],
    ['a factor', { to: 24 * hour, intervalFactor: 2 }, 240_000, 255_000],
    ['a scrape interval of a second', { scrapeIntervalMs: 1000 }, 5000, 6000],
  ])('%s', (_, change, stepMs, rateIntervalMs) => {
    expect(stepFor({ ...request, ...change })).toEqual({ stepMs, rateIntervalMs });
  });

  test('never asks for more points than Prometheus answers', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1000, max: 1e12 }),
        fc.integer({ min: 1, max: 50_000 }),
        (length, width) => {
          const { stepMs, rateIntervalMs } = stepFor({
            ...request,
            to: length,
            maxDataPoints: width,
            minInterval: '1ms',
            scrapeIntervalMs: 100,
          });
          expect(length / stepMs).toBeLessThanOrEqual(11_000);
          expect(rateIntervalMs).toBeGreaterThanOrEqual(400);
        },
      ),
    );
  });

  test('fills the built-in names', () => {
    const filled = withExtra(
      scope,
      builtIns({ stepMs: 15_000, rateIntervalMs: 60_000 }, { from: 0, to: hour }),
    );
    expect(interpolate('rate(x[$__rate_interval]) $__interval ${__interval_ms} $__range', filled)).toBe(
      'rate(x[1m]) 15s 15000 3600s',
    );
  });

  test('fills what a link takes along', () => {
    const { variables, extra } = scope;
    const chosen: Scope = {
      variables: new Map([...variables].filter(([name]) => name === 'many')),
      extra,
      range: { from: 1000, to: 2000 },
    };
    expect(interpolate('/d/x?${__url_time_range}&${__all_variables}', chosen)).toBe(
      '/d/x?from=1000&to=2000&var-many=a&var-many=b.c',
    );
  });
});
