import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openPage, picture, startBrowser, startServer, type Server, type Theme } from './harness';

let server: Server;
let browser: Browser;

beforeAll(async () => {
  [server, browser] = await Promise.all([startServer(), startBrowser()]);
});

afterAll(async () => {
  await browser?.close();
  await server?.stop();
});

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What axe calls serious or worse, with where it is. */
async function seriousFindings(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    interface Finding {
      id: string;
      impact: string;
      nodes: { target: string[]; failureSummary: string }[];
    }
    const run = (window as unknown as { axe: { run: () => Promise<{ violations: Finding[] }> } }).axe.run;
    const { violations } = await run();
    return violations
      .filter((v) => v.impact === 'serious' || v.impact === 'critical')
      .flatMap((v) => v.nodes.map((n) => `${v.id} ${n.target.join(' ')}: ${n.failureSummary}`));
  });
}

const views: [name: string, path: string, ready: string][] = [
  ['overview', '/', '[data-tile]'],
  ['dashboards', '/dashboards', 'a[href*="hedgewatch-host"]'],
  ['host', '/dashboards/hedgewatch-host?from=now-5m', '[data-panel] canvas'],
  ['settings', '/dashboards/new', 'text=An empty dashboard'],
];

describe.each<Theme>(['dark', 'light'])('in the %s theme', (theme) => {
  test.each(views)('%s is accessible', async (name, path, ready) => {
    const { page, problems } = await openPage(browser, server, { theme });
    await page.goto(path);
    await page.locator(ready).first().waitFor();
    await page.waitForTimeout(800);
    await picture(page, `${name}-${theme}`);
    expect(await seriousFindings(page)).toEqual([]);
    expect(problems).toEqual([]);
  });
});

test.each(views)('%s fits a phone', async (name, path, ready) => {
  const { page } = await openPage(browser, server, { width: 390, height: 844 });
  await page.goto(path);
  await page.locator(ready).first().waitFor();
  await page.waitForTimeout(800);
  await picture(page, `${name}-phone`);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
});

test('the overview is fresh without a reload, and looks old when its server is gone', async () => {
  const { page } = await openPage(browser, server);
  await page.goto('/');
  await page.locator('[data-tile="cpu"]').waitFor();
  await page
    .locator('section[data-level="ok"], section[data-level="warn"], section[data-level="bad"]')
    .first()
    .waitFor();
  await page.route('**/api/**', (route) => route.abort());
  await page.locator('section[data-level="unknown"]').waitFor({ timeout: 20_000 });
  await page.getByText('Unknown: hedgewatch does not answer').waitFor();
  await picture(page, 'overview-lost');
  await page.unroute('**/api/**');
  await page.locator('section[data-level="unknown"]').waitFor({ state: 'detached', timeout: 20_000 });
});
