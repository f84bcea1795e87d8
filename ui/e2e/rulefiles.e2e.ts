import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { seriousFindings } from './axe';
import { openPage, picture, startBrowser, startServer, type Server } from './harness';

const text = `# Rules of the desk.
groups:
  - name: desk   # by hand
    rules:
      - alert: Up
        expr:   up > 5   # never
        labels: {severity: 'info'}
      - alert: Up
        expr: up > 6
`;

const config = (dir: string, allow: boolean) => `
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: ['${dir}/*.yml']
rules: {allow_file_edit: ${allow}}
scrape_configs:
  - job_name: self
    static_configs: [{targets: ['127.0.0.1:1']}]
`;

let dir: string;
let file: string;
let server: Server;
let closed: Server;
let browser: Browser;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'hedgewatch-rules-'));
  file = join(dir, 'desk.yml');
  writeFileSync(file, text);
  [server, closed, browser] = await Promise.all([
    startServer({ config: config(dir, true) }),
    startServer({ config: config(dir, false) }),
    startBrowser(),
  ]);
});

beforeEach(() => writeFileSync(file, text));

afterAll(async () => {
  await browser?.close();
  await Promise.all([server?.stop(), closed?.stop()]);
  rmSync(dir, { recursive: true, force: true });
});

test('a rule of a file is changed there, and nothing else in the file', async () => {
  const { page, problems } = await openPage(browser, server);
  await page.goto('/rules');
  await page.locator('[data-rule="Up"]').first().getByRole('link').click();
  await page.getByLabel('Threshold value').fill('7');
  await page.getByRole('button', { name: 'Change in the file' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('+        expr:   up > 7   # never').waitFor();
  await picture(page, 'rule-file');
  expect(await seriousFindings(page)).toEqual([]);
  await dialog.getByRole('button', { name: 'Write the file' }).click();
  await page.locator('[data-rule="Up"]').getByText('up > 7').waitFor();
  expect(readFileSync(file, 'utf8')).toBe(text.replace('up > 5', 'up > 7'));

  // The second of the name is another rule.
  await page.locator('[data-rule="Up"]').nth(1).getByRole('link').click();
  await page.waitForFunction(() => location.search.includes('nth=1'));
  await page.getByRole('button', { name: 'More' }).click();
  await page.getByRole('menuitem', { name: 'Take it out of the file' }).click();
  await dialog.getByText('-        expr: up > 6').waitFor();
  await dialog.getByRole('button', { name: 'Write the file' }).click();
  // Evaluated, too: the next test writes the file, and must not be read in between.
  await page.waitForURL((url) => url.pathname === '/rules');
  expect(readFileSync(file, 'utf8')).not.toContain('up > 6');
  expect(problems).toEqual([]);
});

test('a new rule goes into a group of a file, at its end', async () => {
  const { page, problems } = await openPage(browser, server);
  await page.goto('/rules/edit');
  await page.getByLabel('Name', { exact: true }).fill('Fresh');
  await page.getByLabel('Query', { exact: true }).click();
  await page.keyboard.type('up');
  await page.keyboard.press('Escape');
  await page.getByLabel('Threshold value').fill('11');
  await page.getByRole('textbox', { name: 'Group' }).fill('');
  await page.getByRole('option', { name: 'desk in desk.yml' }).click();
  await page.getByText(`The rule goes to the end of the group desk in ${file}`).waitFor();
  await page.getByRole('button', { name: 'Add to the file' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('+      - alert: Fresh').waitFor();
  await picture(page, 'rule-file-new');
  expect(await seriousFindings(page)).toEqual([]);
  await dialog.getByRole('button', { name: 'Write the file' }).click();
  await page.locator('[data-rule="Fresh"]').getByText('up > 11').waitFor();
  expect(readFileSync(file, 'utf8')).toBe(
    `${text}      - alert: Fresh
        expr: up > 11
        for: 1m
        labels:
          severity: warning
`,
  );
  expect(problems.filter((p) => !/status of 404/.test(p))).toEqual([]);
});

test('a file that somebody else has changed is left as it is', async () => {
  const { page } = await openPage(browser, server);
  await page.goto(`/rules/edit?${new URLSearchParams({ group: 'desk', file, rule: 'Up' })}`);
  await page.getByLabel('Threshold value').fill('8');
  writeFileSync(file, `${text}# theirs\n`);
  await page.getByRole('button', { name: 'Change in the file' }).click();
  await page.getByText(/the file has changed since it was read/).waitFor();
  await page.getByRole('button', { name: 'Cancel' }).click();
  expect(await page.getByLabel('Threshold value').inputValue()).toBe('8');
  expect(readFileSync(file, 'utf8')).toBe(`${text}# theirs\n`);
});

test('a bad rule is refused with its reason', async () => {
  const { page } = await openPage(browser, server);
  await page.goto(`/rules/edit?${new URLSearchParams({ group: 'desk', file, rule: 'Up' })}`);
  await page.getByRole('textbox', { name: 'For', exact: true }).fill('soon');
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Change in the file' }).click();
  await page.getByText(/invalid rule: not a valid duration string/).waitFor();
  expect(readFileSync(file, 'utf8')).toBe(text);
});

test('where files may not be written, the diff is there to copy', async () => {
  const { page } = await openPage(browser, closed, { theme: 'light' });
  await page.goto(`/rules/edit?${new URLSearchParams({ group: 'desk', file, rule: 'Up' })}`);
  await page.getByLabel('Threshold value').fill('9');
  await page.getByRole('button', { name: 'Change in the file' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('To be applied by hand').waitFor();
  await dialog.getByText(/rules.allow_file_edit/).waitFor();
  await picture(page, 'rule-file-closed');
  expect(await seriousFindings(page)).toEqual([]);
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await dialog.getByRole('button', { name: 'Copy the diff' }).click();
  await page.getByText('The diff is copied').waitFor();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toContain(
    '+        expr:   up > 9   # never',
  );
  expect(await dialog.getByRole('button', { name: 'Write the file' }).count()).toBe(0);
  expect(readFileSync(file, 'utf8')).toBe(text);
});

test('an edit survives a link that is followed and a reload, until it is discarded', async () => {
  const { page } = await openPage(browser, server);
  const edit = `/rules/edit?${new URLSearchParams({ group: 'desk', file, rule: 'Up' })}`;
  await page.goto(edit);
  await page.getByLabel('Threshold value').fill('77');
  await page.getByRole('link', { name: 'Silences' }).click();
  await page.getByText('Nothing is silenced').waitFor();
  await page.goto(edit);
  await page.getByText('This is your edit that was not saved.').waitFor();
  expect(await page.getByLabel('Threshold value').inputValue()).toBe('77');
  await page.getByRole('button', { name: 'Discard it' }).click();
  expect(await page.getByLabel('Threshold value').inputValue()).not.toBe('77');
  await page.reload();
  await page.getByLabel('Threshold value').waitFor();
  expect(await page.getByText('This is your edit').count()).toBe(0);
});
