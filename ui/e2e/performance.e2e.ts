import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Browser, CDPSession, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startGrafana } from './grafana';
import { openPage, picture, startBrowser, startServer, type Server } from './harness';

const promtool = resolve(process.env.PROMTOOL ?? join(import.meta.dirname, '../../.cache/bin/promtool'));
const seriesCount = 50;
const pointCount = 700;
const stepSeconds = 15;
const graphs = 8;
/** The benchmarks ask for several, and for Grafana beside. */
const rounds = Number(process.env.ROUNDS ?? 1);

let server: Server;
let grafana: Server | undefined;
let browser: Browser;
let cdp: CDPSession;
const end = Math.floor(Date.now() / 1000 / stepSeconds) * stepSeconds - 3600;
const start = end - (pointCount - 1) * stepSeconds;

beforeAll(async () => {
  [server, browser] = await Promise.all([startServer({ prepare: fill }), startBrowser()]);
  cdp = await browser.newBrowserCDPSession();
  const response = await fetch(`${server.url}/api/hw/v1/dashboards/load`, {
    method: 'PUT',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ dashboard: dashboard(), folder: '', version: 0 }),
  });
  expect(response.status).toBe(200);
  if (process.env.FIGURES) grafana = await startGrafana(server.url, dashboard());
}, 120_000);

afterAll(async () => {
  await browser?.close();
  await grafana?.stop();
  await server?.stop();
});

/** History cannot be pushed; a block is what a server that ran would have. */
function fill(storage: string): void {
  const lines = ['# TYPE load gauge'];
  for (let s = 0; s < seriesCount; s++) {
    for (let i = 0; i < pointCount; i++) {
      const value = Math.sin((i + s * 17) / 40) * 10 + s + Math.cos(i * s) * 2;
      lines.push(`load{series="${s}"} ${value.toFixed(3)} ${start + i * stepSeconds}`);
    }
  }
  mkdirSync(storage, { recursive: true });
  const file = join(storage, '../load.om');
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

function dashboard(): object {
  const panels = Array.from({ length: 12 }, (_, i) => ({
    id: i + 1,
    type: i < graphs ? 'timeseries' : 'stat',
    title: `Panel ${i + 1}`,
    gridPos: { x: (i % 4) * 6, y: Math.floor(i / 4) * 7, w: 6, h: 7 },
    targets: [{ refId: 'A', expr: i < graphs ? `load * ${i + 1}` : 'sum(load)', legendFormat: '{{series}}' }],
    options: {
      legend: { showLegend: true, displayMode: 'list', placement: 'bottom' },
      tooltip: { mode: 'multi' },
    },
    maxDataPoints: pointCount,
  }));
  return { uid: 'load', title: 'Load', graphTooltip: 1, panels };
}

/** Seconds of CPU that all processes of the browser have used. */
async function cpuSeconds(): Promise<number> {
  const { processInfo } = (await cdp.send('SystemInfo.getProcessInfo')) as {
    processInfo: { cpuTime: number }[];
  };
  return processInfo.reduce((sum, p) => sum + p.cpuTime, 0);
}

const twoFrames = (page: Page) =>
  page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));

interface Figures {
  /** Seconds of CPU until all graphs are drawn, and of sixty moves. */
  paint: number;
  moves: number;
  heapBytes: number;
  /** What the pages' scripts are on the way, compressed. */
  scriptBytes: number;
}

async function compressedSize(url: string): Promise<number> {
  const answer = await fetch(url);
  return gzipSync(await answer.arrayBuffer()).length;
}

/** Opens the dashboard in a browser that has seen the home page, and moves the mouse over a graph. */
async function follow(page: Page, path: string, name: string): Promise<Figures> {
  const scripts = new Set<string>();
  page.on('request', (request) => {
    if (request.resourceType() === 'script') scripts.add(request.url());
  });
  await page.goto('/');
  await page.waitForTimeout(2000);
  await page.goto('about:blank');
  const before = await cpuSeconds();
  await page.goto(`${path}?from=${start * 1000}&to=${end * 1000}&refresh=`);
  await page.waitForFunction((count) => document.querySelectorAll('.uplot canvas').length === count, graphs);
  // Half a second more is theirs whose other panels come later.
  await page.waitForTimeout(500);
  const paint = (await cpuSeconds()) - before;
  await page.waitForTimeout(500);
  await picture(page, name);

  const plot = (await page.locator('.u-over').nth(5).boundingBox())!;
  const beforeMoves = await cpuSeconds();
  // A hand does not wait for the page: one move every 16 ms, whether or not the last one is drawn.
  const sent: Promise<void>[] = [];
  const handBegan = Date.now();
  for (let i = 0; i < 60; i++) {
    await new Promise((done) => setTimeout(done, handBegan + i * 16 - Date.now()));
    sent.push(
      page.mouse.move(
        plot.x + (plot.width * (i + 1)) / 62,
        plot.y + plot.height * (0.3 + 0.4 * Math.sin(i / 6) ** 2),
      ),
    );
  }
  await Promise.all(sent);
  await twoFrames(page);
  const moves = (await cpuSeconds()) - beforeMoves;
  await picture(page, `${name}-tooltip`);

  const session = await page.context().newCDPSession(page);
  await session.send('HeapProfiler.collectGarbage');
  const { usedSize } = (await session.send('Runtime.getHeapUsage')) as { usedSize: number };
  const sizes = await Promise.all([...scripts].map(compressedSize));
  return { paint, moves, heapBytes: usedSize, scriptBytes: sizes.reduce((sum, n) => sum + n, 0) };
}

test('twelve panels with four hundred lines are drawn and followed cheaply', async () => {
  const figures: Record<string, Figures[]> = {};
  const measure = async (name: string, { url }: Server, path: string) => {
    const { page } = await openPage(browser, { url }, { width: 1600, height: 900 });
    const seen = await follow(page, path, `load-${name}`);
    await page.context().close();
    (figures[name] ??= []).push(seen);
    console.log(name, JSON.stringify(seen));
  };
  for (let i = 0; i < rounds; i++) {
    await measure('hedgewatch', server, '/dashboards/load');
    if (grafana) await measure('grafana', grafana, '/d/load');
  }
  // For the benchmarks, which set them against the goals.
  if (process.env.FIGURES) writeFileSync(process.env.FIGURES, JSON.stringify(figures));
  const least = (pick: (f: Figures) => number) => Math.min(...(figures.hedgewatch ?? []).map(pick));
  // The goals are 2 s, 0.4 s, 60 MB and 350 KB on a quiet machine; tests share theirs.
  expect(least((f) => f.paint)).toBeLessThan(3);
  expect(least((f) => f.moves)).toBeLessThan(0.7);
  expect(least((f) => f.heapBytes)).toBeLessThan(30e6);
  expect(least((f) => f.scriptBytes)).toBeLessThan(350e3);
});
