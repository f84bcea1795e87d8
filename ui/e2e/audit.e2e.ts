import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { seriousFindings } from './axe';
import { bar, startExchange, type Exchange } from './exchange';
import { openPage, picture, startBrowser, startServer, type Server } from './harness';
import { startPostgres, type Postgres } from './postgres';

const minute = 60_000;
let exchange: Exchange;
const postgres: Postgres | undefined = await startPostgres();
let server: Server;
let browser: Browser;
const now = Math.floor(Date.now() / minute) * minute;
/** Of ETHUSDT, half an hour is missing; at the exchange there was a halt of twenty minutes. */
const hole = { from: now - 300 * minute, to: now - 270 * minute };
const halt = { from: now - 200 * minute, to: now - 180 * minute };

beforeAll(async () => {
  if (!postgres) return;
  exchange = await startExchange();
  exchange.halt = halt;
  const { open, high, low, close, volume } = bar;
  postgres.sql(`
    CREATE TABLE klines AS SELECT symbol, '1m'::text AS interval, at AS open_time,
      ${open}::numeric AS open, ${high}::numeric AS high, ${low}::numeric AS low, ${close}::numeric AS close, ${volume}::numeric AS volume
    FROM unnest(ARRAY['BTCUSDT', 'ETHUSDT', 'SOLUSDT']) symbol, generate_series(${now - 720 * minute}, ${now + 60 * minute}, ${minute}) at
    WHERE at NOT BETWEEN ${halt.from} AND ${halt.to - 1}
      AND NOT (symbol = 'ETHUSDT' AND at BETWEEN ${hole.from} AND ${hole.to - 1});
    CREATE INDEX ON klines (symbol, interval, open_time); ANALYZE klines;`);
  const config = `
global: {scrape_interval: 1s}
audit:
  exchange_url: '${exchange.url}'
  sources:
    - {name: platform, postgres: {dsn: '${postgres.dsn}', share: 1}}
    - {name: gone, postgres: {dsn: 'postgres://audit:hunter2@127.0.0.1:1/platform'}}
  datasets:
    - {source: platform, market: usdm, preset: klines, history: 10h}
    - {source: gone, market: usdm, preset: ts_user_trades}
alertmanager:
  route: {receiver: nobody}
  receivers: [{name: nobody}]
`;
  [server, browser] = await Promise.all([startServer({ config }), startBrowser()]);
});

afterAll(async () => {
  await browser?.close();
  await server?.stop();
  await exchange?.stop();
  await postgres?.stop();
});

describe.skipIf(!postgres)('with PostgreSQL (apt-get install postgresql)', () => {
  test('a hole is seen, clicked, explained, and can be mended', async () => {
    const { page, problems } = await openPage(browser, server, { height: 1100 });
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.goto('/audit?from=now-12h');
    const eth = page.locator('[data-series="klines ETHUSDT 1m"]');
    const gap = eth.locator('button[data-state="platform"]');
    await gap.waitFor({ timeout: 90_000 });
    await eth.locator('button[data-state="exchange"]').waitFor({ timeout: 90_000 });
    const btc = page.locator('[data-series="klines BTCUSDT 1m"]');
    await btc.locator('[data-state="complete"]').first().waitFor();
    expect(await btc.locator('[data-state="platform"]').count()).toBe(0);
    // What lies before the history was never verified.
    await btc.locator('[data-state="unknown"]').first().waitFor();
    // A table that cannot be read is no success, and its password nobody's business.
    await page.locator('[data-blind="gone/usdm/ts_user_trades"]').waitFor();
    expect(await page.content()).not.toContain('hunter2');

    await gap.click();
    const finding = page.locator('[data-finding]').first();
    await finding.getByText('30 missing').waitFor();
    await expect.poll(() => page.locator('[data-finding]').count()).toBe(1);
    await finding.getByText('platform', { exact: true }).first().waitFor();
    await finding.getByRole('button', { name: /request/ }).click();
    await page.getByLabel('Requests').getByText('/fapi/v1/klines').waitFor();
    await page.getByRole('button', { name: 'Copy as JSON' }).click();
    await page.getByText('The plan is copied').waitFor();
    const plan = JSON.parse(await page.evaluate(() => navigator.clipboard.readText())) as {
      requests: { query: string }[];
    };
    expect(plan.requests[0]?.query).toContain(`startTime=${hole.from}`);

    // The platform mends it; the finding closes by itself, on the page that is open.
    const { open, high, low, close, volume } = bar;
    postgres?.sql(
      `INSERT INTO klines SELECT 'ETHUSDT', '1m', at, ${open}, ${high}, ${low}, ${close}, ${volume} FROM generate_series(${hole.from}, ${hole.to - 1}, ${minute}) at`,
    );
    await page.getByRole('button', { name: 'Verify now' }).click();
    await page.locator('[data-verified="true"]').getByText('Verified').waitFor({ timeout: 30_000 });
    await gap.waitFor({ state: 'detached', timeout: 30_000 });
    await page.getByText('No finding is like this').waitFor();
    expect(problems).toEqual([]);
  });

  test('what is altered long ago is found when somebody asks, and findings are picked by the server', async () => {
    const { page, problems } = await openPage(browser, server, { height: 1100 });
    postgres?.sql(
      `UPDATE klines SET close = close * 2 WHERE symbol = 'SOLUSDT' AND open_time = ${hole.from}`,
    );
    await page.goto('/audit?from=now-6h');
    await page.getByRole('button', { name: 'klines SOLUSDT 1m', exact: true }).click();
    await page.getByRole('button', { name: 'Verify now' }).click();
    await page
      .locator('[data-series="klines SOLUSDT 1m"] [data-state="platform"]')
      .waitFor({ timeout: 30_000 });
    await page.locator('[data-finding]').getByText('1 with other values').waitFor();
    expect(await seriousFindings(page)).toEqual([]);
    await page.getByRole('button', { name: 'Show the findings of all series' }).click();
    const asked = page.waitForResponse(
      (r) => r.url().includes('symbol=BTCUSDT') && r.url().includes('limit=101'),
    );
    await page.getByRole('textbox', { name: 'Symbol' }).click();
    await page.getByRole('option', { name: 'BTCUSDT' }).click();
    expect(await (await asked).json()).toHaveLength(await page.locator('[data-finding]').count());
    expect(problems).toEqual([]);
  });

  test.each(['dark', 'light'] as const)('the matrix is readable, %s', async (theme) => {
    const { page, problems } = await openPage(browser, server, { theme, height: 1000 });
    await page.goto('/audit?from=now-12h&state=all');
    await page.locator('[data-finding]').first().waitFor({ timeout: 90_000 });
    await page.waitForTimeout(500);
    await picture(page, `audit-${theme}`);
    expect(await seriousFindings(page)).toEqual([]);
    expect(problems).toEqual([]);
  });

  test('the audit fits a phone', async () => {
    const { page } = await openPage(browser, server, { width: 390, height: 844 });
    await page.goto('/audit?from=now-12h&state=all');
    await page.locator('[data-series]').first().waitFor({ timeout: 90_000 });
    await page.waitForTimeout(500);
    await picture(page, 'audit-phone');
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  });
});
