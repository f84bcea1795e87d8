import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { seriousFindings } from './axe';
import { openPage, picture, startBrowser, startServer, until, type Server, type Theme } from './harness';
import { startPlatform, type Platform } from './platform';

let platform: Platform;
let server: Server;
let browser: Browser;

beforeAll(async () => {
  platform = await startPlatform();
  [server, browser] = await Promise.all([startServer({ config: platform.config }), startBrowser()]);
  // A rule that fires, in two versions.
  for (const version of [0, 1]) {
    const response = await fetch(`${server.url}/api/hw/v1/rules/desk`, {
      method: 'PUT',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({
        yaml: `groups: [{name: desk, rules: [{alert: Lag, expr: lag_seconds > ${60 + version}, labels: {severity: critical}}]}]`,
        message: 'made by a test',
        version,
      }),
    });
    expect(response.status).toBe(200);
  }
  await until(async () => platform.messages.some((m) => m.includes('"Lag"')), 30_000);
});

afterAll(async () => {
  await browser?.close();
  await server?.stop();
  await platform?.stop();
});

const click = (name: string | RegExp) => (page: Page) => page.getByRole('button', { name }).first().click();

/** Every dialog and drawer of the operational pages, and what opens it. */
const dialogs: [name: string, path: string, open: (page: Page) => Promise<void>][] = [
  ['shortcuts', '/', (page) => page.keyboard.press('?')],
  ['palette', '/alerts', (page) => page.keyboard.press('Control+k')],
  ['alert', '/alerts', click('Lag')],
  [
    'acknowledge',
    '/alerts',
    async (page) => {
      await click('Lag')(page);
      await page.getByRole('dialog').getByRole('button', { name: 'Acknowledge' }).click();
      await page.getByLabel('What you do about it').waitFor();
    },
  ],
  [
    'silence-alert',
    '/alerts',
    async (page) => {
      await click('Lag')(page);
      await page.getByRole('dialog').getByRole('button', { name: 'Silence' }).click();
      await page.getByText('Matches one alert of now').waitFor();
    },
  ],
  ['silence', '/silences', click('New silence')],
  [
    'silence-recurring',
    '/silences',
    async (page) => {
      await click('New silence')(page);
      await page.getByText('Again and again', { exact: true }).first().click();
      await page.getByLabel('Begins').waitFor();
    },
  ],
  ['message', '/deliveries?view=deliveries', click(/message to traders/)],
  [
    'versions',
    '/rules/edit?group=desk&rule=Lag',
    async (page) => {
      await click('More')(page);
      await page.getByRole('menuitem', { name: 'Versions of the group' }).click();
      await page.getByRole('button', { name: 'Restore' }).last().waitFor();
    },
  ],
  ['time', '/explore', click(/^Time range/)],
  ['user', '/admin', click('New user')],
  ['token', '/admin?view=tokens', click('New token')],
];

describe.each<Theme>(['dark', 'light'])('in the %s theme', (theme) => {
  test.each(dialogs)('the dialog %s is accessible', async (name, path, open) => {
    const { page } = await openPage(browser, server, { theme });
    await page.goto(path);
    await page.getByRole('heading', { level: 1 }).waitFor();
    await open(page);
    await page.getByRole('dialog').first().waitFor();
    await page.waitForTimeout(400); // It comes in with a move.
    await picture(page, `dialog-${name}-${theme}`);
    expect(await seriousFindings(page)).toEqual([]);
  });
});

test.each(['acknowledge', 'silence-alert'])('on a phone %s is at hand', async (name) => {
  const { page } = await openPage(browser, server, { width: 390, height: 844 });
  const [, path, open] = dialogs.find(([n]) => n === name)!;
  await page.goto(path);
  await open(page);
  await page.waitForTimeout(400);
  await picture(page, `dialog-${name}-phone`);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
});

test('g and a letter goes to a page, also where the page listens to that letter, and never while one types', async () => {
  const { page } = await openPage(browser, server);
  await page.goto('/alerts');
  await page.getByRole('heading', { name: 'Alerts' }).waitFor();
  await page.keyboard.press('g');
  await page.keyboard.press('s');
  await page.getByRole('heading', { name: 'Services' }).waitFor();
  await page.keyboard.press('g');
  await page.keyboard.press('a');
  await page
    .getByRole('textbox', { name: /search/i })
    .first()
    .click();
  await page.keyboard.type('gs');
  expect(new URL(page.url()).pathname).toBe('/alerts');
});
