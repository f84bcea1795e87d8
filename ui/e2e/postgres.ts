import { execFileSync, spawn } from 'node:child_process';
import { chownSync, closeSync, mkdtempSync, openSync, readdirSync, existsSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './harness';

export interface Postgres {
  dsn: string;
  sql: (text: string) => void;
  stop: () => Promise<void>;
}

const root = '/usr/lib/postgresql';
const version = existsSync(root) ? readdirSync(root).sort().pop() : undefined;

/** Undefined where PostgreSQL is not installed. */
export async function startPostgres(): Promise<Postgres | undefined> {
  if (version === undefined) return undefined;
  const bin = (name: string) => join(root, version, 'bin', name);
  const dir = mkdtempSync(join(tmpdir(), 'hedgewatch-pg-'));
  // It refuses to be root.
  const nobody = 65534;
  const who = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {};
  if (process.getuid?.() === 0) chownSync(dir, nobody, nobody);
  const data = join(dir, 'data');
  execFileSync(
    bin('initdb'),
    ['-D', data, '-U', 'postgres', '-A', 'trust', '-N', '--locale=C', '--encoding=UTF8'],
    {
      cwd: dir,
      stdio: 'ignore',
      ...who,
    },
  );
  const port = await freePort();
  const log = openSync(join(dir, 'log'), 'w');
  const args = ['-D', data, '-h', '127.0.0.1', '-p', String(port), '-k', dir, '-c', 'fsync=off'];
  const child = spawn(bin('postgres'), args, { cwd: dir, stdio: ['ignore', log, log], ...who });
  closeSync(log);
  const dsn = `postgres://postgres@127.0.0.1:${port}/postgres?sslmode=disable`;
  const sql = (text: string) =>
    void execFileSync(bin('psql'), ['-q', '-v', 'ON_ERROR_STOP=1', dsn], {
      input: text,
      cwd: dir,
      stdio: ['pipe', 'ignore', 'pipe'],
    });
  const stop = async () => {
    const exited = new Promise((done) => child.once('exit', done));
    if (child.exitCode === null) {
      child.kill('SIGINT');
      await exited;
    }
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    await until(async () => {
      try {
        sql('SELECT 1');
        return true;
      } catch {
        return false;
      }
    }, 30_000);
  } catch (error) {
    await stop();
    throw error;
  }
  return { dsn, sql, stop };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}
