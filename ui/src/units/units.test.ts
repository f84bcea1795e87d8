import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatText, formatValue } from '.';
import { units } from './table';

test.each([
  [0, 'short', undefined, '0'],
  [1234, 'short', undefined, '1.23 K'],
  [999_999, 'short', undefined, '1 Mil'],
  [0.1234, 'short', undefined, '0.123'],
  [1536, 'bytes', undefined, '1.5 KiB'],
  [1500, 'decbytes', undefined, '1.5 kB'],
  [125, 'Bps', 1, '125.0 B/s'],
  [2, 'mbytes', undefined, '2 MiB'],
  [42.5, 'percent', undefined, '42.5%'],
  [0.425, 'percentunit', undefined, '42.5%'],
  [0.0042, 's', undefined, '4.2 ms'],
  [5400, 's', undefined, '1.5 h'],
  [250, 'ms', undefined, '250 ms'],
  [93_784, 'dtdhms', undefined, '1 d 02:03:04'],
  [2_500_000, 'hertz', undefined, '2.5 MHz'],
  [0.005, 'amp', undefined, '5 mA'],
  [12.5, 'currencyUSD', 2, '$12.50'],
  [7, 'suffix:weight', undefined, '7 weight'],
  [7, 'USDT', undefined, '7 USDT'],
  [123_456.7, 'none', undefined, '123\u202f456.7'],
  [1_700_000_000_000, 'dateTimeAsIso', undefined, '2023-11-14 22:13:20'],
  [1, 'bool_on_off', undefined, 'On'],
  [255, 'hex0x', undefined, '0xFF'],
  [Infinity, 'bytes', undefined, '∞'],
])('%s in %s (%s decimals) is %s', (value, unit, decimals, want) => {
  expect(formatText(value, unit, decimals, 'utc')).toBe(want);
});

test('every unit writes every number', () => {
  fc.assert(
    fc.property(fc.constantFrom(...units.keys()), fc.double({ noNaN: true }), (unit, value) => {
      const { text } = formatValue(value, unit, undefined, 'utc');
      expect(text).not.toMatch(/undefined|^$/);
    }),
  );
});
