import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';

export const binary = resolve(
  process.env.HEDGEWATCH_BIN ?? join(import.meta.dirname, '../../bin/hedgewatch'),
);
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
export const outDir = join(import.meta.dirname, 'out');

export interface Server {
  url: string;
  stop: () => Promise<void>;
}

export interface ServerOptions {
  /** hedgewatch.yml; without one the built-in configuration. */
  config?: string;
  /** Users and tokens, as --web.config.file has them. */
  webConfig?: string;
  prefix?: string;
  /** Fills the storage before the start. */
  prepare?: (storage: string) => void;
}

/** Starts the binary on a free port with an empty directory, and waits until it is ready. */
export async function startServer(options: ServerOptions = {}): Promise<Server> {
  const { config, webConfig, prefix = '', prepare } = options;
  if (!existsSync(binary)) throw new Error(`${binary} does not exist: run make build, or set HEDGEWATCH_BIN`);
  const dir = mkdtempSync(join(tmpdir(), 'hedgewatch-e2e-'));
  const port = await freePort();
  const args = ['run', `--storage.path=${join(dir, 'data')}`, `--web.listen-address=127.0.0.1:${port}`];
  if (prefix) args.push(`--web.route-prefix=${prefix}`);
  prepare?.(join(dir, 'data'));
  if (webConfig !== undefined) {
    writeFileSync(join(dir, 'web.yml'), webConfig);
    args.push(`--web.config.file=${join(dir, 'web.yml')}`);
  }
  if (config !== undefined) {
    writeFileSync(join(dir, 'hedgewatch.yml'), config);
    args.push(`--config.file=${join(dir, 'hedgewatch.yml')}`);
  }
  const child = spawn(binary, args, { cwd: dir, stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.on('data', (chunk) => (log = (log + chunk).slice(-20_000)));
  const url = `http://127.0.0.1:${port}${prefix}`;
  const stop = async () => {
    await end(child);
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    await until(async () => {
      if (child.exitCode !== null) throw new Error(`hedgewatch ended:\n${log}`);
      const ready = await fetch(`${url}/-/ready`).catch(() => undefined);
      return ready?.ok ?? false;
    }, 30_000);
  } catch (error) {
    await stop();
    throw new Error(`start ${binary}: ${String(error)}\n${log}`);
  }
  return { url, stop };
}

export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exited = new Promise((done) => child.once('exit', done));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 15_000);
  await exited;
  clearTimeout(timer);
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  if (typeof address !== 'object' || !address) throw new Error('no free port');
  return address.port;
}

export async function until(condition: () => Promise<boolean>, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not so within ${timeoutMs / 1000} s`);
    await new Promise((done) => setTimeout(done, 200));
  }
}

export async function startBrowser(): Promise<Browser> {
  // A browser that crashes at its start says nothing about the page.
  return launch().catch(launch);
}

function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--enable-precise-memory-info',
    ],
  });
}

export type Theme = 'dark' | 'light';

export interface OpenPage {
  page: Page;
  /** Errors of the console, exceptions, and requests that left the server. A test ends by expecting none. */
  problems: string[];
}

export async function openPage(
  browser: Browser,
  server: Pick<Server, 'url'>,
  options: { theme?: Theme; width?: number; height?: number } = {},
): Promise<OpenPage> {
  const context = await browser.newContext({
    viewport: { width: options.width ?? 1440, height: options.height ?? 900 },
    baseURL: server.url,
    acceptDownloads: true,
  });
  await context.addInitScript((theme) => {
    if (!localStorage.getItem('hedgewatch.theme')) localStorage.setItem('hedgewatch.theme', theme);
  }, options.theme ?? 'dark');
  const page = await context.newPage();
  const problems: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(`console: ${message.text()} ${message.location().url}`);
  });
  page.on('pageerror', (error) => problems.push(`exception: ${error.message}\n${error.stack ?? ''}`));
  page.on('request', (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol.startsWith('http') && origin !== new URL(server.url).origin)
      problems.push(`external request: ${request.url()}`);
  });
  return { page, problems };
}

export async function picture(page: Page, name: string): Promise<void> {
  mkdirSync(outDir, { recursive: true });
  await page.screenshot({ path: join(outDir, `${name}.png`) });
}
