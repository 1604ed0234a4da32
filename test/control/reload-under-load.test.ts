/** Reload with the real data plane: no request fails, no connection closes, and no mixture of two configurations. */
import assert from 'node:assert/strict';
import { Agent, createServer, get } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { test } from 'node:test';
import { startGateway } from '../support/gateway.ts';
import { waitFor } from '../support/wait.ts';

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly socket: Socket;
}

function ask(url: string, agent: Agent): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const call = get(url, { agent }, (response) => {
    const { socket } = response;
    let text = '';
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => void (text += chunk));
    response.on('end', () => resolve({ status: response.statusCode ?? 0, text, socket }));
    response.on('error', reject);
  });
  call.on('error', reject);
  return promise;
}

test('requests go on while the configuration changes', async () => {
  const upstream = createServer((request, response) => response.end(request.url));
  upstream.listen(0, '127.0.0.1');
  await once(upstream, 'listening');
  const { port } = upstream.address() as AddressInfo;
  // Both routes change together, so that a request tells which revision it met.
  const config = (revision: number): Record<string, unknown> => ({
    _format_version: '3.0',
    services: ['a', 'b'].map((name) => ({
      name,
      url: `http://127.0.0.1:${port}/${revision}`,
      routes: [{ name, paths: [`/${name}`] }],
    })),
  });
  try {
    await using gateway = await startGateway({ config: config(0), settings: { nginx_worker_processes: 2 } });
    const agent = new Agent({ keepAlive: true, maxSockets: 4 });
    const sockets = new Set<Socket>();
    let stop = false;
    let answers = 0;
    const client = async (path: string): Promise<void> => {
      let latest = new Map<Socket, number>();
      while (!stop) {
        const { status, text, socket } = await ask(`${gateway.url}${path}`, agent);
        assert.equal(status, 200, text);
        sockets.add(socket);
        const revision = Number(text.slice(1));
        assert.ok(revision >= (latest.get(socket) ?? 0), 'a connection never goes back to an older revision');
        latest = latest.set(socket, revision);
        answers += 1;
      }
    };
    const clients = ['/a', '/b', '/a', '/b'].map((path) => client(path));
    for (let revision = 1; revision <= 10; revision++) {
      const { status } = await gateway.postConfig(config(revision));
      assert.equal(status, 201);
      const fresh = await ask(`${gateway.url}/a`, new Agent());
      assert.equal(fresh.text, `/${revision}`, 'answered means served');
    }
    await waitFor(() => answers > 50, { what: 'requests meanwhile' });
    stop = true;
    await Promise.all(clients);
    agent.destroy();
    assert.equal(sockets.size, 4, 'no connection was closed');
  } finally {
    upstream.close();
    upstream.closeAllConnections();
  }
});
