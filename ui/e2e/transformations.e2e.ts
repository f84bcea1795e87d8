import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { seriousFindings } from './axe';
import { openPage, picture, startBrowser, startServer, until, type Server } from './harness';

let server: Server;
let browser: Browser;

const panel = {
  id: 1,
  type: 'table',
  title: 'Targets',
  gridPos: { x: 0, y: 0, w: 24, h: 12 },
  targets: [{ refId: 'A', expr: 'up', format: 'table', instant: true }],
  transformations: [
    {
      id: 'organize',
      options: { excludeByName: { Time: true, job: false }, renameByName: { instance: 'Where' } },
    },
    { id: 'ofTheFuture', options: { keep: ['me'] } },
  ],
};

beforeAll(async () => {
  [server, browser] = await Promise.all([startServer(), startBrowser()]);
  const response = await fetch(`${server.url}/api/hw/v1/dashboards/forms`, {
    method: 'PUT',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      dashboard: { uid: 'forms', title: 'Forms', panels: [panel] },
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

test('transformations have forms, and those that are not known are kept', async () => {
  const { page, problems } = await openPage(browser, server, { height: 1100 });
  await page.goto('/dashboards/forms?editPanel=1');
  await page.getByRole('columnheader', { name: 'Where' }).waitFor({ timeout: 30_000 });
  await page.getByRole('tab', { name: /Transformations/ }).click();
  const organize = page.locator('[data-form="organize"]');
  expect(await organize.getByLabel('Hide').inputValue()).toBe('Time');
  await organize.getByLabel('Rename').fill('instance = Host, job = Job');
  await organize.getByLabel('Hide').click();
  await page.getByRole('columnheader', { name: 'Host' }).waitFor();
  await page.getByRole('columnheader', { name: 'Job' }).waitFor();
  await page.getByText('not known here, and kept').waitFor();

  await page.getByPlaceholder('Add a transformation').click();
  await page.getByRole('option', { name: 'limit', exact: true }).click();
  await page.locator('[data-form="limit"]').getByLabel('Rows').fill('1');
  await until(async () => (await page.getByRole('cell', { name: /^hedgewatch/ }).count()) === 1, 60_000);
  await picture(page, 'transformations');
  expect(await seriousFindings(page)).toEqual([]);

  await page.getByRole('button', { name: 'Back to the dashboard' }).click();
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
  await page.getByText('version 2').waitFor();
  const stored = (await (await fetch(`${server.url}/api/hw/v1/dashboards/forms/export`)).json()) as {
    panels: { transformations: unknown }[];
  };
  expect(stored.panels[0]?.transformations).toEqual([
    {
      id: 'organize',
      options: {
        excludeByName: { Time: true, job: false },
        renameByName: { instance: 'Host', job: 'Job' },
      },
    },
    { id: 'ofTheFuture', options: { keep: ['me'] } },
    { id: 'limit', options: { limitField: 1 } },
  ]);
  expect(problems).toEqual([]);
});

test('what is calculated, filtered and grouped is set in forms', async () => {
  const { page, problems } = await openPage(browser, server, { height: 1500, theme: 'light' });
  await page.goto('/dashboards/forms?editPanel=1');
  await page.getByRole('tab', { name: /Transformations/ }).click({ timeout: 30_000 });
  const add = async (id: string) => {
    await page.getByPlaceholder('Add a transformation').click();
    await page.getByRole('option', { name: id, exact: true }).click();
    return page.locator(`[data-form="${id}"]`);
  };
  const organize = page.locator('[data-form="organize"]');
  await organize.getByLabel('Rename').fill('"a, b" = c, instance = "Where, now"');
  await organize.getByLabel('Hide').click();
  await page.getByRole('columnheader', { name: 'Where, now' }).waitFor();

  const calculate = await add('calculateField');
  await calculate.getByLabel('Of', { exact: true }).click();
  await page.getByRole('option', { name: 'two columns or numbers' }).click();
  await calculate.getByLabel('Left').fill('Value');
  await calculate.getByLabel('Right').fill('41');
  await calculate.getByLabel('Name').fill('Answer');
  await page.getByRole('columnheader', { name: 'Answer' }).waitFor();
  await page.getByRole('cell', { name: '42', exact: true }).first().waitFor();

  const filter = await add('filterByValue');
  await filter.getByRole('button', { name: 'Add a condition' }).click();
  await filter.getByLabel('Column').fill('Answer');
  await filter.getByLabel('value').fill('50');
  await page.getByRole('cell', { name: '42', exact: true }).first().waitFor({ state: 'detached' });
  await filter.getByLabel('value').fill('40');
  await page.getByRole('cell', { name: '42', exact: true }).first().waitFor();

  const group = await add('groupBy');
  await group.getByLabel('Group by').fill('job');
  await group.getByLabel('Calculate column').fill('Answer');
  await group.getByLabel('Calculate column').press('Enter');
  await page.getByRole('columnheader', { name: /Answer \(/ }).waitFor();
  await picture(page, 'transformations-more');
  expect(await seriousFindings(page)).toEqual([]);

  await page.getByRole('button', { name: 'Back to the dashboard' }).click();
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
  await page.getByText('version 3').waitFor();
  const stored = (await (await fetch(`${server.url}/api/hw/v1/dashboards/forms/export`)).json()) as {
    panels: { transformations: { id: string; options: Record<string, unknown> }[] }[];
  };
  const optionsOf = (id: string) => stored.panels[0]?.transformations.find((t) => t.id === id)?.options;
  expect(optionsOf('organize')?.renameByName).toEqual({ 'a, b': 'c', instance: 'Where, now' });
  expect(optionsOf('calculateField')).toEqual({
    mode: 'binary',
    binary: { left: 'Value', right: '41' },
    alias: 'Answer',
  });
  expect(optionsOf('filterByValue')).toEqual({
    filters: [{ fieldName: 'Answer', config: { id: 'greater', options: { value: 40 } } }],
  });
  expect(optionsOf('groupBy')).toEqual({
    fields: {
      job: { operation: 'groupby', aggregations: [] },
      Answer: { operation: 'aggregate', aggregations: ['lastNotNull'] },
    },
  });
  expect(problems).toEqual([]);
});
