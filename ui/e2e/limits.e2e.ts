import { connect } from 'node:net';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { seriousFindings } from './axe';
import { startExchange, type Exchange } from './exchange';
import { openPage, picture, startBrowser, startServer, until, type Server } from './harness';

let exchange: Exchange;
let server: Server;
let browser: Browser;
let governor: string;

beforeAll(async () => {
  exchange = await startExchange();
  const config = `
global: {scrape_interval: 1s}
governor: {listen: '127.0.0.1:0'}
binance:
  markets:
    spot: {url: '${exchange.url}', ws_api_url: '${exchange.url.replace('http', 'ws')}'}
    usdm: {url: '${exchange.url}'}
alertmanager:
  route: {receiver: nobody}
  receivers: [{name: nobody}]
`;
  [server, browser] = await Promise.all([startServer({ config }), startBrowser()]);
  const status = (await (await fetch(`${server.url}/api/hw/v1/governor/status`)).json()) as {
    listen: string;
  };
  governor = `http://${status.listen}`;
});

afterAll(async () => {
  await browser?.close();
  await server?.stop();
  await exchange?.stop();
});

const ask = (path: string, priority: string, method = 'GET') =>
  fetch(governor + path, {
    method,
    headers: {
      'X-Hedgewatch-Client': 'syncer',
      'X-Hedgewatch-Priority': priority,
      'X-MBX-APIKEY': 'key-of-a-test',
    },
  });

test('what is used is seen without a reload: by priority, client and account', async () => {
  const { page, problems } = await openPage(browser, server, { height: 1300 });
  await page.goto('/rate-limits');
  const spot = page.locator('[data-market="spot"]');
  await page.getByText('The governor listens on').waitFor();
  for (let i = 0; i < 5; i++) await ask(`/api/v3/klines?symbol=S${i}&interval=1m`, 'backfill');
  await ask('/sapi/v1/system/status', 'market');
  await ask('/api/v3/order?symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1', 'order', 'POST');
  await spot.getByRole('meter', { name: /Weight of address/ }).waitFor();
  await until(async () => {
    const meter = spot.getByRole('meter', { name: /Weight of address/ });
    // The window may have ended since: then somebody asks again.
    if (Number(await meter.getAttribute('aria-valuenow')) >= 300) return true;
    await ask(`/api/v3/klines?symbol=T${Math.random()}&interval=1m`, 'backfill');
    return false;
  }, 60_000);
  await spot
    .getByText(/new window in \d+ s/)
    .first()
    .waitFor();
  await spot.getByRole('cell', { name: 'syncer' }).first().waitFor();
  await spot.getByRole('cell', { name: '/api/v3/klines' }).waitFor();
  await spot.getByText('Nothing waits').waitFor();
  await spot.getByText(/Requests of address default in/).waitFor();
  await page
    .getByRole('region', { name: 'Other limits' })
    .getByText(/sapi.v1.system.status/)
    .first()
    .waitFor();
  expect(await page.content()).not.toContain('key-of-a-test');

  await page.goto('/');
  await page
    .locator('[data-tile="weight"]')
    .getByText(/^\d+%$/)
    .waitFor();
  expect(problems).toEqual([]);
});

test.each(['dark', 'light'] as const)('a ban is the first thing to be seen, %s', async (theme) => {
  exchange.banSeconds = 300;
  await ask('/fapi/v1/klines?symbol=BTCUSDT&interval=1m', 'market');
  await ask('/api/v3/klines?symbol=B&interval=1m', 'market');
  const { page, problems } = await openPage(browser, server, { theme, height: 1500 });
  await page.goto('/rate-limits');
  const ban = page.locator('[data-stop="ban"]');
  await ban.getByText('refuses address default').waitFor();
  await ban.getByText(/the first ban in three days/).waitFor();
  const graph = page.getByRole('region', { name: 'Answers of the exchange' });
  await graph.scrollIntoViewIfNeeded();
  await graph.locator('canvas').waitFor({ timeout: 60_000 });
  await page.evaluate(() => window.scrollTo(0, 0));
  await page.waitForTimeout(500);
  await picture(page, `rate-limits-${theme}`);
  expect(await seriousFindings(page)).toEqual([]);
  expect(problems).toEqual([]);
});

test('a WebSocket that is held open is seen, with its client', async () => {
  const { page, problems } = await openPage(browser, server);
  const socket = connect(Number(new URL(governor).port), '127.0.0.1');
  try {
    socket.write(
      'GET /ws-api/v3 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
        'Sec-WebSocket-Key: a\r\nSec-WebSocket-Version: 13\r\nX-Hedgewatch-Client: order-router\r\n\r\n',
    );
    await new Promise((done) => socket.once('data', done));
    await page.goto('/rate-limits');
    const row = page
      .getByRole('region', { name: 'Open WebSockets' })
      .getByRole('row', { name: /order-router/ });
    await row.getByText('none yet').waitFor();
  } finally {
    socket.destroy();
  }
  await page.getByRole('region', { name: 'Open WebSockets' }).waitFor({ state: 'detached', timeout: 20_000 });
  expect(problems).toEqual([]);
});

test('the limits fit a phone', async () => {
  const { page } = await openPage(browser, server, { width: 390, height: 844 });
  await page.goto('/rate-limits');
  await page.locator('[data-market]').first().waitFor();
  await page.waitForTimeout(500);
  await picture(page, 'rate-limits-phone');
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
});
