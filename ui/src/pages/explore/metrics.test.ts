import { expect, test } from 'vitest';
import { matching, queryFor } from './metrics';

test('names win over help, and all words have to be there', () => {
  const metadata = { b_seconds: [{ type: 'gauge', help: 'Lag of klines.', unit: '' }] };
  expect(matching(['a', 'b_seconds', 'kline_lag'], metadata, 'lag kline')).toEqual([
    'kline_lag',
    'b_seconds',
  ]);
});

test.each([
  ['up', 'gauge', '', 'up'],
  ['x_total', 'counter', 'a="b"', 'rate(x_total{a="b"}[5m])'],
  ['x_count', '', '', 'rate(x_count[5m])'],
  ['x_bucket', 'histogram', '', 'histogram_quantile(0.99, sum by (le) (rate(x_bucket[5m])))'],
  ['http.dur', 'gauge', 'a="b"', '{"http.dur", a="b"}'],
])('%s of type %s', (metric, type, selector, want) => expect(queryFor(metric, type, selector)).toBe(want));
