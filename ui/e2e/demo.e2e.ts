import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { seriousFindings } from './axe';
import { binary, end, openPage, picture, startBrowser, until, type OpenPage, type Server } from './harness';

/** What the panel promises is for an idle machine; a busy one may take this many times as long. */
const busy = 4;

interface Demo {
  hedgewatch: Server;
  panel: Server;
  stop: () => Promise<void>;
}

/** Starts `hedgewatch demo` on free ports, and waits until it says where it is. */
async function startDemo(): Promise<Demo> {
  const dir = mkdtempSync(join(tmpdir(), 'hedgewatch-demo-e2e-'));
  chmodSync(dir, 0o711); // PostgreSQL's user has to get there.
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

/** A fault of the panel, and what people are told of it. */
interface Fault {
  name: string;
  alert: string;
  /** All of these stand in the message. */
  cause: string[];
  /** Where it is told; Discord if nothing is said. */
  channel?: 'discord' | 'backup';
}

/**
 * Every fault. Those of one line do not disturb each other and are broken at the same time; Discord comes
 * last, for it has to tell of the others.
 */
const rounds: Fault[][] = [
  [
    {
      name: 'drop-rows',
      alert: 'AuditRowsMissing',
      cause: ['ETHUSDT', 'by the platform', 'the exchange has these bars'],
    },
    { name: 'alter-row', alert: 'AuditRowsWrong', cause: ['userTrades'] },
    { name: 'flood', alert: 'BackfillFloodsExchange', cause: ['kline-crawler'] },
    { name: 'leak', alert: 'ServiceFailing', cause: ['reporting-api', 'memory limit'] },
    { name: 'break-config', alert: 'ServiceFailing', cause: ['order-router', 'cause: configuration'] },
    { name: 'skew-clock', alert: 'BinanceClockOffset', cause: ['The clock of'] },
    { name: 'silence-stream', alert: 'BinanceStreamSilent', cause: ['btcusdt@depth@100ms'] },
  ],
  [{ name: 'stop-crawler', alert: 'PlatformServiceDown', cause: ['kline-crawler does not run'] }],
  [{ name: 'cut-database', alert: 'ServiceFailing', cause: ['database'] }],
  [{ name: 'discord-down', alert: 'MessagesWait', cause: ['Discord takes no messages'], channel: 'backup' }],
];

let demo: Demo;
let browser: Browser;
let panel: OpenPage, inbox: OpenPage, hedgewatch: OpenPage;

beforeAll(async () => {
  [demo, browser] = await Promise.all([startDemo(), startBrowser()]);
  [panel, inbox, hedgewatch] = await Promise.all([
    openPage(browser, demo.panel),
    openPage(browser, demo.panel),
    openPage(browser, demo.hedgewatch),
  ]);
  await panel.page.goto('/');
  await inbox.page.goto('/inbox');
  await hedgewatch.page.goto('/');
  await hedgewatch.page.getByRole('heading', { name: 'Overview' }).waitFor();
  await inbox.page.locator('#discord', { hasText: /Nothing yet|hedgewatch/ }).waitFor();
});

afterAll(async () => {
  await browser?.close();
  await demo?.stop();
});

test('the rounds have every fault of the panel', async () => {
  const rows = panel.page.locator('[data-fault]');
  await rows.first().waitFor();
  const names = await rows.evaluateAll((all) => all.map((row) => row.getAttribute('data-fault')));
  expect(
    rounds
      .flat()
      .map((fault) => fault.name)
      .sort(),
  ).toEqual(names.sort());
});

for (const round of rounds) {
  const names = round.map((fault) => fault.name).join(', ');
  test(`${names}: told in the inbox with the cause, and ended after the repair`, async () => {
    const [first, ...others] = await Promise.all(round.map(promise));
    const before = await Promise.all(round.map((fault) => told(fault, /^/).count()));
    expect(before, `told before they are broken: ${names}`).toEqual(round.map(() => 0));

    for (const fault of round) await press(fault, 'Break', 'Repair');
    const slowest = Math.max(first ?? 0, ...others) * busy;
    await Promise.all(round.map((fault) => told(fault, firing(fault)).first().waitFor({ timeout: slowest })));
    // The overview, which has room for a few, has the first one too, without a reload.
    await hedgewatch.page
      .getByText(round[0]?.alert ?? '')
      .first()
      .waitFor({ timeout: slowest });
    if (round.length > 1) await look();

    for (const fault of round) await press(fault, 'Repair', 'Break');
    await Promise.all(round.map((fault) => told(fault, ended(fault)).first().waitFor({ timeout: slowest })));
    if (round.length > 1) await picture(inbox.page, 'demo-inbox-resolved');
    for (const { problems } of [panel, inbox, hedgewatch]) expect(problems).toEqual([]);
  }, 400_000); // More than the patience with each step, so that a failure names the step.
}

test('a fault that cannot be broken twice says so on the panel', async () => {
  const { page } = await openPage(browser, demo.panel);
  await page.goto('/');
  const button = page.locator('[data-fault="skew-clock"]').getByRole('button', { name: 'Break' });
  await button.waitFor();
  // Somebody else does it between two looks of the page.
  const before = await (await fetch(`${demo.panel.url}/api/faults`)).text();
  await page.route('**/api/faults', (route) => route.fulfill({ body: before }));
  const change = async (action: string) =>
    (await fetch(`${demo.panel.url}/api/faults/skew-clock/${action}`, { method: 'POST' })).status;
  expect(await change('break')).toBe(204);
  await button.click();
  await page
    .getByRole('alert')
    .filter({ hasText: 'skew-clock: it is broken already; repair it first' })
    .waitFor();
  expect(await change('repair')).toBe(204);
});

/** What the panel says how long it takes, in milliseconds. */
async function promise(fault: Fault): Promise<number> {
  const text = await row(fault).innerText();
  return Number(/within (\d+) s/.exec(text)?.[1]) * 1000;
}

const row = (fault: Fault) => panel.page.locator(`[data-fault="${fault.name}"]`);

/** Presses a button of a fault, which becomes the other one. */
async function press(fault: Fault, button: string, then: string): Promise<void> {
  await row(fault).getByRole('button', { name: button }).click();
  await row(fault).getByRole('button', { name: then }).waitFor({ timeout: 60_000 });
  expect(await row(fault).getAttribute('class')).toBe(button === 'Break' ? 'broken' : '');
}

const firing = (fault: Fault) => (fault.channel === 'backup' ? /^firing/ : /^[^✅]/u);
const ended = (fault: Fault) => (fault.channel === 'backup' ? /^resolved/ : /^✅/u);

/** Messages of the inbox with such a title, the fault's alert, and its cause. */
function told(fault: Fault, title: RegExp) {
  const all = inbox.page
    .locator(`#${fault.channel ?? 'discord'} article`)
    .filter({ has: inbox.page.locator('.title').filter({ hasText: title }) });
  return [fault.alert, ...fault.cause].reduce((some, text) => some.filter({ hasText: text }), all);
}

/** Looks at the pages while much is broken. */
async function look(): Promise<void> {
  // Discord's markup is shown as Discord shows it.
  await inbox.page.getByRole('link', { name: 'Silence' }).first().waitFor();
  expect(await inbox.page.locator('#discord').innerText()).not.toMatch(/<t:|\*\*/);
  await picture(hedgewatch.page, 'demo-overview');
  await picture(panel.page, 'demo-panel');
  await picture(inbox.page, 'demo-inbox');
  for (const page of [panel.page, inbox.page] satisfies Page[])
    for (const colorScheme of ['dark', 'light'] as const) {
      await page.emulateMedia({ colorScheme });
      expect(await seriousFindings(page)).toEqual([]);
    }
}
