import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { seriousFindings } from './axe';
import { binary, end, openPage, picture, startBrowser, until, type Server } from './harness';

/** What the panel promises is for an idle machine. */
const patience = 60_000;

const installed = [
  '/usr/lib/postgresql',
  ...(process.env.PATH ?? '').split(delimiter).map((dir) => join(dir, 'initdb')),
].some((path) => existsSync(path));

interface Demo {
  hedgewatch: Server;
  panel: Server;
  stop: () => Promise<void>;
}

/** Starts `hedgewatch demo` on free ports, and waits until it says where it is. */
async function startDemo(): Promise<Demo> {
  const dir = mkdtempSync(join(tmpdir(), 'hedgewatch-demo-e2e-'));
  chmodSync(dir, 0o711); // The database's user has to get there.
  const free = ['panel', 'web', 'governor'].map((name) => `--${name}.listen-address=127.0.0.1:0`);
  const child: ChildProcess = spawn(binary, ['demo', ...free], {
    env: { ...process.env, TMPDIR: dir },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk) => (out = (out + String(chunk)).slice(-20_000)));
  const stop = async () => {
    await end(child);
    rmSync(dir, { recursive: true, force: true });
  };
  const address = (what: string) => new RegExp(`^ +${what} +(http://\\S+)$`, 'm').exec(out)?.[1];
  try {
    await until(async () => {
      if (child.exitCode !== null) throw new Error('the demo ended');
      return address('the inbox') !== undefined;
    }, 110_000);
  } catch (error) {
    await stop();
    throw new Error(`start ${binary} demo: ${String(error)}\n${out}`);
  }
  const server = (what: string): Server => ({ url: address(what) ?? '', stop });
  return { hedgewatch: server('hedgewatch'), panel: server('break something'), stop };
}

let demo: Demo;
let browser: Browser;

// REALPARTS=all lets nothing be left out: then the demo itself says what is missing.
describe.skipIf(!installed && process.env.REALPARTS !== 'all')(
  'with PostgreSQL (apt-get install postgresql)',
  () => {
    beforeAll(async () => {
      [demo, browser] = await Promise.all([startDemo(), startBrowser()]);
    });

    afterAll(async () => {
      await browser?.close();
      await demo?.stop();
    });

    test('what the panel breaks arrives in the inbox with its cause, and ends after the repair', async () => {
      const [panel, inbox, hedgewatch] = await Promise.all([
        openPage(browser, demo.panel),
        openPage(browser, demo.panel),
        openPage(browser, demo.hedgewatch),
      ]);
      await panel.page.goto('/');
      await inbox.page.goto('/inbox');
      await hedgewatch.page.goto('/');
      await hedgewatch.page.getByRole('heading', { name: 'Overview' }).waitFor();
      await inbox.page.locator('#discord', { hasText: /Nothing yet|hedgewatch/ }).waitFor();

      // In this order none raises an alert that a later one waits for.
      for (const { fault, alert, cause } of [
        {
          fault: 'drop-rows',
          alert: 'AuditRowsMissing',
          cause: ['ETHUSDT', 'by the platform', 'the exchange has these bars'],
        },
        { fault: 'stop-crawler', alert: 'PlatformServiceDown', cause: ['kline-crawler does not run'] },
        { fault: 'break-config', alert: 'ServiceFailing', cause: ['order-router', 'cause: configuration'] },
      ]) {
        const row = panel.page.locator(`[data-fault="${fault}"]`);
        const told = (title: RegExp) => messages(inbox.page, title, [alert]);
        expect(await told(/./).count(), `${alert} before ${fault}`).toBe(0);

        await row.getByRole('button', { name: 'Break' }).click();
        await row.getByRole('button', { name: 'Repair' }).waitFor({ timeout: patience });
        expect(await row.getAttribute('class')).toBe('broken');
        await messages(inbox.page, /^[^✅]/u, [alert, ...cause])
          .first()
          .waitFor({ timeout: patience });
        // The page has it too, without a reload.
        await hedgewatch.page.getByText(alert).first().waitFor({ timeout: patience });
        if (fault === 'break-config') {
          // Discord's markup is shown as Discord shows it.
          await told(/^[^✅]/u)
            .first()
            .getByRole('link', { name: 'Silence' })
            .waitFor();
          expect(await inbox.page.locator('#discord').innerText()).not.toMatch(/<t:|\*\*/);
          await picture(hedgewatch.page, 'demo-overview');
          await picture(panel.page, 'demo-panel');
          await picture(inbox.page, 'demo-inbox');
          for (const colorScheme of ['dark', 'light'] as const) {
            await panel.page.emulateMedia({ colorScheme });
            expect(await seriousFindings(panel.page)).toEqual([]);
          }
          expect(await seriousFindings(inbox.page)).toEqual([]);
        }

        await row.getByRole('button', { name: 'Repair' }).click();
        await row.getByRole('button', { name: 'Break' }).waitFor({ timeout: patience });
        await told(/^✅/u).first().waitFor({ timeout: patience });
      }
      await picture(inbox.page, 'demo-inbox-resolved');
      for (const { problems } of [panel, inbox, hedgewatch]) expect(problems).toEqual([]);
    });

    test('a fault that cannot be broken twice says so on the panel', async () => {
      const { page } = await openPage(browser, demo.panel);
      await page.goto('/');
      const button = page.locator('[data-fault="skew-clock"]').getByRole('button', { name: 'Break' });
      await button.waitFor();
      // Somebody else does it between two looks of the page.
      const before = await (await fetch(`${demo.panel.url}/api/faults`)).text();
      await page.route('**/api/faults', (route) => route.fulfill({ body: before }));
      expect((await fetch(`${demo.panel.url}/api/faults/skew-clock/break`, { method: 'POST' })).status).toBe(
        204,
      );
      await button.click();
      await page
        .getByRole('alert')
        .filter({ hasText: 'skew-clock: it is broken already; repair it first' })
        .waitFor();
      expect((await fetch(`${demo.panel.url}/api/faults/skew-clock/repair`, { method: 'POST' })).status).toBe(
        204,
      );
    });
  },
);

/** Messages of the inbox with such a title and all of these texts. */
function messages(page: Page, title: RegExp, texts: string[]) {
  const all = page
    .locator('#discord article')
    .filter({ has: page.locator('.title').filter({ hasText: title }) });
  return texts.reduce((some, text) => some.filter({ hasText: text }), all);
}
