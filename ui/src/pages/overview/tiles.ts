/** How bad something is. Unknown is not well. */
export type Level = 'ok' | 'warn' | 'bad' | 'unknown';

export interface TileSpec {
  id: string;
  title: string;
  /** One number, or nothing where nothing is known. */
  value: string;
  /** The series behind it: their age is the tile's, and without them it is not shown. */
  source: string;
  /** Shown even where its series never were: everybody has them, or should. */
  always?: boolean;
  unit?: string;
  decimals?: number;
  /** Instead of the number, where a word says more. */
  text?: (n: number) => string | undefined;
  /** From which value on it is a warning, and bad. */
  warn?: number;
  bad?: number;
  /** Which series is the worst: one series, or none where nothing is wrong. Its label is shown. */
  worst?: { series: string; label: string };
  /** Says more, below the number. */
  note?: { value: string; text: (n: number, format: (n: number, unit: string) => string) => string };
  link: string;
}

/** In the order of what costs most when it is missed. */
export const tiles: TileSpec[] = [
  {
    id: 'sync',
    title: 'Rows missing',
    value: 'sum(hedgewatch_audit_missing_rows{cause="platform"}) or sum(hedgewatch_sync_missing_rows)',
    source: '{__name__=~"hedgewatch_audit_missing_rows|hedgewatch_sync_missing_rows"}',
    warn: 1,
    bad: 100,
    worst: {
      series: 'sum by (symbol) (hedgewatch_audit_missing_rows{cause="platform",symbol!=""}) > 0',
      label: 'symbol',
    },
    note: {
      value: 'time() - min(hedgewatch_audit_verified_until_timestamp_seconds)',
      text: (n, format) => `proven until ${format(n, 's')} ago`,
    },
    link: '/audit',
  },
  {
    id: 'lag',
    title: 'Data behind by',
    value: 'max(hedgewatch_audit_lag_seconds)',
    source: 'hedgewatch_audit_lag_seconds',
    unit: 's',
    warn: 120,
    bad: 600,
    worst: { series: 'max by (symbol) (hedgewatch_audit_lag_seconds{symbol!=""}) > 10', label: 'symbol' },
    link: '/audit',
  },
  {
    id: 'weight',
    title: 'Rate limit used',
    value:
      'max(hedgewatch_binance_used_weight / on (instance, job, market, window) group_left () hedgewatch_binance_weight_limit)',
    source: 'hedgewatch_binance_used_weight',
    unit: 'percentunit',
    decimals: 0,
    warn: 0.7,
    bad: 0.9,
    worst: {
      series:
        'max by (market) (hedgewatch_binance_used_weight / on (instance, job, market, window) group_left () hedgewatch_binance_weight_limit)',
      label: 'market',
    },
    note: {
      value: 'sum(hedgewatch_binance_foreign_weight)',
      text: (n) => (n > 0 ? `${Math.round(n)} by others on our address` : 'nobody else on our address'),
    },
    link: '/rate-limits',
  },
  {
    id: 'ban',
    title: 'Ban by the exchange',
    value: 'clamp_min(max(hedgewatch_binance_banned_until_timestamp_seconds) - time(), 0)',
    source: 'hedgewatch_binance_banned_until_timestamp_seconds',
    unit: 's',
    text: (n) => (n === 0 ? 'none' : undefined),
    warn: 0.001,
    bad: 0.001,
    note: {
      value: 'sum(increase(hedgewatch_binance_responses_total{code=~"429|418"}[1h]))',
      text: (n) => `${Math.round(n)} refusals in the last hour`,
    },
    link: '/rate-limits',
  },
  {
    id: 'exchange',
    title: 'Exchange',
    value: 'sum(hedgewatch_binance_probe_success == bool 0)',
    source: 'hedgewatch_binance_probe_success',
    text: (n) => (n === 0 ? 'answers' : n === 1 ? '1 fails' : `${n} fail`),
    warn: 1,
    bad: 2,
    worst: { series: 'sum by (market) (hedgewatch_binance_probe_success == bool 0) > 0', label: 'market' },
    note: {
      value:
        'histogram_quantile(0.9, sum by (le) (rate(hedgewatch_binance_rest_latency_seconds_bucket[5m])))',
      text: (n, format) => `within ${format(n, 's')}`,
    },
    link: '/dashboards/hedgewatch-limits',
  },
  {
    id: 'streams',
    title: 'Quietest stream',
    value: 'time() - min(hedgewatch_binance_stream_last_message_timestamp_seconds)',
    source: 'hedgewatch_binance_stream_last_message_timestamp_seconds',
    unit: 's',
    warn: 10,
    bad: 60,
    worst: {
      series: 'time() - min by (stream) (hedgewatch_binance_stream_last_message_timestamp_seconds)',
      label: 'stream',
    },
    link: '/dashboards/hedgewatch-limits',
  },
  {
    id: 'backoff',
    title: 'Services in back-off',
    value: 'sum(hedgewatch_service_backoff)',
    source: 'hedgewatch_service_backoff',
    warn: 1,
    bad: 2,
    worst: { series: 'max by (service) (hedgewatch_service_backoff) > 0', label: 'service' },
    note: {
      value: 'sum(increase(hedgewatch_service_restarts_total[1h]))',
      text: (n) => `${Math.round(n)} restarts in the last hour`,
    },
    link: '/services',
  },
  {
    id: 'errors',
    title: 'Requests that fail',
    value:
      '(sum(rate(http_server_requests_total{code="5xx"}[2m])) or vector(0)) / sum(rate(http_server_requests_total[2m]))',
    source: 'http_server_requests_total',
    unit: 'percentunit',
    warn: 0.01,
    bad: 0.05,
    worst: {
      series:
        'sum by (job) (rate(http_server_requests_total{code="5xx"}[2m])) / sum by (job) (rate(http_server_requests_total[2m])) > 0',
      label: 'job',
    },
    note: {
      value: 'sum(rate(http_server_requests_total[2m]))',
      text: (n, format) => `of ${format(n, 'reqps')}`,
    },
    link: '/dashboards/hedgewatch-services',
  },
  {
    id: 'targets',
    title: 'Targets down',
    value: 'count(up == 0) or 0 * count(up)',
    source: 'up',
    always: true,
    warn: 1,
    bad: 3,
    worst: { series: 'max by (job) (1 - up) > 0', label: 'job' },
    note: { value: 'count(up)', text: (n) => `of ${n}` },
    link: '/targets',
  },
  {
    id: 'cpu',
    title: 'CPU',
    value: 'max(1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[1m])))',
    source: 'node_cpu_seconds_total',
    always: true,
    unit: 'percentunit',
    decimals: 0,
    warn: 0.85,
    bad: 0.95,
    worst: {
      series: '1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[1m]))',
      label: 'instance',
    },
    note: { value: 'max(node_load1)', text: (n) => `load ${n.toFixed(1)}` },
    link: '/dashboards/hedgewatch-host',
  },
  {
    id: 'memory',
    title: 'Memory',
    value: 'max(1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes)',
    source: 'node_memory_MemAvailable_bytes',
    always: true,
    unit: 'percentunit',
    decimals: 0,
    warn: 0.85,
    bad: 0.95,
    worst: {
      series: '1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes',
      label: 'instance',
    },
    note: {
      value: 'min(node_memory_MemAvailable_bytes)',
      text: (n, format) => `${format(n, 'bytes')} available`,
    },
    link: '/dashboards/hedgewatch-host',
  },
  {
    id: 'delivery',
    title: 'Oldest undelivered',
    value: 'max(hedgewatch_outbox_oldest_seconds)',
    source: 'hedgewatch_outbox_oldest_seconds',
    unit: 's',
    text: (n) => (n === 0 ? 'none' : undefined),
    warn: 30,
    bad: 300,
    note: {
      value:
        'histogram_quantile(0.99, sum by (le) (rate(hedgewatch_alert_latency_seconds_bucket{stage="total"}[1h])))',
      text: (n, format) => `breach to message in ${format(n, 's')}`,
    },
    link: '/deliveries?view=deliveries',
  },
  {
    id: 'failed',
    title: 'Messages failed, 1 h',
    value: 'sum(increase(alertmanager_notifications_failed_total[1h]))',
    source: 'alertmanager_notifications_failed_total',
    decimals: 0,
    warn: 1,
    bad: 10,
    link: '/deliveries',
  },
];

/** Beyond this a number says nothing about now. */
export const staleSeconds = 90;

/**
 * All numbers of all tiles in one query, told apart by a label: a page that looks
 * every two seconds must not ask thirty times.
 */
export function nowQuery(specs: TileSpec[]): string {
  return specs
    .flatMap(({ id, value, source, note, worst }) => [
      tagged(value, `${id} value`),
      tagged(`time() - max(timestamp(${source}))`, `${id} age`),
      ...(note ? [tagged(note.value, `${id} note`)] : []),
      ...(worst ? [`label_replace(topk(1, ${worst.series}), "tile", "${id} worst", "", "")`] : []),
    ])
    .join('\nor ');
}

/** What was there in the last hours: a tile whose series vanish is unknown, not gone. */
export function knownQuery(specs: TileSpec[]): string {
  return specs
    .map(({ id, source }) => tagged(`count(last_over_time(${source}[6h]))`, `${id} known`))
    .join('\nor ');
}

export function historyQuery(specs: TileSpec[]): string {
  return specs.map(({ id, value }) => tagged(value, `${id} value`)).join('\nor ');
}

const tagged = (expr: string, tag: string) => `label_replace(sum(${expr}), "tile", "${tag}", "", "")`;

export function judge(
  spec: Pick<TileSpec, 'warn' | 'bad'>,
  value: number | undefined,
  age: number | undefined,
): Level {
  if (value === undefined || Number.isNaN(value) || (age !== undefined && age > staleSeconds))
    return 'unknown';
  if (spec.bad !== undefined && value >= spec.bad) return 'bad';
  if (spec.warn !== undefined && value >= spec.warn) return 'warn';
  return 'ok';
}

const order: Level[] = ['ok', 'unknown', 'warn', 'bad'];
export const worst = (levels: Level[]): Level =>
  levels.reduce((a, b) => (order.indexOf(b) > order.indexOf(a) ? b : a), 'ok');

/**
 * In how many columns tiles are the largest: numbers are read across a room, and a
 * last row that is half empty is worth less than a full one.
 */
export function columnsFor(tiles: number, width: number, height: number): number {
  let best = 1;
  let most = -Infinity;
  for (let columns = 1; columns <= tiles && width / columns >= 150; columns++) {
    const rows = Math.ceil(tiles / columns);
    const size = Math.min((width / columns) * 0.62, height / rows) - (rows * columns - tiles) * 4;
    if (size > most) [best, most] = [columns, size];
  }
  return best;
}
