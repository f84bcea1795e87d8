/** How a unit writes numbers. The identifiers are those of dashboards. */
export type Unit = { unit?: string } & (
  | { kind: 'plain'; factor: number; prefix: string; suffix: string }
  | { kind: 'scaled'; factor: number; base: number; prefix?: string; names: string[]; small: string[] }
  | { kind: 'duration'; seconds: number }
  | { kind: 'clock'; seconds: number }
  | { kind: 'instant'; ms: number; style: 'full' | 'time' | 'ago' }
  | { kind: 'boolean'; yes: string; no: string }
  | { kind: 'radix'; radix: number; prefix: string }
  | { kind: 'text' }
  | { kind: 'scientific' }
);

const plain = (suffix: string, factor = 1, prefix = ''): Unit => ({ kind: 'plain', factor, prefix, suffix });
const seconds = (size: number): Unit => ({ kind: 'duration', seconds: size });

const decimal = ['', 'k', 'M', 'G', 'T', 'P', 'E'];
const binary = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const below = ['m', 'µ', 'n', 'p'];

const si = (name: string, factor = 1): Unit => ({
  kind: 'scaled',
  factor,
  base: 1000,
  names: decimal.map((p) => ` ${p}${name}`),
  small: below.map((p) => ` ${p}${name}`),
});

const sized = (names: string[], name: string, base: number, power = 0): Unit => ({
  kind: 'scaled',
  factor: base ** power,
  base,
  names: names.map((p) => ` ${p}${name}`),
  small: [],
});

const counted = (name: string): Unit => ({
  kind: 'scaled',
  factor: 1,
  base: 1000,
  names: ['', ' K', ' Mil', ' Bil', ' Tri'].map((p) => p + name),
  small: [],
});

const money = (sign: string): Unit => ({
  kind: 'scaled',
  factor: 1,
  base: 1000,
  prefix: sign,
  names: ['', 'K', 'M', 'B', 'T'],
  small: [],
});

const groups: [label: string, units: [id: string, label: string, unit: Unit][]][] = [
  [
    'Misc',
    [
      ['short', 'Short', counted('')],
      ['none', 'Number', plain('')],
      ['percent', 'Percent (0-100)', plain('%')],
      ['percentunit', 'Percent (0.0-1.0)', plain('%', 100)],
      ['string', 'Text', { kind: 'text' }],
      ['humidity', 'Humidity', plain(' %H')],
      ['dB', 'Decibel', plain(' dB')],
      ['hex0x', 'Hexadecimal (0x)', { kind: 'radix', radix: 16, prefix: '0x' }],
      ['hex', 'Hexadecimal', { kind: 'radix', radix: 16, prefix: '' }],
      ['sci', 'Scientific', { kind: 'scientific' }],
      ['locale', 'Grouped digits', plain('')],
      ['pixel', 'Pixels', plain(' px')],
      ['bool', 'True / False', { kind: 'boolean', yes: 'True', no: 'False' }],
      ['bool_yes_no', 'Yes / No', { kind: 'boolean', yes: 'Yes', no: 'No' }],
      ['bool_on_off', 'On / Off', { kind: 'boolean', yes: 'On', no: 'Off' }],
    ],
  ],
  [
    'Data',
    [
      ['bytes', 'Bytes (IEC)', sized(binary, 'B', 1024)],
      ['decbytes', 'Bytes (SI)', sized(decimal, 'B', 1000)],
      ['bits', 'Bits (IEC)', sized(binary, 'b', 1024)],
      ['decbits', 'Bits (SI)', sized(decimal, 'b', 1000)],
      ['kbytes', 'Kibibytes', sized(binary, 'B', 1024, 1)],
      ['deckbytes', 'Kilobytes', sized(decimal, 'B', 1000, 1)],
      ['mbytes', 'Mebibytes', sized(binary, 'B', 1024, 2)],
      ['decmbytes', 'Megabytes', sized(decimal, 'B', 1000, 2)],
      ['gbytes', 'Gibibytes', sized(binary, 'B', 1024, 3)],
      ['decgbytes', 'Gigabytes', sized(decimal, 'B', 1000, 3)],
    ],
  ],
  [
    'Data rate',
    [
      ['Bps', 'Bytes/s (SI)', sized(decimal, 'B/s', 1000)],
      ['binBps', 'Bytes/s (IEC)', sized(binary, 'B/s', 1024)],
      ['bps', 'Bits/s (SI)', sized(decimal, 'b/s', 1000)],
      ['binbps', 'Bits/s (IEC)', sized(binary, 'b/s', 1024)],
      ['pps', 'Packets/s', si('p/s')],
      ['KBs', 'Kilobytes/s', sized(decimal, 'B/s', 1000, 1)],
      ['KiBs', 'Kibibytes/s', sized(binary, 'B/s', 1024, 1)],
      ['MBs', 'Megabytes/s', sized(decimal, 'B/s', 1000, 2)],
      ['MiBs', 'Mebibytes/s', sized(binary, 'B/s', 1024, 2)],
      ['GBs', 'Gigabytes/s', sized(decimal, 'B/s', 1000, 3)],
      ['Kbits', 'Kilobits/s', sized(decimal, 'b/s', 1000, 1)],
      ['Mbits', 'Megabits/s', sized(decimal, 'b/s', 1000, 2)],
      ['Gbits', 'Gigabits/s', sized(decimal, 'b/s', 1000, 3)],
    ],
  ],
  [
    'Time',
    [
      ['s', 'Seconds', seconds(1)],
      ['ms', 'Milliseconds', seconds(1e-3)],
      ['µs', 'Microseconds', seconds(1e-6)],
      ['ns', 'Nanoseconds', seconds(1e-9)],
      ['m', 'Minutes', seconds(60)],
      ['h', 'Hours', seconds(3600)],
      ['d', 'Days', seconds(86_400)],
      ['hertz', 'Hertz', si('Hz')],
      ['dtdurations', 'Duration of seconds', seconds(1)],
      ['dtdurationms', 'Duration of milliseconds', seconds(1e-3)],
      ['dthms', 'hh:mm:ss', { kind: 'clock', seconds: 1 }],
      ['dtdhms', 'd hh:mm:ss', { kind: 'clock', seconds: 1 }],
      ['clocks', 'Clock of seconds', { kind: 'clock', seconds: 1 }],
      ['clockms', 'Clock of milliseconds', { kind: 'clock', seconds: 1e-3 }],
      ['timeticks', 'Ticks (s/100)', seconds(0.01)],
    ],
  ],
  [
    'Date and time',
    [
      ['dateTimeAsIso', 'Date and time', { kind: 'instant', ms: 1, style: 'full' }],
      ['dateTimeAsIsoNoDateIfToday', 'Time, of Unix ms', { kind: 'instant', ms: 1, style: 'full' }],
      ['dateTimeAsSystem', 'Date and time, of Unix ms', { kind: 'instant', ms: 1, style: 'full' }],
      ['dateTimeAsUS', 'Date and time (US in Grafana)', { kind: 'instant', ms: 1, style: 'full' }],
      ['dateTimeFromNow', 'From now', { kind: 'instant', ms: 1, style: 'ago' }],
    ],
  ],
  [
    'Throughput',
    [
      ['cps', 'Counts/s', counted(' c/s')],
      ['ops', 'Operations/s', counted(' ops/s')],
      ['reqps', 'Requests/s', counted(' req/s')],
      ['rps', 'Reads/s', counted(' rd/s')],
      ['wps', 'Writes/s', counted(' wr/s')],
      ['iops', 'I/O operations/s', counted(' io/s')],
      ['eps', 'Events/s', counted(' ev/s')],
      ['mps', 'Messages/s', counted(' msg/s')],
      ['recps', 'Records/s', counted(' rec/s')],
      ['rowsps', 'Rows/s', counted(' rows/s')],
      ['opm', 'Operations/min', counted(' ops/min')],
      ['reqpm', 'Requests/min', counted(' req/min')],
      ['cpm', 'Counts/min', counted(' c/min')],
      ['rpm', 'Reads/min', counted(' rd/min')],
      ['wpm', 'Writes/min', counted(' wr/min')],
    ],
  ],
  [
    'Currency',
    [
      ['currencyUSD', 'US dollar', money('$')],
      ['currencyEUR', 'Euro', money('€')],
      ['currencyGBP', 'Pound', money('£')],
      ['currencyJPY', 'Yen', money('¥')],
      ['currencyBTC', 'Bitcoin', money('₿')],
      ['currencymBTC', 'Milli-bitcoin', plain(' mBTC')],
      ['currencyCHF', 'Swiss franc', money('CHF ')],
      ['currencyINR', 'Rupee', money('₹')],
    ],
  ],
  [
    'Physics',
    [
      ['watt', 'Watt', si('W')],
      ['kwatt', 'Kilowatt', si('W', 1000)],
      ['watth', 'Watt-hour', si('Wh')],
      ['joule', 'Joule', si('J')],
      ['amp', 'Ampere', si('A')],
      ['volt', 'Volt', si('V')],
      ['mvolt', 'Millivolt', si('V', 1e-3)],
      ['ohm', 'Ohm', si('Ω')],
      ['celsius', 'Celsius', plain(' °C')],
      ['fahrenheit', 'Fahrenheit', plain(' °F')],
      ['kelvin', 'Kelvin', plain(' K')],
      ['rotrpm', 'Revolutions/min', plain(' rpm')],
      ['rothz', 'Rotation', si('Hz')],
      ['lengthm', 'Metre', si('m')],
      ['lengthmm', 'Millimetre', plain(' mm')],
      ['lengthkm', 'Kilometre', plain(' km')],
      ['velocityms', 'Metres/s', plain(' m/s')],
      ['velocitykmh', 'km/h', plain(' km/h')],
      ['pressurepa', 'Pascal', si('Pa')],
      ['pressurebar', 'Bar', si('bar')],
      ['massg', 'Gram', si('g')],
      ['masskg', 'Kilogram', plain(' kg')],
      ['degree', 'Degree', plain('°')],
      ['flops', 'FLOP/s', si('FLOP/s')],
    ],
  ],
];

const aliases: [string, string][] = [
  ['us', 'µs'],
  ['Bytes/sec', 'Bps'],
  ['byte', 'bytes'],
  ['bytes/sec', 'Bps'],
  ['celcius', 'celsius'],
  ['hz', 'hertz'],
  ['decmBytes', 'decmbytes'],
];

export const units: ReadonlyMap<string, Unit> = new Map<string, Unit>([
  ...groups.flatMap(([, list]) => list.map(([id, , unit]): [string, Unit] => [id, unit])),
  ...aliases.map(([alias, unit]): [string, Unit] => [alias, { kind: 'text', unit }]),
]);

/** For the list in the editor. */
export const unitChoices = groups.map(([group, list]) => ({
  group,
  items: list.map(([value, label]) => ({ value, label })),
}));
