import { describe, expect, test } from 'vitest';
import { PrometheusApi, type ExemplarSeries } from '../api/prometheus';
import { ApiError } from '../api/http';
import { readPanel } from './dashboard';
import { exemplarLinks, exemplarsOf, type Exemplar } from './exemplars';
import { emptyScope } from './interpolate';
import type { JsonObject } from './json';
import { queryPanel } from './query';

const series = (...points: [number, string][]): ExemplarSeries => ({
  seriesLabels: { __name__: 'latency_bucket', le: '1' },
  exemplars: points.map(([timestamp, value]) => ({
    labels: { trace_id: `t${timestamp}` },
    value,
    timestamp,
  })),
});

describe('exemplars of an answer', () => {
  test('are in the order of time, in milliseconds', () => {
    const found = exemplarsOf([series([20.5, '0.2']), series([3, '0.1'])], 'A', 15_000);
    expect(found.map((e) => [e.time, e.value, e.refId])).toEqual([
      [3000, 0.1, 'A'],
      [20_500, 0.2, 'A'],
    ]);
  });
  test('are the three highest of each step', () => {
    const many = series([1, '0.1'], [2, '0.5'], [3, '0.4'], [4, '0.2'], [16, '0.01']);
    expect(exemplarsOf([many], 'A', 15_000).map((e) => e.value)).toEqual([0.5, 0.4, 0.2, 0.01]);
  });
  test('without a number are left out', () => {
    expect(exemplarsOf([series([1, 'NaN'], [2, '+Inf'], [3, 'x'], [Infinity, '1'])], 'A', 0)).toEqual([]);
  });
});

describe('a link', () => {
  const exemplar: Exemplar = {
    refId: 'A',
    time: 0,
    value: 0.5,
    labels: { trace_id: 'a b/$x&c' },
    series: { job: 'api' },
  };
  const urlOf = (url: string) =>
    exemplarLinks([{ title: 'Trace', url, newTab: true }], exemplar, emptyScope).map((l) => l.url);
  test('has the labels in it, as parts of an address', () => {
    expect(urlOf('https://t/${__data.fields.trace_id}?j=${__data.fields["job"]}&v=${__value.raw}')).toEqual([
      'https://t/a%20b%2F%24x%26c?j=api&v=0.5',
    ]);
  });
  test.each(['https://t/all', 'https://t/${__data.fields.span_id}', 'https://t/${__data.fields.job}'])(
    '%s is none of the exemplar',
    (url) => expect(urlOf(url)).toEqual([]),
  );
});

describe('a panel', () => {
  const asked: string[] = [];
  const apiThat = (exemplars: () => unknown) =>
    new PrometheusApi({
      request: (path: string) => {
        asked.push(path);
        return Promise.resolve(
          path.endsWith('exemplars') ? exemplars() : { data: { resultType: 'matrix', result: [] } },
        );
      },
    } as never);
  const ask = (target: JsonObject, api: PrometheusApi, type = 'timeseries') => {
    asked.length = 0;
    const panel = readPanel({ type, targets: [{ refId: 'A', expr: 'latency_bucket', ...target }] });
    const context = {
      scope: emptyScope,
      range: { from: 0, to: 60_000 },
      width: 100,
      scrapeIntervalMs: 15_000,
    };
    return queryPanel(api, panel, context, new AbortController().signal);
  };
  const one = apiThat(() => ({ data: [series([30, '0.3'])] }));

  test('has the exemplars that it asks for', async () => {
    expect((await ask({ exemplar: true }, one)).exemplars).toMatchObject([{ time: 30_000, value: 0.3 }]);
  });
  test.each([
    ['that does not want them', {}, 'timeseries'],
    ['that is a table', { exemplar: true, format: 'table' }, 'timeseries'],
    ['that shows one value', { exemplar: true }, 'stat'],
  ])('%s asks for none', async (_, target, type) => {
    expect((await ask(target, one, type)).exemplars).toEqual([]);
    expect(asked).toEqual(['api/v1/query_range']);
  });
  test.each([
    ['refused', () => Promise.reject(new ApiError(503, 'too busy')), 'too busy'],
    ['damaged', () => ({ data: [{ seriesLabels: {}, exemplars: [{ value: 1 }] }] }), 'unexpected answer'],
  ])('says so when they are %s, and is drawn', async (_, answer, words) => {
    const { exemplars, errors, warnings } = await ask({ exemplar: true }, apiThat(answer));
    expect([exemplars, errors]).toEqual([[], []]);
    expect(warnings[0]).toContain(words);
  });
});
