import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A service to be watched, and the place where messages arrive. */
export interface Platform {
  /** What the service reports as lag_seconds, by symbol. */
  lag: Record<string, number>;
  messages: string[];
  /** hedgewatch.yml that watches it. */
  config: string;
  stop: () => Promise<void>;
}

export async function startPlatform(): Promise<Platform> {
  const platform: Platform = {
    lag: { BTCUSDT: 90, ETHUSDT: 10 },
    messages: [],
    config: '',
    stop: () => new Promise((done) => server.close(() => done())),
  };
  const server: HttpServer = createServer((request, response) => {
    if (request.url === '/metrics') {
      response.setHeader('Content-Type', 'text/plain; version=0.0.4');
      const lines = Object.entries(platform.lag).map(([s, v]) => `lag_seconds{symbol="${s}"} ${v}\n`);
      response.end(
        `# HELP lag_seconds Age of the newest kline.\n# TYPE lag_seconds gauge\n${lines.join('')}`,
      );
      return;
    }
    let body = '';
    request.on('data', (chunk) => (body += chunk));
    request.on('end', () => {
      platform.messages.push(body);
      response.statusCode = request.url === '/broken' ? 500 : 200;
      response.end();
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  platform.config = `
global: {scrape_interval: 1s, evaluation_interval: 1s}
scrape_configs:
  - job_name: feed
    static_configs: [{targets: ['${address}']}]
alertmanager:
  route:
    receiver: ops
    group_by: [alertname]
    group_wait: 1s
    group_interval: 2s
    routes:
      - matchers: [severity="critical"]
        receiver: traders
        group_by: [alertname, symbol]
  receivers:
    - name: ops
      webhook_configs: [{url: 'http://${address}/broken'}]
    - name: traders
      webhook_configs: [{url: 'http://${address}/traders'}]
`;
  return platform;
}
