import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { seriousFindings } from './axe';
import { openPage, picture, startBrowser, startServer, until, type Server } from './harness';

let service: HttpServer;
let server: Server;
let browser: Browser;

const bounds = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2];
const expr = 'histogram_quantile(0.9, sum by (le) (rate(request_seconds_bucket[5s])))';

/** A service whose latency wanders; each scrape brings its newest requests with their traces. */
function startService(): Promise<HttpServer> {
  const counts = new Array<number>(bounds.length + 1).fill(0);
  const exemplars = new Array<string>(bounds.length + 1).fill('');
  let requests = 0;
  const answer = createServer((_, response) => {
    for (let i = 0; i < 40; i++) {
      const seconds = 0.05 * (1.3 + Math.sin(requests / 300)) * (1 + ((requests * 7919) % 31) / 10);
      const at = bounds.findIndex((b) => seconds <= b);
      const bucket = at < 0 ? bounds.length : at;
      counts[bucket] = (counts[bucket] ?? 0) + 1;
      const now = (Date.now() / 1000).toFixed(3);
      exemplars[bucket] = ` # {trace_id="trace${requests++}"} ${seconds.toFixed(4)} ${now}`;
    }
    let sum = 0;
    const lines = counts.map((count, i) => {
      sum += count;
      return `request_seconds_bucket{le="${bounds[i] ?? '+Inf'}"} ${sum}${exemplars[i] ?? ''}`;
    });
    response.setHeader('Content-Type', 'application/openmetrics-text; version=1.0.0; charset=utf-8');
    response.end(
      `# TYPE request_seconds histogram\n${lines.join('\n')}\nrequest_seconds_count ${sum}\nrequest_seconds_sum ${sum * 0.1}\n# EOF\n`,
    );
  });
  return new Promise((done) => answer.listen(0, '127.0.0.1', () => done(answer)));
}

const panels = [
  {
    id: 1,
    type: 'timeseries',
    title: 'Latency',
    gridPos: { x: 0, y: 0, w: 24, h: 10 },
    targets: [{ refId: 'A', expr, exemplar: true }],
    interval: '1s',
    fieldConfig: {
      defaults: {
        unit: 's',
        links: [
          {
            title: 'Open the trace',
            url: 'https://traces.example/${__data.fields.trace_id}',
            targetBlank: true,
          },
          { title: 'Of the series', url: 'https://x.example/${__field.labels.job}' },
        ],
      },
      overrides: [],
    },
  },
  {
    id: 2,
    type: 'heatmap',
    title: 'Requests by latency',
    gridPos: { x: 0, y: 10, w: 24, h: 10 },
    targets: [
      {
        refId: 'A',
        expr: 'sum by (le) (rate(request_seconds_bucket[5s]))',
        format: 'heatmap',
        legendFormat: '{{le}}',
      },
    ],
    interval: '1s',
    options: { yAxis: { unit: 's' } },
  },
];

beforeAll(async () => {
  service = await startService();
  const config = `
global: {scrape_interval: 1s}
scrape_configs:
  - job_name: api
    static_configs: [{targets: ['127.0.0.1:${(service.address() as AddressInfo).port}']}]
`;
  [server, browser] = await Promise.all([startServer({ config }), startBrowser()]);
  const response = await fetch(`${server.url}/api/hw/v1/dashboards/exemplars`, {
    method: 'PUT',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      dashboard: { uid: 'exemplars', title: 'Exemplars', panels },
      folder: '',
      version: 0,
    }),
  });
  expect(response.status).toBe(200);
  await until(async () => {
    const query = new URLSearchParams({ query: 'sum(count_over_time(request_seconds_count[1h]))' });
    const body = (await (await fetch(`${server.url}/api/v1/query?${query}`)).json()) as {
      data: { result: { value: [number, string] }[] };
    };
    return Number(body.data.result[0]?.value[1] ?? 0) >= 25;
  }, 120_000);
});

afterAll(async () => {
  await browser?.close();
  await server?.stop();
  service?.close();
});

/** Moves over the plot until the tooltip names an exemplar, and leaves the mouse there. */
async function findExemplar(page: Page, plot: string): Promise<void> {
  const box = (await page.locator(plot).first().boundingBox())!;
  const named = page.getByText('Click to keep it open');
  for (let x = box.width - 4; x > 0; x -= 6) {
    for (let y = 4; y < box.height; y += 9) {
      await page.mouse.move(box.x + x, box.y + y);
      await page.waitForTimeout(60);
      if (await named.isVisible()) return;
    }
  }
  throw new Error('no exemplar under the mouse');
}

test('a graph has exemplars, which lead to their traces', async () => {
  const { page, problems } = await openPage(browser, server);
  await page.goto('/dashboards/exemplars?from=now-30s&to=now&refresh=');
  await page.locator('[data-panel="1"][data-state="ready"] canvas').waitFor({ timeout: 60_000 });
  await findExemplar(page, '[data-panel="1"] .u-over');
  await picture(page, 'exemplars-tooltip');
  await page.mouse.down();
  await page.mouse.up();
  const card = page.getByRole('dialog', { name: 'Exemplar' });
  await card.getByText('trace_id').waitFor();
  const trace = (await card.getByText(/^trace\d+$/).textContent())!;
  const links = card.getByRole('link');
  expect(await links.count()).toBe(1);
  expect(await links.first().getAttribute('href')).toBe(`https://traces.example/${trace}`);
  await picture(page, 'exemplars-card');
  expect(await seriousFindings(page)).toEqual([]);
  await page.keyboard.press('Escape');
  await card.waitFor({ state: 'hidden' });
  expect(problems).toEqual([]);
});

test('explore draws them when it is asked to', async () => {
  const { page, problems } = await openPage(browser, server, { theme: 'light' });
  const asked: string[] = [];
  page.on('request', (r) => asked.push(new URL(r.url()).pathname));
  await page.goto(`/explore?from=now-1m&to=now&expr=${encodeURIComponent(expr)}`);
  await page.getByText('one series').waitFor({ timeout: 60_000 });
  expect(asked).not.toContain('/api/v1/query_exemplars');
  await page.getByText('Exemplars', { exact: true }).click();
  await page.getByText(/^([1-9]\d*|one) exemplars?$/).waitFor();
  expect(new URL(page.url()).searchParams.get('exemplars')).toBe('1');
  await picture(page, 'exemplars-explore');
  expect(problems).toEqual([]);
});
