import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { seriousFindings } from './axe';
import { openPage, picture, startBrowser, startServer, type Server, type Theme } from './harness';

const promtool = resolve(process.env.PROMTOOL ?? join(import.meta.dirname, '../../.cache/bin/promtool'));
const minutes = 7 * 24 * 60;
const end = Math.floor(Date.now() / 60_000) * 60;
const gib = 1024 ** 3;

let server: Server;
let browser: Browser;

beforeAll(async () => {
  [server, browser] = await Promise.all([
    startServer({ prepare: fill, config: 'host: {enabled: false}\n' }),
    startBrowser(),
  ]);
}, 180_000);

afterAll(async () => {
  await browser?.close();
  await server?.stop();
});

type Value = (minute: number, hourOfDay: number) => number;

/** A week of a small platform, as a server that ran would have it. */
function fill(storage: string): void {
  const lines: string[] = [];
  const gauge = (name: string, labels: string, value: Value) => {
    lines.push(`# TYPE ${name} gauge`);
    for (const l of labels.split('|'))
      for (let i = 0; i < minutes; i++) {
        const at = end - (minutes - i) * 60;
        lines.push(`${name}{${l}} ${value(i, (at / 3600) % 24)} ${at}`);
      }
  };
  const counter = (name: string, labels: string, rate: Value) => {
    lines.push(`# TYPE ${name} counter`);
    for (const l of labels.split('|')) {
      let total = 0;
      for (let i = 0; i < minutes; i++) {
        const at = end - (minutes - i) * 60;
        total += 60 * rate(i, (at / 3600) % 24);
        lines.push(`${name}_total{${l}} ${total} ${at}`);
      }
    }
  };
  const peaky: Value = (_, hour) => (hour >= 13.5 && hour < 14 ? 0.98 : 0.1);
  counter('container_cpu_usage_seconds', 'name="orders",instance="app1"', peaky);
  counter('container_cpu_cfs_periods', 'name="orders",instance="app1"', () => 10);
  counter('container_cpu_cfs_throttled_periods', 'name="orders",instance="app1"', () => 1.5);
  gauge('container_spec_cpu_quota', 'name="orders",instance="app1"', () => 100_000);
  gauge('container_spec_cpu_period', 'name="orders",instance="app1"', () => 100_000);
  gauge(
    'container_memory_working_set_bytes',
    'name="orders",instance="app1"|name="feed",instance="app1"',
    (_, h) => Math.round(0.2 * gib + (0.05 * gib * h) / 24),
  );
  gauge(
    'container_spec_memory_limit_bytes',
    'name="orders",instance="app1"|name="feed",instance="app1"',
    () => 4 * gib,
  );
  gauge(
    'namedprocess_namegroup_memory_bytes',
    'job="host",instance="app1",groupname="crawler",memtype="resident"',
    (i) => Math.round(0.3 * gib + i * 40_000),
  );
  gauge(
    'node_filesystem_size_bytes',
    'job="host",instance="db1",device="sda",fstype="ext4",mountpoint="/"',
    () => 100 * gib,
  );
  gauge(
    'node_filesystem_avail_bytes',
    'job="host",instance="db1",device="sda",fstype="ext4",mountpoint="/"',
    (i) => Math.round(50 * gib - (i * 3 * gib) / 1440),
  );
  gauge('hedgewatch_binance_used_weight', 'market="usdm",egress="default",window="1m"', (_, h) =>
    h < 2 ? 2300 : 700,
  );
  gauge('hedgewatch_binance_weight_limit', 'market="usdm",window="1m"', () => 2400);
  mkdirSync(storage, { recursive: true });
  const file = join(storage, '../week.om');
  writeFileSync(file, `${lines.join('\n')}\n# EOF\n`);
  execFileSync(promtool, [
    'tsdb',
    'create-blocks-from',
    'openmetrics',
    '--quiet',
    file,
    join(storage, 'tsdb'),
  ]);
}

test.each<Theme>(['dark', 'light'])('a week of a platform, in the %s theme', async (theme) => {
  const { page, problems } = await openPage(browser, server, { theme, height: 1100 });
  await page.goto('/capacity');
  const leak = page.locator('[data-item="process crawler memory"]');
  await leak.waitFor({ timeout: 60_000 });
  expect(await leak.getAttribute('data-verdict')).toBe('leak');
  await leak.getByText('Look for a leak rather than for more memory.').waitFor();
  const orders = page.locator('[data-item="container orders cpu"]');
  expect(await orders.getAttribute('data-verdict')).toBe('risk');
  await orders.getByText('Give it at least --cpus=1.5.').waitFor();
  await orders.getByRole('button', { name: /orders/ }).click();
  await orders.getByText(/held it back in 15 % of the scheduler's periods/).waitFor();
  await orders.getByText('Peaks come daily 13:00-14:00 UTC.').waitFor();
  expect(await orders.locator('rect').count()).toBe(168);
  expect(await page.locator('[data-item="host db1 / disk"]').getAttribute('data-verdict')).toBe('risk');
  expect(await page.locator('[data-item="container feed memory"]').getAttribute('data-verdict')).toBe('over');
  await page.locator('[data-give-back]').getByText('7.38 GiB').waitFor();
  await page.waitForTimeout(300);
  await picture(page, `capacity-${theme}`);
  expect(await seriousFindings(page)).toEqual([]);
  expect(problems).toEqual([]);
});

test('is searched, sorted and led on from', async () => {
  const { page, problems } = await openPage(browser, server);
  await page.goto('/capacity?search=container+memory&sort=name');
  const items = page.locator('[data-item]');
  await items.first().waitFor({ timeout: 60_000 });
  const shown = await items.evaluateAll((all) => all.map((e) => e.getAttribute('data-item')));
  expect(shown).toEqual(['container feed memory', 'container orders memory']);
  await items.first().getByRole('button', { name: /feed/ }).click();
  await items.first().getByRole('link', { name: 'Explore' }).click();
  await page.locator('canvas').first().waitFor({ timeout: 60_000 });
  expect(new URL(page.url()).pathname).toBe('/explore');
  expect(problems).toEqual([]);
});

test('fits a phone', async () => {
  const { page } = await openPage(browser, server, { width: 390, height: 844 });
  await page.goto('/capacity');
  const orders = page.locator('[data-item="container orders cpu"]');
  await orders.waitFor({ timeout: 60_000 });
  await orders.getByRole('button', { name: /orders/ }).click();
  await page.waitForTimeout(300);
  await picture(page, 'capacity-phone');
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
});
