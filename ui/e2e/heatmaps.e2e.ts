import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPage, picture, startBrowser, startServer, until, type Server, type Theme } from './harness';

let service: HttpServer;
/** One that is scraped by the other: it exposes native histograms. */
let scraped: Server;
let server: Server;
let browser: Browser;

const bounds = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5];

/** A service whose histogram becomes a native one with bounds of its own. */
function startService(): Promise<HttpServer> {
  const counts = new Array<number>(bounds.length + 1).fill(0);
  let requests = 0;
  const answer = createServer((_, response) => {
    for (let i = 0; i < 40; i++, requests++) {
      const seconds = 0.05 * (1.1 + Math.sin(requests / 300)) * (1 + ((requests * 7919) % 31) / 3);
      const at = bounds.findIndex((b) => seconds <= b);
      counts.forEach((count, b) => {
        if (at >= 0 ? b >= at : b === bounds.length) counts[b] = count + 1;
      });
    }
    const lines = counts.map((c, i) => `request_seconds_bucket{le="${bounds[i] ?? '+Inf'}"} ${c}`);
    response.setHeader('Content-Type', 'text/plain; version=0.0.4');
    response.end(
      `# TYPE request_seconds histogram\n${lines.join('\n')}\nrequest_seconds_count ${requests}\nrequest_seconds_sum ${requests * 0.1}\n`,
    );
  });
  return new Promise((done) => answer.listen(0, '127.0.0.1', () => done(answer)));
}

const queries = {
  Exponential: 'rate(prometheus_http_request_duration_seconds[5s])',
  Custom: 'rate(request_seconds[5s])',
};

beforeAll(async () => {
  [service, scraped, browser] = await Promise.all([startService(), startServer(), startBrowser()]);
  server = await startServer({
    config: `
global: {scrape_interval: 1s}
scrape_configs:
  - job_name: native
    scrape_native_histograms: true
    static_configs: [{targets: ['${new URL(scraped.url).host}']}]
  - job_name: custom
    scrape_native_histograms: true
    convert_classic_histograms_to_nhcb: true
    static_configs: [{targets: ['127.0.0.1:${(service.address() as AddressInfo).port}']}]
`,
  });
  const answer = await fetch(`${server.url}/api/hw/v1/dashboards/native`, {
    method: 'PUT',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      dashboard: {
        uid: 'native',
        title: 'Native',
        time: { from: 'now-1m', to: 'now' },
        panels: Object.entries(queries).map(([title, expr], i) => ({
          id: i + 1,
          type: 'heatmap',
          title,
          gridPos: { x: 0, y: 10 * i, w: 24, h: 10 },
          targets: [{ refId: 'A', expr, format: 'heatmap' }],
          interval: '1s',
          options: { yAxis: { unit: 's' } },
        })),
      },
      folder: '',
      version: 0,
    }),
  });
  expect(answer.status).toBe(200);
  // Enough of a history for a picture.
  await until(async () => {
    await Promise.all(['/api/v1/query?query=up', '/metrics', '/'].map((path) => fetch(scraped.url + path)));
    const query = encodeURIComponent('min(count_over_time(request_seconds[1m])) > 15');
    const found = (await (await fetch(`${server.url}/api/v1/query?query=${query}`)).json()) as {
      data: { result: unknown[] };
    };
    return found.data.result.length > 0;
  }, 60_000);
});

afterAll(async () => {
  await browser?.close();
  await server?.stop();
  await scraped?.stop();
  service?.close();
});

test.each<Theme>(['dark', 'light'])('native histograms are heatmaps in the %s theme', async (theme) => {
  const { page, problems } = await openPage(browser, server, { theme });
  await page.goto('/dashboards/native');
  await page.waitForFunction(() => document.querySelectorAll('[data-panel] canvas').length === 2);
  await page.waitForTimeout(500);
  await picture(page, `native-heatmaps-${theme}`);
  // Somewhere in the newest columns there is a cell, and it says its bounds and its count.
  for (const id of [1, 2]) {
    const box = (await page.locator(`[data-panel="${id}"] .u-over`).boundingBox())!;
    const said = await (async () => {
      for (let y = box.y + 3; y < box.y + box.height; y += 6) {
        await page.mouse.move(box.x + box.width * 0.95, y);
        await page.waitForTimeout(60);
        const text = await page.getByText(/\d [mµn]?s – /).allTextContents();
        if (text.length > 0) return text.join();
      }
      return '';
    })();
    expect(said, `panel ${id}`).toMatch(/s – /);
  }
  expect(problems).toEqual([]);
});
