/** TLS through `stream_listen ssl`: ended and encrypted again, or passed through by the server name alone. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as net from 'node:net';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import * as tls from 'node:tls';
import { CELL } from '../../src/zone/worker-zone.ts';
import { makeCertificate } from '../support/certificate.ts';
import { startNginx } from '../support/nginx.ts';
import { freePort } from '../support/ports.ts';
import { connectRaw } from '../support/raw-client.ts';
import { startStreamPlane, type StreamPlane } from '../support/stream-plane.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait.ts';

interface Pair {
  readonly cert: string;
  readonly key: string;
}

async function certificate(name: string): Promise<Pair & { paths: Pair }> {
  const folder = await tempDir();
  const paths = makeCertificate(folder.path, `DNS:${name}`);
  return { cert: readFileSync(paths.cert, 'utf8'), key: readFileSync(paths.key, 'utf8'), paths };
}

const OWN = await certificate('gateway.example');
const INNER = await certificate('inner.example');

interface Server extends AsyncDisposable {
  readonly port: number;
}

/** Says its name, what it was asked for, and what it got. */
async function serve(name: string, secure: tls.TlsOptions | null): Promise<Server> {
  const sockets = new Set<net.Socket>();
  const onSocket = (socket: net.Socket): void => {
    sockets.add(socket);
    socket.on('error', () => {});
    const asked = (socket as { servername?: string | false }).servername || '-';
    socket.on('data', (chunk: Buffer) => socket.write(`${name} ${asked} ${chunk.toString()}`));
    socket.on('end', () => socket.end());
  };
  const server = secure === null ? net.createServer(onSocket) : tls.createServer(secure, onSocket);
  const port = await freePort();
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

async function serveRaw(onSocket: (socket: net.Socket) => void): Promise<Server> {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    onSocket(socket);
  });
  const port = await freePort();
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    port,
    async [Symbol.asyncDispose]() {
      server.close();
      await once(server, 'close');
    },
  };
}

async function say(port: number, servername: string, options: tls.ConnectionOptions = {}): Promise<string> {
  const client = tls.connect({ port, host: '127.0.0.1', servername, rejectUnauthorized: false, ...options });
  try {
    await once(client, 'secureConnect');
    client.write('hi');
    const closed = once(client, 'close').then(() => Promise.reject(new Error('closed without an answer')));
    const [chunk] = (await Promise.race([once(client, 'data'), closed])) as [Buffer];
    closed.catch(() => {});
    const peer = client.getPeerCertificate().subjectaltname ?? '';
    return `${chunk.toString()} (${peer})`;
  } finally {
    client.destroy();
  }
}

const service = (name: string, url: string, routes: readonly object[], more: object = {}): object => ({
  name,
  url,
  routes,
  ...more,
});

async function startPlane(services: readonly object[], more: object = {}): Promise<StreamPlane> {
  const settings = { ssl_cert: OWN.paths.cert, ssl_cert_key: OWN.paths.key };
  return startStreamPlane({ services, ...more }, 'ssl', settings);
}

const settled = async (it: StreamPlane): Promise<void> => {
  await waitFor(() => it.zone.get(CELL.streams) === 0, { what: 'all streams to end' });
};

test('terminated, terminated and encrypted again, passed through: by the server name', async () => {
  await using plain = await serve('plain', null);
  await using secure = await serve('secure', INNER);
  await using it = await startPlane(
    [
      service('a', `tcp://127.0.0.1:${plain.port}`, [{ name: 'a', protocols: ['tls'], snis: ['a.example'] }]),
      service('b', `tls://localhost:${secure.port}`, [
        { name: 'b', protocols: ['tls'], snis: ['b.example'] },
        { name: 'b2', protocols: ['tls'], snis: ['kept.example'], preserve_host: true },
      ]),
      service('c', `tcp://127.0.0.1:${secure.port}`, [
        { name: 'c', protocols: ['tls_passthrough'], snis: ['*.inner.example'] },
      ]),
    ],
    {
      certificates: [
        { cert: INNER.cert, key: INNER.key, snis: [{ name: 'own.example' }, { name: 'kept.example' }] },
      ],
    },
  );
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const ask = (name: string): Promise<string> => say(it.streamPort, name, { maxVersion });
    assert.equal(await ask('a.example'), 'plain - hi (DNS:gateway.example)');
    assert.equal(await ask('b.example'), 'secure localhost hi (DNS:gateway.example)');
    assert.equal(await ask('kept.example'), 'secure kept.example hi (DNS:inner.example)');
    assert.equal(await ask('x.inner.example'), 'secure x.inner.example hi (DNS:inner.example)');
  }
  await settled(it);
  assert.equal(it.zone.get(CELL.tlsHandshakes), 6, 'what is passed through is not ours to shake hands on');
});

test('an upstream whose certificate is not good gets nothing', async () => {
  await using secure = await serve('secure', INNER);
  await using it = await startPlane([
    service('s', `tls://127.0.0.1:${secure.port}`, [{ name: 'r', protocols: ['tls'], snis: ['a.example'] }], {
      tls_verify: true,
      retries: 0,
    }),
  ]);
  await assert.rejects(say(it.streamPort, 'a.example'));
  await settled(it);
  assert.equal(it.zone.get(CELL.streamsRefused), 1);
});

test('what is no TLS, names nobody we know, or never comes, is closed and counted', async () => {
  await using plain = await serve('plain', null);
  await using it = await startPlane([
    service('a', `tcp://127.0.0.1:${plain.port}`, [
      { name: 'a', protocols: ['tls'], snis: ['a.example'] },
      { name: 'tcp', protocols: ['tcp'], destinations: [{ port: 1 }] },
    ]),
  ]);
  const odd = [
    'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
    Buffer.from('160301000501000000ff', 'hex'),
    Buffer.alloc(40_000, 22),
  ];
  for (const bytes of odd) {
    await using client = await connectRaw(it.streamPort);
    client.write(bytes);
    await client.closed();
  }
  await assert.rejects(say(it.streamPort, 'other.example'));
  {
    await using client = await connectRaw(it.streamPort);
    client.write(Buffer.from('160301', 'hex'));
    client.end();
    await client.closed();
  }
  await settled(it);
  assert.equal(it.zone.get(CELL.streamsRefused), odd.length + 2);
});

test('bulk through TLS on either side and on both, with slow readers, arrives whole', async () => {
  const bytes = randomBytes(4 * 1024 * 1024);
  const back = (socket: net.Socket): void => {
    socket.on('error', () => {});
    // Slower than what comes, so that bytes wait at every place where they may.
    void pipeline(socket, slowly(), socket).catch(() => {});
  };
  await using plain = await serveRaw(back);
  const secureServer = tls.createServer({ ...INNER, allowHalfOpen: true }, back);
  const securePort = await freePort();
  secureServer.listen(securePort, '127.0.0.1');
  await once(secureServer, 'listening');
  await using it = await startPlane([
    service('a', `tcp://127.0.0.1:${plain.port}`, [{ name: 'a', protocols: ['tls'], snis: ['a.example'] }]),
    service('b', `tls://127.0.0.1:${securePort}`, [{ name: 'b', protocols: ['tls'], snis: ['b.example'] }]),
    service('c', `tcp://127.0.0.1:${securePort}`, [
      { name: 'c', protocols: ['tls_passthrough'], snis: ['c.example'] },
    ]),
  ]);
  for (const servername of ['a.example', 'b.example', 'c.example']) {
    const port = it.streamPort;
    const client = tls.connect({ port, host: '127.0.0.1', servername, rejectUnauthorized: false });
    await once(client, 'secureConnect');
    client.end(bytes);
    const got: Buffer[] = [];
    for await (const chunk of client.pipe(slowly())) got.push(chunk as Buffer);
    assert.ok(Buffer.concat(got).equals(bytes), servername);
  }
  await settled(it);
  secureServer.close();
});

/** A chunk a turn of the event loop. */
function slowly(): Transform {
  return new Transform({
    transform: (chunk: Buffer, _encoding, done) => void setImmediate(() => done(null, chunk)),
  });
}

/** What a client says first: a record, or several. */
async function helloOf(servername: string, ALPNProtocols: string[] = []): Promise<Buffer> {
  const { promise, resolve } = Promise.withResolvers<Buffer>();
  await using sink = await serveRaw((socket) => {
    let seen = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      seen = Buffer.concat([seen, chunk]);
      // One record or two: what the handshake message says of itself, behind the first record's head.
      const wanted = seen.length < 9 ? Number.POSITIVE_INFINITY : seen.readUIntBE(6, 3) + 4;
      if (seen.length >= wanted + 5 * Math.ceil(wanted / 16_384)) {
        resolve(seen);
        socket.destroy();
      }
    });
  });
  const client = tls.connect({ port: sink.port, host: '127.0.0.1', servername, ALPNProtocols });
  client.on('error', () => {});
  const hello = await promise;
  client.destroy();
  return hello;
}

test('a ClientHello octet by octet, in many records, with FIN behind it; too many of them, and one that is too large', async () => {
  const got: Buffer[] = [];
  await using upstream = await serveRaw((socket) => {
    socket.on('data', (chunk: Buffer) => got.push(chunk));
    socket.on('end', () => socket.end('bye'));
  });
  await using it = await startPlane([
    service('p', `tcp://127.0.0.1:${upstream.port}`, [
      { name: 'p', protocols: ['tls_passthrough'], snis: ['p.example'] },
    ]),
  ]);
  const hello = await helloOf('p.example');
  const message = hello.subarray(5);
  const inRecords = (octets: number): Buffer =>
    Buffer.concat(
      Array.from({ length: Math.ceil(message.length / octets) }, (_, n) => {
        const part = message.subarray(n * octets, (n + 1) * octets);
        return Buffer.concat([Buffer.from([22, 3, 1, part.length >> 8, part.length & 255]), part]);
      }),
    );
  for (const [name, pieces] of [
    ['whole', [hello]],
    ['octet by octet', Array.from(hello, (octet) => Buffer.from([octet]))],
    ['in many records', [inRecords(Math.ceil(message.length / 64))]],
  ] as const) {
    await using client = await connectRaw(it.streamPort);
    for (const piece of pieces) {
      client.write(piece);
      if (pieces.length > 1) await new Promise((resolve) => setImmediate(resolve));
    }
    client.end();
    await client.closed();
    assert.equal(client.received.toString(), 'bye', name);
    const passed = Buffer.concat(got.splice(0));
    assert.ok(passed.equals(Buffer.concat([...pieces])), name);
  }
  const large = await helloOf(
    'p.example',
    Array.from({ length: 90 }, (_, n) => String(n).padEnd(200, 'x')),
  );
  assert.ok(large.length > 16 * 1024);
  for (const refused of [large, inRecords(1)]) {
    await using client = await connectRaw(it.streamPort);
    client.write(refused);
    await client.closed();
    assert.equal(client.received.length, 0);
  }
  await settled(it);
  assert.equal(it.zone.get(CELL.streamsRefused), 2);
  assert.equal(got.length, 0);
});

test("OpenSSL's own client, and nginx in front that passes through", async () => {
  await using plain = await serve('plain', null);
  await using it = await startPlane([
    service('a', `tcp://127.0.0.1:${plain.port}`, [{ name: 'a', protocols: ['tls'], snis: ['a.example'] }]),
  ]);
  const front = await freePort();
  await using nginx = await startNginx({
    main: `load_module /usr/lib/nginx/modules/ngx_stream_module.so;
stream { server { listen 127.0.0.1:${front}; proxy_pass 127.0.0.1:${it.streamPort}; } }`,
    http: 'server { listen 127.0.0.1:%PORT%; }',
  });
  assert.ok(nginx.pid > 0);
  for (const port of [it.streamPort, front]) {
    const child = execFile('openssl', [
      's_client',
      '-quiet',
      '-connect',
      `127.0.0.1:${port}`,
      '-servername',
      'a.example',
    ]);
    let said = '';
    child.stdout?.on('data', (chunk: string) => (said += chunk));
    child.stdin?.write('hello');
    await waitFor(() => said.includes('plain - hello'));
    child.stdin?.end();
    child.kill();
    await once(child, 'close');
  }
  await settled(it);
});
