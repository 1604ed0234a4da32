/** Streams over the targets of an upstream: hashed on the client's address, and by what is in flight on all workers. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as net from 'node:net';
import { after, test } from 'node:test';
import { startGateway } from '../support/gateway.ts';
import { freePorts } from '../support/ports.ts';
import { waitFor } from '../support/wait.ts';

/** Says its name to whoever comes. */
async function startServer(
  name: string,
): Promise<{ server: net.Server; port: number; sockets: Set<net.Socket> }> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.write(name);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return { server, port: address.port, sockets };
}

const [a, b, c] = await Promise.all(['a', 'b', 'c'].map((name) => startServer(name)));
assert.ok(a && b && c);
const [hashed = 0, least = 0, dead = 0] = await freePorts(3);

const upstream = (name: string, fields: object, ports: readonly number[]) => ({
  name,
  ...fields,
  targets: ports.map((port) => ({ target: `127.0.0.1:${port}`, weight: port === dead ? 1000 : 100 })),
});
const service = (name: string, port: number) => ({
  name,
  host: name,
  protocol: 'tcp',
  routes: [{ name, protocols: ['tcp'], destinations: [{ port }] }],
});

const gateway = await startGateway({
  config: {
    _format_version: '3.0',
    upstreams: [
      upstream('hashed', { hash_on: 'ip' }, [a.port, b.port, c.port]),
      upstream('least', { algorithm: 'least-connections' }, [dead, a.port, b.port]),
    ],
    services: [service('hashed', hashed), service('least', least)],
  },
  settings: { nginx_worker_processes: 2, stream_listen: `127.0.0.1:${hashed}, 127.0.0.1:${least}` },
});

after(async () => {
  await gateway[Symbol.asyncDispose]();
  for (const { server, sockets } of [a, b, c]) {
    server.close();
    for (const socket of sockets) socket.destroy();
  }
});

async function open(port: number, from = '127.0.0.1'): Promise<{ client: net.Socket; name: string }> {
  const client = net.connect({ port, host: '127.0.0.1', localAddress: from });
  client.on('error', () => {});
  const [name] = (await once(client, 'data')) as [Buffer];
  return { client, name: name.toString() };
}

async function openStreams(): Promise<number> {
  const response = await fetch(`${gateway.adminUrl}/status`);
  const { sluice } = (await response.json()) as { sluice: { streams: { active: number } } };
  return sluice.streams.active;
}

test('an address has its target, whatever worker takes it, and addresses spread', async () => {
  const names = new Map<string, string>();
  for (const round of [1, 2]) {
    for (let n = 1; n <= 60; n++) {
      const from = `127.0.1.${n}`;
      const { client, name } = await open(hashed, from);
      client.destroy();
      assert.equal(names.get(from) ?? name, name, `${from} in round ${round}`);
      names.set(from, name);
    }
  }
  assert.deepEqual([...new Set(names.values())].toSorted(), ['a', 'b', 'c']);
});

test('least connections: streams of both workers are counted until they end, and a try that failed is not', async () => {
  await waitFor(async () => (await openStreams()) === 0, { what: 'streams of other tests to end' });
  const opened: Array<{ client: net.Socket; name: string }> = [];
  for (let n = 0; n < 12; n++) opened.push(await open(least));
  const of = (wanted: string) => opened.filter(({ name }) => name === wanted);
  assert.deepEqual([of('a').length, of('b').length], [6, 6]);
  for (const { client } of of('a').slice(0, 4)) {
    client.end();
    client.resume();
  }
  await waitFor(async () => (await openStreams()) === 8, { what: 'streams to end' });
  for (let n = 0; n < 4; n++) assert.equal((await open(least)).name, 'a');
});
