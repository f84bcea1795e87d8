import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { seriousFindings } from './axe';
import { openPage, picture, startBrowser, startServer, type Server } from './harness';

let server: Server;
let browser: Browser;

const links = [
  { type: 'link', title: 'Runbook', url: 'https://wiki.example/up?x=1', keepTime: true, includeVars: true },
  { type: 'dashboards', title: 'Others', tags: ['hedgewatch'], asDropdown: true, keepTime: true },
];
const templating = {
  list: [{ name: 'job', type: 'custom', query: 'a,b', current: { value: 'b', text: 'b' } }],
};

const panel = {
  id: 1,
  type: 'text',
  title: 'Words',
  gridPos: { x: 0, y: 0, w: 24, h: 4 },
  options: { content: 'Words' },
  links: [{ title: 'Detail', url: '/d/hedgewatch?${__url_time_range}&${__all_variables}' }],
};

beforeAll(async () => {
  [server, browser] = await Promise.all([startServer(), startBrowser()]);
  const response = await fetch(`${server.url}/api/hw/v1/dashboards/linked`, {
    method: 'PUT',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      dashboard: { uid: 'linked', title: 'Linked', panels: [panel], links, templating },
      folder: '',
      version: 0,
    }),
  });
  expect(response.status).toBe(200);
});

afterAll(async () => {
  await browser?.close();
  await server?.stop();
});

test('the links of a dashboard take time and variables along', async () => {
  const { page, problems } = await openPage(browser, server);
  await page.goto('/dashboards/linked?from=now-3h&to=now&var-job=a');
  const runbook = page.getByRole('link', { name: 'Runbook' });
  await runbook.waitFor({ timeout: 30_000 });
  expect(await runbook.getAttribute('href')).toBe('https://wiki.example/up?x=1&from=now-3h&to=now&var-job=a');
  expect(await seriousFindings(page)).toEqual([]);
  const detail = await page.getByRole('link', { name: 'Detail' }).getAttribute('href');
  expect(detail).toMatch(/^\.\/dashboards\/hedgewatch\?from=\d+&to=\d+&var-job=a$/);
  await page.getByRole('button', { name: 'Others' }).click();
  const other = page.getByRole('menuitem').first();
  expect(await other.getAttribute('href')).toMatch(/^\.\/dashboards\/[\w-]+\?from=now-3h&to=now$/);
  await picture(page, 'dashboard-links');
  await other.click();
  await page.waitForURL(/\/dashboards\/(?!linked).*from=now-3h/);
  expect(problems).toEqual([]);
});
