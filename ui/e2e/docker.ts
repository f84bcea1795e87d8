import { rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A container as the daemon describes it; see Docker's API 1.41. */
export interface Container {
  name: string;
  service: string;
  status: 'running' | 'restarting' | 'exited';
  restarts: number;
  exitCode: number;
  oomKilled?: boolean;
  memory?: number;
  dependsOn?: string;
  log: string;
  endedAt?: Date;
  labels?: Record<string, string>;
}

export interface Docker {
  address: string;
  containers: Container[];
  /** Ends a container's process and says so, as the daemon does. */
  die: (name: string, exitCode: number) => void;
  stop: () => Promise<void>;
}

/** Speaks Docker's API on a socket of its own: containers, their logs, and events. */
export async function startDocker(containers: Container[]): Promise<Docker> {
  const path = join(tmpdir(), `hedgewatch-docker-${process.pid}-${Math.random().toString(36).slice(2)}.sock`);
  const listeners = new Set<ServerResponse>();
  const started = new Date(Date.now() - 3_600_000);
  const describe = (c: Container) => {
    const ended = c.endedAt ?? new Date(0);
    return {
      Id: `id-${c.name}`,
      Name: `/${c.name}`,
      RestartCount: c.restarts,
      Config: {
        Image: `registry.example/${c.service}:1.4.2`,
        Tty: true,
        Labels: {
          'com.docker.compose.service': c.service,
          'com.docker.compose.project': 'trading',
          ...(c.dependsOn ? { 'com.docker.compose.depends_on': `${c.dependsOn}:service_healthy:false` } : {}),
          ...c.labels,
        },
      },
      HostConfig: { RestartPolicy: { Name: 'always' }, Memory: c.memory ?? 0 },
      State: {
        Status: c.status,
        Running: c.status !== 'exited',
        Restarting: c.status === 'restarting',
        ExitCode: c.exitCode,
        OOMKilled: c.oomKilled ?? false,
        StartedAt: (c.endedAt ? new Date(ended.getTime() - 2000) : started).toISOString(),
        FinishedAt: c.endedAt ? ended.toISOString() : '0001-01-01T00:00:00Z',
      },
    };
  };
  const server = createServer((request, response) => {
    response.setHeader('Api-Version', '1.41');
    response.setHeader('Content-Type', 'application/json');
    const url = request.url?.split('?')[0] ?? '';
    const container = containers.find((c) => url.includes(`/containers/id-${c.name}/`));
    if (url.endsWith('/events')) {
      listeners.add(response);
      response.on('close', () => listeners.delete(response));
      response.flushHeaders();
    } else if (url.endsWith('/containers/json')) {
      response.end(JSON.stringify(containers.map((c) => ({ Id: `id-${c.name}` }))));
    } else if (container && url.endsWith('/logs')) {
      response.end(container.log);
    } else if (container && url.endsWith('/json')) {
      response.end(JSON.stringify(describe(container)));
    } else if (url.endsWith('/version')) {
      response.end(
        JSON.stringify({
          Version: '27.0.0',
          ApiVersion: '1.41',
          MinAPIVersion: '1.24',
          Platform: { Name: 'Docker Engine' },
        }),
      );
    } else {
      response.end();
    }
  });
  await new Promise<void>((done) => server.listen(path, done));
  return {
    address: `unix://${path}`,
    containers,
    die: (name, exitCode) => {
      const container = containers.find((c) => c.name === name);
      if (!container) throw new Error(`no container ${name}`);
      container.status = 'restarting';
      container.exitCode = exitCode;
      container.endedAt = new Date();
      container.restarts++;
      const event = {
        Type: 'container',
        Action: 'die',
        Actor: { ID: `id-${name}`, Attributes: { exitCode: String(exitCode), name } },
        time: Math.floor(Date.now() / 1000),
        timeNano: Date.now() * 1_000_000,
      };
      for (const l of listeners) l.write(`${JSON.stringify(event)}\n`);
    },
    stop: async () => {
      const closed = new Promise((done) => server.close(done));
      server.closeAllConnections();
      await closed;
      rmSync(path, { force: true });
    },
  };
}
