import { spawn } from 'node:child_process';
import { accessSync, constants, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { tmpdir } from 'node:os';
import { end, freePort, until, type Server } from './harness';

const home = process.env.GRAFANA_HOME ?? '/usr/share/grafana';

/**
 * Grafana with one dashboard, which asks the server at dataUrl; undefined where it is
 * not installed. Whoever opens it is let in as a viewer.
 */
export async function startGrafana(dataUrl: string, dashboard: object): Promise<Server | undefined> {
  const binary = onPath('grafana') ?? onPath('grafana-server');
  if (!binary) return undefined;
  const dir = mkdtempSync(join(tmpdir(), 'hedgewatch-grafana-'));
  const write = (path: string, value: object) => {
    mkdirSync(join(dir, path, '..'), { recursive: true });
    writeFileSync(join(dir, path), JSON.stringify(value));
  };
  // JSON is YAML, too.
  write('provisioning/datasources/data.yaml', {
    apiVersion: 1,
    datasources: [{ name: 'data', type: 'prometheus', url: dataUrl, access: 'proxy', isDefault: true }],
  });
  write('provisioning/dashboards/files.yaml', {
    apiVersion: 1,
    providers: [{ name: 'files', type: 'file', options: { path: join(dir, 'dashboards') } }],
  });
  write('dashboards/dashboard.json', dashboard);
  const port = await freePort();
  const args = binary.endsWith('grafana') ? ['server'] : [];
  const child = spawn(binary, [...args, '--homepath', home], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      ...process.env,
      GF_SERVER_HTTP_ADDR: '127.0.0.1',
      GF_SERVER_HTTP_PORT: String(port),
      GF_PATHS_DATA: join(dir, 'data'),
      GF_PATHS_LOGS: join(dir, 'logs'),
      GF_PATHS_PROVISIONING: join(dir, 'provisioning'),
      GF_AUTH_ANONYMOUS_ENABLED: 'true',
      GF_ANALYTICS_REPORTING_ENABLED: 'false',
      GF_ANALYTICS_CHECK_FOR_UPDATES: 'false',
      GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES: 'false',
    },
  });
  let log = '';
  child.stderr.on('data', (chunk) => (log = (log + chunk).slice(-20_000)));
  const url = `http://127.0.0.1:${port}`;
  const stop = async () => {
    await end(child);
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    await until(async () => {
      if (child.exitCode !== null) throw new Error(`grafana ended:\n${log}`);
      const answer = await fetch(`${url}/api/health`).catch(() => undefined);
      return answer?.ok ?? false;
    }, 60_000);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, stop };
}

function onPath(name: string): string | undefined {
  const candidates = (process.env.PATH ?? '').split(delimiter).map((dir) => join(dir, name));
  return candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
