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
});

afterAll(async () => {
  await browser?.close();
  await server?.stop();
  await platform?.stop();
});

/** In a dialog of ours: who acts has to be said where nobody logs in. */
async function sign(page: Page, name: string): Promise<void> {
  await page.getByRole('dialog').getByLabel('Your name').fill(name);
}

async function thresholdOf(page: Page): Promise<number> {
  return Number(await page.getByLabel('Threshold value').inputValue());
}

test('a rule is made with a backtest, fires, is acknowledged and silenced, and its delivery is read', async () => {
  const { page, problems } = await openPage(browser, server, { height: 1100 });
  // A past for the backtest.
  await until(async () => {
    const answer = await fetch(`${server.url}/api/v1/query?query=count_over_time(lag_seconds[1m])>4`);
    return ((await answer.json()) as { data: { result: unknown[] } }).data.result.length > 0;
  }, 30_000);

  await page.goto('/rules/edit');
  await page.getByLabel('Name', { exact: true }).fill('LagHigh');
  await page.getByLabel('Query', { exact: true }).click();
  await page.keyboard.type('lag_seconds');
  await page.keyboard.press('Escape');
  await page.getByLabel('Threshold value').fill('60');
  await page.getByRole('textbox', { name: 'For', exact: true }).fill('0s');
  await page.keyboard.press('Escape');
  await page.getByLabel('Value 1 of Labels').fill('critical');
  await page.getByLabel('Summary').fill('Klines of {{ $labels.symbol }} are old');
  await page.locator('[data-backtest="1"]').waitFor();
  await page.getByText(/traders is told within 1s, in one message for each alertname, symbol/).waitFor();
  await page.getByText('because of severity="critical"').waitFor();
  await page.getByText('1 to traders').waitFor();

  // The line is moved by keyboard and by hand, and the form follows.
  const line = page.getByRole('slider', { name: 'Threshold' });
  await line.focus();
  await page.keyboard.press('ArrowDown');
  await until(async () => (await thresholdOf(page)) < 60, 10_000);
  await page.getByLabel('Threshold value').fill('60');
  await until(async () => (await line.getAttribute('aria-valuenow')) === '60', 10_000);
  // What was typed has to settle, or the chart is made anew below the hand.
  await page.waitForTimeout(1500);
  const box = (await line.boundingBox())!;
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2 + 30, { steps: 5 });
  await page.mouse.up();
  await until(async () => (await thresholdOf(page)) < 60, 10_000);
  expect(await thresholdOf(page)).toBeGreaterThan(10);
  await picture(page, 'rule-editor');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.locator('[data-rule="LagHigh"]').waitFor();
  // The group is new; what is half typed is not asked for.
  expect(problems.filter((p) => !/status of 404/.test(p))).toEqual([]);
  await page.locator('[data-rule="LagHigh"]').getByText('1 firing').waitFor({ timeout: 20_000 });

  await page.getByRole('link', { name: 'Alerts' }).click();
  const row = page.locator('[data-alert="LagHigh"]');
  await row.getByText('Klines of BTCUSDT are old').waitFor();
  await until(async () => platform.messages.some((m) => m.includes('LagHigh')), 20_000);
  await row.getByRole('button', { name: 'LagHigh', exact: true }).click();
  const drawer = page.getByRole('dialog');
  await drawer.locator('canvas').waitFor();
  await drawer.getByText('in all, to traders').waitFor({ timeout: 20_000 });
  await drawer.getByText('delivered').first().waitFor();
  await drawer.getByText('traders/webhook told').waitFor({ timeout: 20_000 });
  await picture(page, 'alert-drawer');
  expect(await seriousFindings(page)).toEqual([]);

  await drawer
    .getByRole('button', { name: /message to traders/ })
    .first()
    .click();
  await page.getByText('Sent', { exact: true }).click();
  await page.getByText('"alertname": "LagHigh"').first().waitFor();
  await page.keyboard.press('Escape');

  await drawer.getByRole('button', { name: 'Acknowledge' }).click();
  await sign(page, 'ann');
  await page.getByLabel('What you do about it').fill('restarting the feed');
  await page.getByRole('button', { name: 'Acknowledge' }).last().click();
  await drawer.getByText('“restarting the feed”').waitFor();
  await drawer.getByText('acknowledged by ann').first().waitFor();

  await drawer.getByRole('button', { name: 'Silence' }).click();
  await page.getByText('Matches one alert of now:').waitFor();
  await page.getByLabel('Why').fill('known');
  await page.getByRole('button', { name: 'Silence', exact: true }).last().click();
  await drawer.getByText('silenced').first().waitFor();
  await page.keyboard.press('Escape');
  await page.getByText('Muted 1').waitFor();

  await page.goto('/silences');
  await page.getByText('mutes one alert').waitFor();
  await page.getByRole('button', { name: 'End now' }).click();
  await page.getByText('Nothing is silenced').waitFor();

  // It ends, and says so.
  platform.lag.BTCUSDT = 5;
  await page.goto('/alerts?state=resolved');
  await page.locator('[data-alert="LagHigh"]').waitFor({ timeout: 30_000 });
  // The group is new; what is half typed is not asked for.
  expect(problems.filter((p) => !/status of 404/.test(p))).toEqual([]);
});

test('a rule keeps what others changed meanwhile, and goes back to a version', async () => {
  const { page } = await openPage(browser, server);
  const rules = `${server.url}/api/hw/v1/rules/shared`;
  const put = async (version: number, names: string[]) => {
    const list = names.map((n) => `      - alert: ${n}\n        expr: lag_seconds > 500\n`).join('');
    const yaml = `groups:\n  # Kept.\n  - name: shared\n    rules:\n${list}`;
    const response = await fetch(rules, {
      method: 'PUT',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ yaml, message: '', version }),
    });
    expect(response.status).toBe(200);
  };
  await put(0, ['First']);
  await page.goto('/rules/edit?group=shared&rule=First');
  await page.getByLabel('Threshold value').fill('600');
  await put(1, ['First', 'Second']);
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.locator('[data-rule="First"]').waitFor();
  const saved = ((await (await fetch(rules)).json()) as { yaml: string }).yaml;
  expect(saved).toContain('# Kept.');
  expect(saved).toContain('Second');
  expect(saved).toContain('lag_seconds > 600');

  await page.goto('/rules/edit?group=shared&rule=First');
  await page.getByRole('button', { name: 'More' }).click();
  await page.getByRole('menuitem', { name: 'Versions of the group' }).click();
  await page.getByRole('button', { name: 'Restore' }).last().click();
  await page.getByText('Version 1 is in effect').waitFor();
  const restored = ((await (await fetch(rules)).json()) as { yaml: string }).yaml;
  expect(restored).not.toContain('Second');
});

test('what is typed while the editor is still on its way is not lost', async () => {
  const { page } = await openPage(browser, server);
  let arrive = () => {};
  const held = new Promise<void>((done) => (arrive = done));
  await page.route('**/CodeEditor*.js', async (route) => {
    await held;
    await route.continue();
  });
  await page.goto('/rules/edit');
  await page.locator('textarea[aria-label="Query"]').click();
  await page.keyboard.type('lag_');
  arrive();
  await page.locator('.cm-content').waitFor();
  await page.keyboard.type('seconds');
  await page.locator('.cm-content').getByText('lag_seconds').waitFor();
});

test('a silence that recurs is made, changed and deleted', async () => {
  const { page } = await openPage(browser, server);
  await page.goto('/silences');
  await page.getByRole('button', { name: 'New silence' }).click();
  await page.getByText('Again and again', { exact: true }).first().click();
  const matchers = page.getByLabel('Alerts whose labels match');
  await matchers.fill('job=~".*"');
  await page.getByText('this matches everything').waitFor();
  await matchers.fill('job="backup"');
  await page.getByText('Matches no alert of now.').waitFor();
  await page.getByLabel('Begins').fill('Someday');
  await page.getByLabel('Why').fill('maintenance');
  await sign(page, 'ann');
  await page.getByRole('button', { name: 'Silence', exact: true }).click();
  await page.getByText('Not silenced').waitFor();
  await page.getByLabel('Begins').fill('Sat 02:00');
  await page.getByRole('button', { name: 'Silence', exact: true }).click();
  const list = page.getByRole('list', { name: 'Recurring silences' });
  await list.getByText('job="backup"').waitFor();
  await list.getByRole('button', { name: 'Delete' }).click();
  await page.getByText('Nothing is silenced').waitFor();
});

test('a receiver is tested, and the way of an alert is shown', async () => {
  const { page } = await openPage(browser, server);
  await page.goto('/deliveries');
  await page.locator('[data-receiver="traders"]').getByRole('button', { name: 'Send a test' }).click();
  await page
    .locator('[data-receiver="traders"]')
    .getByText(/webhook\[0\]: delivered in/)
    .waitFor();
  await page.locator('[data-receiver="ops"]').getByRole('button', { name: 'Send a test' }).click();
  await page
    .locator('[data-receiver="ops"]')
    .getByText(/not delivered .*500/)
    .waitFor();
  await page.getByText('Routing', { exact: true }).click();
  await page.getByLabel('Where would an alert go?').fill('severity=critical');
  await page.locator('[data-taken]').getByText('traders').waitFor();
  await page.getByText('Deliveries', { exact: true }).click();
  await page.getByText('delivered').first().waitFor();
});

test('explore draws, explains, remembers, and finds metrics', async () => {
  const { page, problems } = await openPage(browser, server);
  // A link of Prometheus, as messages have it.
  await page.goto('/graph?g0.expr=sum(lag_seconds)+by+(symbol)+%3E+1000&g0.tab=1');
  await page.getByText('No data', { exact: true }).waitFor();
  expect(new URL(page.url()).pathname).toBe('/explore');
  await page.getByText(/^The parts of/).click();
  await page.getByText('empty').first().waitFor();
  await page.getByRole('button', { name: 'Ask lag_seconds alone' }).click();
  await page.getByRole('region', { name: 'Result' }).locator('canvas').waitFor();
  await page.getByText('Table', { exact: true }).click();
  await page.getByRole('cell', { name: 'ETHUSDT' }).waitFor();
  await page.getByRole('button', { name: 'History' }).click();
  await page.getByRole('menuitem', { name: 'lag_seconds', exact: true }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Metrics' }).click();
  await page.getByLabel('Search metrics').fill('newest kline');
  await page.getByRole('button', { name: /lag_seconds/ }).click();
  await page.getByText('2 series').waitFor();
  await page.keyboard.press('Escape');
  expect(problems).toEqual([]);

  await page.goto('/explore?expr=rate(up');
  await page
    .getByText(/unclosed left parenthesis/)
    .first()
    .waitFor();
});

test('with the first user everybody has to log in', async () => {
  const own = await startServer({ config: platform.config });
  try {
    const { page } = await openPage(browser, own);
    const password = 'correct horse battery';
    await page.goto('/admin');
    await page.getByRole('button', { name: 'New user' }).click();
    await page.getByLabel('Name').fill('ann');
    await page.getByLabel('First password').fill('short');
    await page.getByText('at least 10 characters').waitFor();
    await page.getByLabel('First password').fill(password);
    await page.getByRole('button', { name: 'Create' }).click();
    // From now on one has to log in.
    await page.getByRole('heading', { name: 'Log in to hedgewatch' }).waitFor();
    expect((await fetch(`${own.url}/api/v1/query?query=up`)).status).toBe(401);
  } finally {
    await own.stop();
  }
});

const views: [name: string, path: string, ready: string][] = [
  ['alerts', '/alerts?state=resolved', '[data-alert]'],
  ['explore', '/explore?expr=lag_seconds&from=now-5m', 'canvas'],
  ['rules', '/rules', '[data-rule]'],
  ['rule', '/rules/edit?group=my-rules&rule=LagHigh', '[data-backtest]'],
  ['silences', '/silences?expired=true', 'code'],
  ['receivers', '/deliveries', '[data-receiver]'],
  ['deliveries', '/deliveries?view=deliveries', 'table'],
  ['routing', '/deliveries?view=routing', 'code'],
  ['changes', '/admin?view=changes', 'table'],
];

describe.each<Theme>(['dark', 'light'])('in the %s theme', (theme) => {
  test.each(views)('%s is accessible', async (name, path, ready) => {
    const { page, problems } = await openPage(browser, server, { theme });
    await page.goto(path);
    await page.locator(ready).first().waitFor();
    await page.waitForTimeout(500);
    await picture(page, `${name}-${theme}`);
    expect(await seriousFindings(page)).toEqual([]);
    expect(problems).toEqual([]);
  });
});

test.each(views)('%s fits a phone', async (name, path, ready) => {
  const { page } = await openPage(browser, server, { width: 390, height: 844 });
  await page.goto(path);
  await page.locator(ready).first().waitFor();
  await page.waitForTimeout(300);
  await picture(page, `${name}-phone`);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
});

test('a connection that is lost leaves the list, and says how old it is', async () => {
  const { page } = await openPage(browser, server);
  await page.goto('/alerts?state=resolved');
  await page.locator('[data-alert]').first().waitFor();
  await page.route('**/api/**', (route) => route.abort());
  await page.getByText(/^Alerts as of/).waitFor({ timeout: 20_000 });
  expect(await page.locator('[data-alert]').count()).toBeGreaterThan(0);
});
