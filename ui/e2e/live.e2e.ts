import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPage, picture, startBrowser, startServer, until, type Server } from './harness';

let server: Server;
let browser: Browser;

beforeAll(async () => {
  [server, browser] = await Promise.all([startServer(), startBrowser()]);
});

afterAll(async () => {
  await browser?.close();
  await server?.stop();
});

async function fire(alertname: string): Promise<void> {
  const response = await fetch(`${server.url}/api/v2/alerts`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify([
      { labels: { alertname, severity: 'critical' }, annotations: { summary: 'a test' } },
    ]),
  });
  expect(response.ok).toBe(true);
}

async function readers(): Promise<number> {
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  return Number(/^hedgewatch_stream_readers (\d+)/m.exec(metrics)?.[1] ?? 0);
}

/** Counts the requests for alerts of a page. */
function countAsked(page: Page): () => number {
  let count = 0;
  page.on('request', (r) => void (new URL(r.url()).pathname === '/api/v2/alerts' && count++));
  return () => count;
}

test('a new alert is on an open page at once, and while nothing happens nothing is asked', async () => {
  const { page, problems } = await openPage(browser, server);
  const asked = countAsked(page);
  await page.goto('/alerts');
  await page.getByRole('heading', { name: 'Alerts' }).waitFor();
  await until(async () => (await readers()) === 1, 30_000);
  for (const name of ['PushedOne', 'PushedTwo', 'PushedThree']) {
    const since = Date.now();
    await fire(name);
    await page.getByText(name).first().waitFor();
    console.info(`${name} was shown after ${Date.now() - since} ms`);
  }
  await page.waitForTimeout(2000);
  const before = asked();
  await page.waitForTimeout(9000);
  // Every three seconds without the stream; with it, the safety net.
  expect(asked() - before).toBeLessThanOrEqual(2);
  expect(problems).toEqual([]);
  await page.context().close();
  await until(async () => (await readers()) === 0, 30_000);
});

test('without the stream a page asks as often as it did', async () => {
  const { page } = await openPage(browser, server);
  await page.route('**/api/hw/v1/stream', (route) => route.fulfill({ status: 503, body: 'too many' }));
  const asked = countAsked(page);
  await page.goto('/alerts');
  await page.getByText('PushedOne').first().waitFor();
  await fire('PolledFor');
  await page.getByText('PolledFor').first().waitFor();
  const before = asked();
  await until(async () => asked() - before >= 3, 60_000);
  // The stream comes back without a reload.
  await page.unroute('**/api/hw/v1/stream');
  await until(async () => (await readers()) >= 1, 90_000);
  await page.context().close();
});

test('a phone has at most five things in its bar, and the rest under More', async () => {
  const { page, problems } = await openPage(browser, server, { width: 390, height: 844 });
  await page.goto('/');
  const bar = page.getByRole('navigation', { name: 'Pages' });
  await bar.getByText('More').waitFor();
  expect(await bar.locator('a:visible, button:visible').count()).toBe(5);
  await bar.getByText('More').click();
  await page.getByRole('menuitem', { name: 'Rate limits' }).waitFor();
  await page.waitForTimeout(300);
  await picture(page, 'more-phone');
  await page.getByRole('menuitem', { name: 'Rate limits' }).click();
  await page.getByText('There is no governor').waitFor();
  expect(problems.filter((p) => !p.includes('404'))).toEqual([]);
});

test('the pages are in the navigation', async () => {
  const { page } = await openPage(browser, server);
  for (const path of ['/services', '/rate-limits', '/audit']) {
    await page.goto('/');
    await page.getByRole('navigation', { name: 'Pages' }).locator(`a[href="${path}"]`).click();
    await until(async () => new URL(page.url()).pathname === path, 10_000);
  }
});
