import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPage, picture, startBrowser, startServer, type Server } from './harness';

let server: Server;
let browser: Browser;

// One target that answers, and one that cannot.
const config = `
scrape_configs:
  - job_name: exchange
    scrape_interval: 1s
    static_configs: [{targets: ['127.0.0.1:9'], labels: {market: spot}}]
host: {}
`;

beforeAll(async () => {
  [server, browser] = await Promise.all([startServer({ config }), startBrowser()]);
});

afterAll(async () => {
  await browser?.close();
  await server?.stop();
});

test.each(['dark', 'light'] as const)('targets say what is wrong, %s', async (theme) => {
  const { page, problems } = await openPage(browser, server, { theme });
  await page.goto('/targets');
  await page.getByText('connection refused').waitFor();
  await page.getByRole('button', { name: 'before relabelling' }).first().click();
  await page.getByText('As discovered').waitFor();
  await picture(page, `targets-${theme}`);
  await page.getByRole('textbox', { name: 'Search targets' }).fill('market=spot');
  expect(await page.getByRole('heading', { level: 2 }).allTextContents()).toEqual(['exchange0 of 1 up']);
  expect(problems).toEqual([]);
});

test.each(['dark', 'light'] as const)('status shows what runs, %s', async (theme) => {
  const { page, problems } = await openPage(browser, server, { theme });
  await page.goto('/status');
  await page.getByText('storage retention').waitFor();
  await picture(page, `status-${theme}`);
  await page.getByText('Storage', { exact: true }).click();
  await page.getByText('Metrics with most series').waitFor();
  await picture(page, `status-storage-${theme}`);
  await page.getByText('Configuration', { exact: true }).click();
  await page.getByText('job_name: exchange').waitFor();
  expect(problems).toEqual([]);
});
