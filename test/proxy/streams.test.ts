/** TCP through `stream_listen`: routes, both directions, slow readers, half-closed sides, failures, drain. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import * as net from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { CELL } from '../../src/zone/worker-zone.ts';
import { startGateway } from '../support/gateway.ts';
import { startHaproxy } from '../support/haproxy.ts';
import { freePort, freePorts } from '../support/ports.ts';
import { connectRaw } from '../support/raw-client.ts';
import { startStreamPlane, type StreamPlane } from '../support/stream-plane.ts';
import { tempDir } from '../support/temp-dir.ts';
import { startRawUpstream } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';

interface Server extends AsyncDisposable {
  readonly port: number;
  readonly sockets: net.Socket[];
}

async function serve(onSocket: (socket: net.Socket) => void): Promise<Server> {
  const sockets: net.Socket[] = [];
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    onSocket(socket);
  });
  const port = await freePort();
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    port,
    sockets,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

const echo = (prefix = ''): Promise<Server> =>
  serve((socket) => {
    if (prefix !== '') socket.write(prefix);
    socket.on('data', (chunk) => socket.write(chunk));
    socket.on('end', () => socket.end());
  });

const toPort = (port: number, upstream: number, fields: object = {}): Record<string, unknown> => ({
  services: [
    {
      name: `s${upstream}`,
      url: `tcp://127.0.0.1:${upstream}`,
      ...fields,
      routes: [{ name: `r${upstream}`, protocols: ['tcp'], destinations: [{ port }] }],
    },
  ],
});

async function settled({ zone, plane }: StreamPlane): Promise<void> {
  await waitFor(() => zone.get(CELL.streams) === 0 && zone.get(CELL.udpSessions) === 0, {
    what: 'all streams to end',
  });
  assert.equal(plane.zone, zone);
}

test('bytes go both ways, the server may speak first, and each side may finish first', async () => {
  await using upstream = await echo('220 hello\r\n');
  await using it = await startStreamPlane({});
  await it.configure(toPort(it.streamPort, upstream.port));
  {
    await using client = await connectRaw(it.streamPort);
    assert.equal((await client.readBytes(11)).toString(), '220 hello\r\n');
    client.write('one');
    assert.equal((await client.readBytes(3)).toString(), 'one');
    client.socket.allowHalfOpen = true;
    client.write('two');
    client.end();
    assert.equal((await client.readBytes(3)).toString(), 'two');
    assert.equal(await client.closed(), 'end');
  }
  await settled(it);
  // The upstream finishes first, and still hears the client.
  const heard = Promise.withResolvers<string>();
  await using talker = await serve((socket) => {
    socket.end('bye');
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    socket.on('end', () => heard.resolve(text));
  });
  await it.configure(toPort(it.streamPort, talker.port));
  const client = net.connect({ port: it.streamPort, host: '127.0.0.1', allowHalfOpen: true });
  client.resume();
  await once(client, 'end');
  client.end('last words');
  assert.equal(await heard.promise, 'last words');
  await settled(it);
});

test('bulk with a slow reader at either end waits at its sender, and arrives whole', async () => {
  const bytes = randomBytes(64 * 1024 * 1024);
  const chunks = (): Readable =>
    Readable.from(Array.from({ length: 1024 }, (_, n) => bytes.subarray(n * 65_536, (n + 1) * 65_536)));
  const wanted = createHash('sha256').update(bytes).digest('hex');
  const digest = async (socket: net.Socket, start: Promise<unknown>): Promise<string> => {
    const hash = createHash('sha256');
    await start;
    for await (const chunk of socket) hash.update(chunk as Buffer);
    return hash.digest('hex');
  };
  for (const way of ['up', 'down'] as const) {
    const go = Promise.withResolvers<void>();
    const seen = Promise.withResolvers<string>();
    await using upstream = await serve((socket) => {
      if (way === 'down') {
        chunks().pipe(socket);
        socket.resume();
      } else void digest(socket, go.promise).then((hex) => (seen.resolve(hex), socket.end()));
    });
    await using it = await startStreamPlane({});
    await it.configure(toPort(it.streamPort, upstream.port));
    const client = net.connect({ port: it.streamPort, host: '127.0.0.1', allowHalfOpen: true });
    if (way === 'up') {
      chunks().pipe(client);
      client.resume();
    }
    // The reader does not read: what the sender has got rid of comes to rest, far from all of it.
    const sender = way === 'up' ? client : await waitFor(() => upstream.sockets[0]);
    let before = -1;
    await waitFor(
      () => {
        const same = sender.bytesWritten - sender.writableLength === before;
        before = sender.bytesWritten - sender.writableLength;
        return same && before > 0;
      },
      { interval: 100 },
    );
    assert.equal(it.zone.get(CELL.streams), 1);
    assert.ok(before < bytes.length, 'not all of it is under way');
    if (way === 'up') {
      go.resolve();
      assert.equal(await seen.promise, wanted);
    } else {
      assert.equal(await digest(client, Promise.resolve()), wanted);
      client.end();
    }
    await settled(it);
  }
});

test('a stream that has no way to go is closed, and counted', async () => {
  const [dead = 0] = await freePorts(1);
  await using upstream = await echo();
  for (const [name, config] of [
    ['no route', (port: number) => toPort(port + 1, upstream.port)],
    ['nobody listens', (port: number) => toPort(port, dead, { retries: 1 })],
    ['a name that is none', (port: number) => toPort(port, dead, { url: 'tcp://no.such.name.invalid:1' })],
    [
      'an upstream without targets',
      (port: number) => ({ ...toPort(port, 1, { url: 'tcp://pool:1' }), upstreams: [{ name: 'pool' }] }),
    ],
    [
      'a route without a service',
      (port: number) => ({ routes: [{ name: 'r', protocols: ['tcp'], destinations: [{ port }] }] }),
    ],
    ['a service that takes no stream', (port: number) => toPort(port, dead, { url: 'https://127.0.0.1:1' })],
  ] as const) {
    await using it = await startStreamPlane({});
    await it.configure(config(it.streamPort));
    await using client = await connectRaw(it.streamPort);
    client.write('hello');
    await client.closed();
    assert.equal(client.received.length, 0, name);
    await settled(it);
    assert.equal(it.zone.get(CELL.streamsRefused), 1, name);
  }
});

test('clients that leave at once, and those that send all and finish before there is an upstream', async () => {
  await using upstream = await echo('.');
  await using it = await startStreamPlane({});
  await it.configure(toPort(it.streamPort, upstream.port));
  for (let n = 0; n < 10; n++) {
    const client = net.connect({ port: it.streamPort, host: '127.0.0.1', allowHalfOpen: true });
    await once(client, 'connect');
    if (n % 3 === 0) client.destroy();
    else if (n % 3 === 1) client.resetAndDestroy();
    else {
      client.end(n === 2 ? '' : 'all');
      let text = '';
      for await (const chunk of client) text += String(chunk);
      assert.equal(text, n === 2 ? '.' : '.all');
    }
  }
  await settled(it);
});

test('retries go to other targets', async () => {
  await using upstream = await echo();
  const [dead = 0] = await freePorts(1);
  await using it = await startStreamPlane({});
  await it.configure({
    ...toPort(it.streamPort, 1, { url: 'tcp://pool:1', retries: 2 }),
    upstreams: [
      { name: 'pool', targets: [{ target: `127.0.0.1:${dead}` }, { target: `127.0.0.1:${upstream.port}` }] },
    ],
  });
  for (let n = 0; n < 4; n++) {
    await using client = await connectRaw(it.streamPort);
    client.write('ping');
    assert.equal((await client.readBytes(4)).toString(), 'ping');
    client.end();
    await client.closed();
  }
  await settled(it);
  assert.ok(it.zone.get(CELL.retries) >= 1);
});

test('a stream on which nothing moves ends, a reset on one side is one on the other', async () => {
  await using upstream = await echo();
  await using it = await startStreamPlane({});
  await it.configure(toPort(it.streamPort, upstream.port, { read_timeout: 1 }));
  {
    await using client = await connectRaw(it.streamPort);
    await client.closed();
  }
  await settled(it);
  await it.configure(toPort(it.streamPort, upstream.port));
  for (const side of ['client', 'upstream'] as const) {
    const already = upstream.sockets.length;
    await using client = await connectRaw(it.streamPort);
    client.write('x');
    await client.readBytes(1);
    const peer = upstream.sockets[already];
    if (side === 'client') client.reset();
    else peer?.resetAndDestroy();
    await waitFor(() => peer?.destroyed, { what: `the other side of ${side}` });
    await client.closed();
    await settled(it);
  }
});

test('many at once, a limit, and reloads that change nothing for those that are open', async () => {
  await using upstream = await echo();
  await using other = await echo('other');
  await using it = await startStreamPlane({}, '', { stream_connections: '200', nginx_worker_processes: '1' });
  await it.configure(toPort(it.streamPort, upstream.port));
  const clients = await Promise.all(
    Array.from({ length: 200 }, async (_, n) => {
      const client = await connectRaw(it.streamPort);
      client.write(`client ${n};`);
      return client;
    }),
  );
  for (const [n, client] of clients.entries()) {
    assert.equal((await client.readBytes(`client ${n};`.length)).toString(), `client ${n};`);
  }
  {
    await using late = await connectRaw(it.streamPort);
    await late.closed();
    assert.equal(it.zone.get(CELL.streamsRefused), 1);
  }
  await it.configure(toPort(it.streamPort, other.port));
  for (const client of clients) client.write('again');
  for (const client of clients) assert.equal((await client.readBytes(5)).toString(), 'again');
  clients[0]?.end();
  await clients[0]?.closed();
  await waitFor(() => it.zone.get(CELL.streams) === 199);
  await using fresh = await connectRaw(it.streamPort);
  assert.equal((await fresh.readBytes(5)).toString(), 'other');
  await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()));
});

test('a drain waits for streams, and cuts what is left at its end', async () => {
  await using upstream = await echo();
  for (const graceMs of [20_000, 50]) {
    await using it = await startStreamPlane({});
    await it.configure(toPort(it.streamPort, upstream.port));
    await using client = await connectRaw(it.streamPort);
    client.write('x');
    await client.readBytes(1);
    const drained = it.plane.drain(graceMs);
    if (graceMs > 1000) {
      await waitFor(async () => {
        const probe = await connectRaw(it.streamPort).catch(() => null);
        await probe?.[Symbol.asyncDispose]();
        return probe === null;
      });
      client.write('y');
      assert.equal((await client.readBytes(1)).toString(), 'y');
      client.end();
    }
    await client.closed();
    await drained;
    await settled(it);
  }
});

test('the whole gateway: two workers, HAProxy with PROXY headers in front, a unix socket, logs and counters', async () => {
  await using folder = await tempDir();
  await using upstream = await startRawUpstream(async (peer) => {
    await peer.bytes(4);
    peer.write('pong');
    await once(peer.socket, 'end');
    peer.end();
  });
  const [port = 0, front = 0] = await freePorts(2);
  const path = join(folder.path, 'stream.sock');
  await using gateway = await startGateway({
    config: {
      _format_version: '3.0',
      services: [
        {
          name: 's',
          url: `tcp://127.0.0.1:${upstream.port}`,
          routes: [
            { name: 'by-source', protocols: ['tcp'], sources: [{ ip: '127.0.0.0/8' }] },
            { name: 'by-file', protocols: ['tcp'], sources: [{ port: 0 }] },
          ],
        },
      ],
    },
    settings: {
      stream_listen: `127.0.0.1:${port} proxy_protocol reuseport, unix:${path}`,
      trusted_ips: '127.0.0.1',
      nginx_worker_processes: 2,
      proxy_stream_access_log: 'logs/stream.log basic',
      proxy_stream_error_log: 'logs/stream_error.log',
    },
  });
  await using haproxy = await startHaproxy(
    `listen one
  bind 127.0.0.1:${front}
  server gateway 127.0.0.1:${port} send-proxy-v2
`,
    front,
    'tcp',
  );
  assert.equal(haproxy.output.includes('ALERT'), false);
  for (const to of [front, path]) {
    await using client = await connectRaw(to);
    client.write('ping');
    assert.equal((await client.readBytes(4)).toString(), 'pong');
    client.end();
    await client.closed();
  }
  {
    // No route of ours.
    await using client = await connectRaw(port);
    client.write('PROXY TCP4 203.0.113.1 203.0.113.2 65000 1\r\nping');
    await client.closed();
  }
  const lines = /^127\.0\.0\.1 \[.*\] TCP 200 4 4 \d+\.\d{3}$/m;
  await waitFor(async () => lines.test(await gateway.logFile('stream.log')), {
    what: 'the line of a stream',
  });
  await waitFor(async () => /^unix: \[.*\] TCP 200 4 4 /m.test(await gateway.logFile('stream.log')));
  const status = async (): Promise<Record<string, number>> => {
    const text = await (await fetch(`${gateway.statusUrl}/status`)).json();
    return (text as { sluice: { streams: Record<string, number> } }).sluice.streams;
  };
  await waitFor(async () => (await status())['active'] === 0);
  assert.ok(((await status())['handled'] ?? 0) >= 3);
});

test('the bound of connections is that of the node, also where one worker has them all', async () => {
  await using folder = await tempDir();
  await using upstream = await echo();
  const path = join(folder.path, 'stream.sock');
  await using gateway = await startGateway({
    config: {
      _format_version: '3.0',
      services: [
        {
          name: 's',
          url: `tcp://127.0.0.1:${upstream.port}`,
          routes: [{ name: 'r', protocols: ['tcp'], sources: [{ port: 0 }] }],
        },
      ],
    },
    settings: { stream_listen: `unix:${path}`, nginx_worker_processes: 2, stream_connections: 4 },
  });
  const open = await Promise.all(Array.from({ length: 4 }, async () => connectRaw(path)));
  for (const client of open) {
    client.write('ping');
    assert.equal((await client.readBytes(4)).toString(), 'ping');
  }
  await using further = await connectRaw(path);
  await further.closed();
  assert.equal(further.received.length, 0);
  for (const client of open) await client[Symbol.asyncDispose]();
  assert.ok(gateway.pid > 0);
});

test('routes by destination see the public port of port_maps', async () => {
  await using upstream = await echo();
  const port = await freePort();
  await using it = await startStreamPlane({}, '', {
    stream_listen: `127.0.0.1:${port}`,
    port_maps: `9999:${port}`,
  });
  for (const [destination, answer] of [
    [9999, 'ping'],
    [port, ''],
  ] as const) {
    await it.configure(toPort(destination, upstream.port));
    await using client = await connectRaw(port);
    client.write('ping');
    client.end();
    await client.closed();
    assert.equal(client.received.toString(), answer, String(destination));
  }
});

test('a PROXY header, all bytes and FIN at once; headers from strangers, cut off, or of lengths that lie', async () => {
  await using upstream = await echo('hello ');
  await using it = await startStreamPlane({}, 'proxy_protocol', { trusted_ips: '127.0.0.1' });
  await it.configure(toPort(it.streamPort, upstream.port));
  const V1 = 'PROXY TCP4 203.0.113.7 198.51.100.1 1234 443\r\n';
  const V2 = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
  {
    await using client = await connectRaw(it.streamPort);
    client.write(`${V1}ping`);
    client.end();
    await client.closed();
    assert.equal(client.received.toString(), 'hello ping');
  }
  const lies: [name: string, bytes: string | Buffer][] = [
    ['65535 octets to come', Buffer.concat([V2, Buffer.from('2111ffff', 'hex')])],
    ['addresses cut off', Buffer.concat([V2, Buffer.from('21110004', 'hex'), Buffer.alloc(4)])],
    [
      'a TLV past the end',
      Buffer.concat([V2, Buffer.from('2111000f', 'hex'), Buffer.alloc(12), Buffer.from('040fff', 'hex')]),
    ],
    ['no header', 'ping'],
    ['half of one', V1.slice(0, 20)],
    ['two lines of nothing', '\r\n\r\nping'],
  ];
  for (const [name, bytes] of lies) {
    const before = it.zone.get(CELL.proxyHeadersRefused);
    await using client = await connectRaw(it.streamPort);
    client.write(bytes);
    client.end();
    await client.closed();
    assert.equal(client.received.length, 0, name);
    await waitFor(() => it.zone.get(CELL.proxyHeadersRefused) === before + 1, { what: name });
  }
  assert.equal(upstream.sockets.length, 1);
  await settled(it);
});
