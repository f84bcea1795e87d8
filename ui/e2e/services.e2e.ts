import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { seriousFindings } from './axe';
import { startDocker, type Docker } from './docker';
import { openPage, picture, startBrowser, startServer, type Server } from './harness';

let docker: Docker;
let server: Server;
let browser: Browser;

beforeAll(async () => {
  const now = Date.now();
  docker = await startDocker([
    {
      name: 'trading-orders-db-1',
      service: 'orders-db',
      status: 'restarting',
      restarts: 12,
      exitCode: 137,
      oomKilled: true,
      memory: 512 << 20,
      log: 'LOG:  server process was terminated by signal 9\n',
      endedAt: new Date(now - 3000),
    },
    {
      name: 'trading-feed-1',
      service: 'feed',
      status: 'restarting',
      restarts: 12,
      exitCode: 1,
      dependsOn: 'orders-db',
      log: 'connecting to orders-db:5432\npassword=hunter2\nerror: dial tcp: connect: connection refused (orders-db:5432)\n',
      endedAt: new Date(now - 2000),
    },
    {
      name: 'trading-web-1',
      service: 'web',
      status: 'running',
      restarts: 0,
      exitCode: 0,
      memory: 256 << 20,
      log: 'ready\n',
    },
  ]);
  const config = `
global: {scrape_interval: 1s}
services:
  docker: {address: '${docker.address}'}
alertmanager:
  route: {receiver: nobody}
  receivers: [{name: nobody}]
`;
  [server, browser] = await Promise.all([startServer({ config }), startBrowser()]);
});

afterAll(async () => {
  await browser?.close();
  await server?.stop();
  await docker?.stop();
});

const card = (page: Page, name: string) => page.locator(`[data-service="${name}"]`);

test.each(['dark', 'light'] as const)(
  'services say what fails, why, and what hangs below, %s',
  async (theme) => {
    const { page, problems } = await openPage(browser, server, { theme, height: 1400 });
    await page.goto('/services');
    const db = card(page, 'trading/orders-db');
    await db.getByText('backing off').first().waitFor();
    await db
      .getByText(/next start in/)
      .first()
      .waitFor();
    await db.getByText('resource', { exact: true }).first().waitFor();
    await db
      .getByText(/limit 512/)
      .first()
      .waitFor();
    // The one that needs it is inside its card, with the lines that show it.
    const feed = db.locator('[data-service="trading/feed"]');
    await feed
      .getByText(/connection refused/)
      .first()
      .waitFor();
    await feed.getByText('depends on orders-db').waitFor();
    expect(await page.content()).not.toContain('hunter2');
    await card(page, 'trading/web').getByText('running').waitFor();
    expect(await card(page, 'trading/web').getByText('CPU unknown').count()).toBe(1);
    expect(await card(page, 'trading/web').getByText('Held back').count()).toBe(0);
    await picture(page, `services-${theme}`);
    expect(await seriousFindings(page)).toEqual([]);
    expect(problems).toEqual([]);
  },
);

test('services fit a phone', async () => {
  const { page } = await openPage(browser, server, { width: 390, height: 844 });
  await page.goto('/services');
  await card(page, 'trading/orders-db').waitFor();
  await page.waitForTimeout(500);
  await picture(page, 'services-phone');
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
});

test('a crash is seen without a reload, and counted on the timeline', async () => {
  const { page, problems } = await openPage(browser, server);
  await page.goto('/services');
  const web = card(page, 'trading/web');
  await web.getByText('running').waitFor();
  docker.containers.forEach(
    (c) => c.name === 'trading-web-1' && (c.log = 'panic: runtime error: index out of range\n'),
  );
  docker.die('trading-web-1', 2);
  await web.locator('[data-state="restarting"], [data-state="backing_off"]').first().waitFor();
  await web.getByRole('img', { name: /1 end in/ }).waitFor();
  await page.getByPlaceholder(/Name, cause/).fill('index out of range');
  await web.waitFor();
  await page.getByPlaceholder(/Name, cause/).fill('no such thing');
  await page.getByText('No service is like this').waitFor();
  expect(problems).toEqual([]);
});

test('a platform that is not seen looks so', async () => {
  const { page } = await openPage(browser, server);
  await page.goto('/services');
  await card(page, 'trading/web').waitFor();
  await docker.stop();
  await page.locator('[data-blind="docker"]').waitFor({ timeout: 60_000 });
  await card(page, 'trading/web').getByText('not seen now').waitFor();
  expect(await page.locator('[data-instance][data-state="running"]').count()).toBe(0);
  await picture(page, 'services-blind');
  expect(await seriousFindings(page)).toEqual([]);
});

test('without the section the page says how to get one', async () => {
  const plain = await startServer();
  try {
    const { page, problems } = await openPage(browser, plain);
    for (const [path, text] of [
      ['/services', 'No services are watched'],
      ['/rate-limits', 'There is no governor'],
      ['/audit', 'Nothing is audited'],
    ] as const) {
      await page.goto(path);
      await page.getByText(text).waitFor();
      await page.getByLabel('Example configuration').waitFor();
      await picture(page, `howto${path.replace('/', '-')}`);
      expect(await seriousFindings(page)).toEqual([]);
    }
    // The browser itself writes a line about each 404.
    expect(problems.filter((p) => !p.includes('404'))).toEqual([]);
  } finally {
    await plain.stop();
  }
});
