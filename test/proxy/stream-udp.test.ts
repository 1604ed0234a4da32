/** UDP through `stream_listen udp`: sessions, bounds, failures, odd datagrams. */
import assert from 'node:assert/strict';
import * as dgram from 'node:dgram';
import { once } from 'node:events';
import { test } from 'node:test';
import { CELL } from '../../src/zone/worker-zone.ts';
import { startGateway } from '../support/gateway.ts';
import { freePort, freePorts } from '../support/ports.ts';
import { startStreamPlane, type StreamPlane } from '../support/stream-plane.ts';
import { waitFor } from '../support/wait.ts';

class Udp implements AsyncDisposable {
  readonly socket: dgram.Socket;
  readonly got: Buffer[] = [];
  readonly from: dgram.RemoteInfo[] = [];

  constructor(type: dgram.SocketType = 'udp4') {
    this.socket = dgram.createSocket(type);
    this.socket.on('error', () => {});
    this.socket.on('message', (datagram, from) => {
      this.got.push(datagram);
      this.from.push(from);
    });
  }

  async bind(address = '127.0.0.1'): Promise<this> {
    this.socket.bind(0, address);
    await once(this.socket, 'listening');
    return this;
  }

  get port(): number {
    return this.socket.address().port;
  }

  send(datagram: string | Buffer, port: number, address = '127.0.0.1'): void {
    this.socket.send(datagram, port, address);
  }

  async texts(count: number): Promise<string[]> {
    await waitFor(() => this.got.length >= count, { what: `${count} datagrams, have ${this.got.length}` });
    return this.got.map((datagram) => datagram.toString());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.close();
    await once(this.socket, 'close');
  }
}

/** Answers each datagram as often as told, with who it thinks it was. */
async function startEcho(times = 1): Promise<Udp> {
  const server = await new Udp().bind();
  server.socket.on('message', (datagram, { port }) => {
    for (let n = 0; n < times; n++) server.socket.send(datagram, port, '127.0.0.1');
  });
  return server;
}

const toPort = (port: number, upstream: number, fields: object = {}): Record<string, unknown> => ({
  services: [
    {
      name: 's',
      url: `udp://127.0.0.1:${upstream}`,
      ...fields,
      routes: [{ name: 'r', protocols: ['udp'], destinations: [{ port }] }],
    },
  ],
});

async function start(
  upstream: number,
  fields: object = {},
  settings: Readonly<Record<string, string>> = {},
): Promise<StreamPlane> {
  const it = await startStreamPlane({}, 'udp', { nginx_worker_processes: '1', ...settings });
  await it.configure(toPort(it.streamPort, upstream, fields));
  return it;
}

test('each client has a session of its own, and datagrams keep their edges', async () => {
  await using upstream = await startEcho();
  await using it = await start(upstream.port);
  const clients = await Promise.all(Array.from({ length: 20 }, async () => new Udp().bind()));
  for (const [n, client] of clients.entries()) {
    client.send(`${n} one`, it.streamPort);
    client.send('', it.streamPort);
    client.send(`${n} two`, it.streamPort);
  }
  for (const [n, client] of clients.entries()) {
    assert.deepEqual((await client.texts(3)).sort(), ['', `${n} one`, `${n} two`].sort());
    assert.equal(client.from[0]?.port, it.streamPort, 'answers come from where the client sent to');
  }
  assert.equal(it.zone.get(CELL.udpSessions), 20);
  assert.equal(new Set(upstream.from.map(({ port }) => port)).size, 20);
  // The largest that UDP has over IPv4.
  const [client] = clients;
  client?.socket.setSendBufferSize(256 * 1024);
  client?.send(Buffer.alloc(65_507, 7), it.streamPort);
  await waitFor(() => client?.got.some((datagram) => datagram.length === 65_507));
  await it.plane.drain(1);
  assert.equal(it.zone.get(CELL.udpSessions), 0);
  await Promise.all(clients.map((one) => one[Symbol.asyncDispose]()));
});

test('a session ends when nothing moves, or with the answers that are expected of it', async () => {
  await using upstream = await startEcho(2);
  {
    await using it = await start(upstream.port, { read_timeout: 1 });
    await using client = await new Udp().bind();
    client.send('x', it.streamPort);
    await waitFor(() => it.zone.get(CELL.streamsHandled) === 1 && it.zone.get(CELL.udpSessions) === 0);
  }
  {
    await using it = await start(upstream.port, {}, { nginx_sproxy_proxy_responses: '2' });
    await using client = await new Udp().bind();
    for (let n = 1; n <= 3; n++) {
      client.send('x', it.streamPort);
      await client.texts(2 * n);
      await waitFor(() => it.zone.get(CELL.udpSessions) === 0, { what: `session ${n} to end` });
    }
    assert.equal(it.zone.get(CELL.streamsHandled), 3);
  }
  {
    await using it = await start(upstream.port, {}, { nginx_sproxy_proxy_responses: '0' });
    await using client = await new Udp().bind();
    const before = upstream.got.length;
    client.send('log line', it.streamPort);
    await upstream.texts(before + 1);
    await waitFor(() => it.zone.get(CELL.udpSessions) === 0);
    assert.deepEqual(client.got, []);
  }
});

test('sessions are bounded, and what is over is dropped and counted', async () => {
  await using upstream = await startEcho();
  await using it = await start(upstream.port, {}, { stream_udp_sessions: '3' });
  const clients = await Promise.all(Array.from({ length: 5 }, async () => new Udp().bind()));
  for (const client of clients) {
    client.send('x', it.streamPort);
    await waitFor(
      () => it.zone.get(CELL.streamsHandled) + it.zone.get(CELL.datagramsDropped) > clients.indexOf(client),
    );
  }
  assert.equal(it.zone.get(CELL.udpSessions), 3);
  assert.equal(it.zone.get(CELL.datagramsDropped), 2);
  for (const client of clients.slice(0, 3)) assert.deepEqual(await client.texts(1), ['x']);
  await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()));
});

test('no route, nobody at the port, a name that is none: the session ends, the next one is as good as new', async () => {
  const [dead = 0] = await freePorts(1);
  await using upstream = await startEcho();
  for (const [name, config] of [
    ['no route', (port: number) => toPort(port + 1, upstream.port)],
    ['nobody listens', (port: number) => toPort(port, dead)],
    ['a name that is none', (port: number) => toPort(port, dead, { url: 'udp://no.such.name.invalid:1' })],
    ['TLS', (port: number) => toPort(port, dead, { url: `tls://127.0.0.1:1` })],
  ] as const) {
    await using it = await start(dead);
    await it.configure(config(it.streamPort));
    await using client = await new Udp().bind();
    client.send('x', it.streamPort);
    await waitFor(() => it.zone.get(CELL.streamsHandled) === 1 && it.zone.get(CELL.udpSessions) === 0, {
      what: name,
    });
    await it.configure(toPort(it.streamPort, upstream.port));
    client.send('y', it.streamPort);
    assert.deepEqual(await client.texts(1), ['y'], name);
  }
});

test('strangers to a session are not heard: only the upstream that was asked may answer', async () => {
  await using upstream = await new Udp().bind();
  await using stranger = await new Udp().bind();
  await using it = await start(upstream.port);
  await using client = await new Udp().bind();
  client.send('x', it.streamPort);
  await upstream.texts(1);
  const session = upstream.from[0]?.port ?? 0;
  stranger.send('forged', session);
  upstream.send('true', session);
  assert.deepEqual(await client.texts(1), ['true']);
});

test('IPv6, and two workers that share the port with a session in each', async () => {
  await using upstream = await startEcho();
  const [port = 0] = await freePorts(1);
  await using gateway = await startGateway({
    config: { _format_version: '3.0', ...toPort(port, upstream.port) },
    settings: {
      stream_listen: `[::]:${port} udp ipv6only=off reuseport`,
      nginx_worker_processes: 2,
      proxy_stream_access_log: 'logs/stream.log',
    },
  });
  const clients = await Promise.all([
    ...Array.from({ length: 10 }, async () => ({ client: await new Udp().bind(), address: '127.0.0.1' })),
    ...Array.from({ length: 10 }, async () => ({
      client: await new Udp('udp6').bind('::1'),
      address: '::1',
    })),
  ]);
  for (const [n, { client, address }] of clients.entries()) {
    for (let k = 0; k < 3; k++) client.send(`${n}`, port, address);
  }
  for (const [n, { client }] of clients.entries())
    assert.deepEqual(await client.texts(3), [`${n}`, `${n}`, `${n}`]);
  await Promise.all(clients.map(({ client }) => client[Symbol.asyncDispose]()));
  await gateway.stop('SIGTERM');
  const log = await gateway.logFile('stream.log');
  assert.equal(log.match(/ UDP 200 3 3 /g)?.length, 10, log);
});

test('a datagram that is too large for the other side is dropped, and its session goes on', async () => {
  await using upstream = await startEcho();
  const [port = 0] = await freePorts(1);
  await using it = await start(upstream.port, {}, { stream_listen: `[::1]:${port} udp` });
  await it.configure(toPort(port, upstream.port));
  await using client = await new Udp('udp6').bind('::1');
  client.socket.setSendBufferSize(256 * 1024);
  client.send('before', port, '::1');
  assert.deepEqual(await client.texts(1), ['before']);
  // 20 octets more than fit into a packet of IPv4.
  client.send(Buffer.alloc(65_527), port, '::1');
  await waitFor(() => it.zone.get(CELL.datagramsDropped) === 1, { what: 'the datagram to be dropped' });
  client.send('after', port, '::1');
  assert.deepEqual(await client.texts(2), ['before', 'after']);
  assert.equal(it.zone.get(CELL.streamsHandled), 1);
});

test('the bound of sessions is that of the node, whichever worker has them', async () => {
  await using upstream = await startEcho();
  const [port = 0] = await freePorts(1);
  await using gateway = await startGateway({
    config: { _format_version: '3.0', ...toPort(port, upstream.port) },
    settings: {
      stream_listen: `127.0.0.1:${port} udp`,
      nginx_worker_processes: 2,
      stream_udp_sessions: 6,
    },
  });
  const clients = await Promise.all(Array.from({ length: 7 }, async () => new Udp().bind()));
  for (const client of clients.slice(0, 6)) {
    client.send('x', port);
    assert.deepEqual(await client.texts(1), ['x']);
  }
  clients[6]?.send('x', port);
  await waitFor(async () => {
    const { sluice } = (await (await fetch(`${gateway.statusUrl}/status`)).json()) as {
      sluice: { streams: Record<string, number> };
    };
    return sluice.streams['udp_sessions'] === 6 && sluice.streams['datagrams_dropped'] === 1;
  });
  await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()));
});

test('a flood from ever new ports without a route leaves nothing behind', async () => {
  await using upstream = await startEcho();
  await using it = await start(upstream.port);
  await it.configure(toPort(it.streamPort + 1, upstream.port));
  const clients = await Promise.all(Array.from({ length: 200 }, async () => new Udp().bind()));
  for (const [n, client] of clients.entries()) {
    client.send('x', it.streamPort);
    await waitFor(() => it.zone.get(CELL.datagramsDropped) === n + 1);
  }
  assert.equal(it.zone.get(CELL.udpSessions), 0);
  assert.equal(it.zone.get(CELL.streamsRefused), 200);
  await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()));
});

test('a port that somebody has is refused at the start', async () => {
  await using other = await new Udp().bind();
  await assert.rejects(
    startGateway({ settings: { stream_listen: `127.0.0.1:${other.port} udp` } }),
    /\(udp\) is in use by node/,
  );
  assert.ok((await freePort()) > 0);
});

test('a target where nobody takes datagrams is unhealthy for passive checks, and the spare one gets them', async () => {
  await using spare = await startEcho();
  const [port = 0, dead = 0] = await freePorts(2);
  const upstream = {
    name: 'u',
    healthchecks: { passive: { type: 'tcp', unhealthy: { tcp_failures: 2 } } },
    targets: [{ target: `127.0.0.1:${dead}` }, { target: `127.0.0.1:${spare.port}`, tags: ['priority:1'] }],
  };
  await using gateway = await startGateway({
    config: { _format_version: '3.0', upstreams: [upstream], ...toPort(port, 1, { url: 'udp://u:1' }) },
    settings: { nginx_worker_processes: 2, stream_listen: `127.0.0.1:${port} udp` },
  });
  await using client = await new Udp().bind();
  const answered = (): boolean => {
    client.send('x', port);
    return client.got.length > 0;
  };
  await waitFor(answered, { interval: 50, what: 'the spare target to answer' });
  const unhealthy = async (): Promise<boolean> =>
    (await (await fetch(`${gateway.adminUrl}/upstreams/u/health`)).text()).includes('"UNHEALTHY"');
  await waitFor(unhealthy, { what: 'the Admin API to tell it' });
});
