import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPage, picture, startBrowser, startServer, type Server } from './harness';

let server: Server;
let browser: Browser;

beforeAll(async () => {
  [server, browser] = await Promise.all([startServer(), startBrowser()]);
});

afterAll(async () => {
  await browser?.close();
  await server?.stop();
});

test('the command palette leads to a page, and a reload stays there', async () => {
  const { page, problems } = await openPage(browser, server);
  await page.goto('/');
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
  await page.keyboard.press('Control+k');
  await page.getByPlaceholder(/Go to a page/).fill('dashb');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Dashboards' }).waitFor();
  await page.reload();
  await page.getByRole('heading', { name: 'Dashboards' }).waitFor();
  expect(new URL(page.url()).pathname).toBe('/dashboards');
  await picture(page, 'shell');
  expect(problems).toEqual([]);
});

test('the page works under a route prefix, and on a deep address', async () => {
  const prefixed = await startServer({ prefix: '/watch' });
  try {
    const { page, problems } = await openPage(browser, prefixed);
    await page.goto(`${prefixed.url}/dashboards/`);
    await page.getByRole('link', { name: 'Overview', exact: true }).click();
    await page.getByRole('heading', { name: 'Overview' }).waitFor();
    expect(new URL(page.url()).pathname).toMatch(/^\/watch\/?$/);
    expect(problems).toEqual([]);
  } finally {
    await prefixed.stop();
  }
});

test('a lost connection is told, and ends when the server is back', async () => {
  const { page } = await openPage(browser, server);
  await page.goto('/');
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
  await page.route('**/api/**', (route) => route.abort());
  await page.getByText('hedgewatch does not answer').waitFor();
  await page.unroute('**/api/**');
  await page.getByText('hedgewatch does not answer').waitFor({ state: 'detached' });
});
