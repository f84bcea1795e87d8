import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPage, picture, startBrowser, startServer, type Server } from './harness';

let server: Server;
let browser: Browser;

// The password is "correct horse", hashed with the least cost that the server takes.
const webConfig = `
basic_auth_users:
  ann: $2a$04$IWBdSB9RkUJSOeWbKJKzz.dVJb5T/u7/G4pZWbWUlr7ejjYQBPpwe
`;

beforeAll(async () => {
  [server, browser] = await Promise.all([startServer({ webConfig }), startBrowser()]);
});

afterAll(async () => {
  await browser?.close();
  await server?.stop();
});

test('nobody sees anything before the login, and an expired session loses no edit', async () => {
  const { page } = await openPage(browser, server);
  await page.goto('/dashboards/hedgewatch-host');
  await page.getByRole('heading', { name: 'Log in to hedgewatch' }).waitFor();
  await picture(page, 'login');
  await page.getByLabel('User').fill('ann');
  await page.locator('input[name=password]').fill('wrong');
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByText('Wrong user or password.').waitFor();
  await page.locator('input[name=password]').fill('correct horse');
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('heading', { name: 'Host: CPU and memory' }).waitFor();
  await page.getByRole('heading', { name: 'Log in to hedgewatch' }).waitFor({ state: 'detached' });

  // An edit begins, then the session ends elsewhere.
  await page.getByRole('button', { name: 'More' }).click();
  await page.getByRole('menuitem', { name: 'Settings and variables' }).click();
  await page.getByRole('textbox', { name: 'Title' }).fill('Edited host');
  await page.keyboard.press('Escape');
  await page.getByText('Not saved').waitFor();
  await page.context().clearCookies();
  await page.getByRole('button', { name: 'Refresh', exact: true }).click();
  await page.getByRole('heading', { name: 'Log in to hedgewatch' }).waitFor();
  await page.getByLabel('User').fill('ann');
  await page.locator('input[name=password]').fill('correct horse');
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('heading', { name: 'Edited host' }).waitFor();
  await page.getByText('Not saved').waitFor();

  await page.getByRole('button', { name: 'ann' }).click();
  await page.getByRole('menuitem', { name: 'Log out' }).click();
  await page.getByRole('heading', { name: 'Log in to hedgewatch' }).waitFor();
  expect(await page.context().cookies()).toEqual([]);
});
