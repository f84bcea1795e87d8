import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Exchange {
  url: string;
  /** What the exchange says that the address has used. */
  used: number;
  /** Seconds of the ban that USDⓈ-M answers with; 0 for none. */
  banSeconds: number;
  /** Bars that the exchange has none of either: open times in [from, to). */
  halt: { from: number; to: number };
  stop: () => Promise<void>;
}

/** One bar of every symbol and minute: the same here and in the table that is audited. */
export const bar = { open: '100', high: '101', low: '99', close: '100.5', volume: '10' };

/** As much of Binance's REST as the governor and the audit ask for. */
export async function startExchange(): Promise<Exchange> {
  const exchange: Exchange = {
    url: '',
    used: 321,
    banSeconds: 0,
    halt: { from: 0, to: 0 },
    stop: async () => {
      const closed = new Promise((done) => server.close(done));
      server.closeAllConnections();
      await closed;
    },
  };
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://exchange');
    response.setHeader('Content-Type', 'application/json');
    if (exchange.banSeconds > 0 && url.pathname.startsWith('/fapi')) {
      response.statusCode = 418;
      response.setHeader('Retry-After', exchange.banSeconds);
      response.end('{"code":-1003,"msg":"Way too many requests; IP banned."}');
      return;
    }
    response.setHeader('X-MBX-USED-WEIGHT-1M', exchange.used);
    if (url.pathname.endsWith('/order')) response.setHeader('X-MBX-ORDER-COUNT-10S', 7);
    response.end(
      url.pathname.endsWith('/klines')
        ? klines(url.searchParams, exchange.halt)
        : `{"serverTime":${Date.now()}}`,
    );
  });
  // A WebSocket API that takes whatever is said, and answers nothing.
  server.on('upgrade', (_, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
    socket.on('data', () => undefined).on('error', () => undefined);
    socket.on('end', () => socket.end());
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  exchange.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return exchange;
}

const minute = 60_000;

function klines(query: URLSearchParams, halt: { from: number; to: number }): string {
  const limit = Number(query.get('limit') ?? 500);
  const now = Date.now();
  const end = Math.min(Number(query.get('endTime') ?? now), now);
  let at = Math.ceil(Number(query.get('startTime') ?? end - limit * minute) / minute) * minute;
  const rows: unknown[] = [];
  for (; at <= end && rows.length < limit; at += minute) {
    if (at >= halt.from && at < halt.to) continue;
    rows.push([
      at,
      bar.open,
      bar.high,
      bar.low,
      bar.close,
      bar.volume,
      at + minute - 1,
      '1000',
      5,
      '4',
      '400',
      '0',
    ]);
  }
  return JSON.stringify(rows);
}
