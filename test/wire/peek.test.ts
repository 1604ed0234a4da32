/** What was looked at comes to whoever serves the connection next, whole and in order, however it was cut. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import * as http2 from 'node:http2';
import * as net from 'node:net';
import { test } from 'node:test';
import * as tls from 'node:tls';
import { TimerWheel } from '../../src/lib/timer-wheel.ts';
import { ClientConnection } from '../../src/wire/http1/client-connection.ts';
import { type Look, peek, type Peeked } from '../../src/wire/peek.ts';
import { makeCertificate } from '../support/certificate.ts';
import { startPlane } from '../support/data-plane.ts';
import { freePort } from '../support/ports.ts';
import { connectRaw, type RawConnection } from '../support/raw-client.ts';
import { tempDir } from '../support/temp-dir.ts';
import { startRawUpstream } from '../support/upstream.ts';

const wheel = new TimerWheel();
const OPTIONS = { wheel, timeoutMs: 60_000, limit: 4096 };

/** Wants `count` bytes and takes `taken` of them away. */
const first =
  (count: number, taken = 0): Look<string> =>
  (seen) =>
    seen.length < count ? null : { value: seen.toString('latin1', 0, count), taken };

interface Listening extends AsyncDisposable {
  readonly port: number;
  readonly sockets: net.Socket[];
}

async function listen(onSocket: (socket: net.Socket) => void): Promise<Listening> {
  const sockets: net.Socket[] = [];
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.push(socket);
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

/** A listener that looks as told, and the first look's result. */
async function looking(
  look: Look<string>,
  serve: (socket: net.Socket) => void = () => {},
  options = OPTIONS,
): Promise<{ server: Listening; peeked: Promise<Peeked<string>> }> {
  const { promise, resolve } = Promise.withResolvers<Peeked<string>>();
  const server = await listen((socket) => {
    peek(socket, look, options, (result) => {
      resolve(result);
      if (result.ok) serve(socket);
      else socket.destroy();
    });
  });
  return { server, peeked: promise };
}

async function pieces(client: RawConnection, parts: readonly string[]): Promise<void> {
  for (const part of parts) {
    client.write(part);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

const echo = (socket: net.Socket): void => {
  socket.on('data', (chunk) => socket.write(chunk));
  socket.on('end', () => socket.end('.'));
};

test('a plain reader gets all but what the look took', async () => {
  for (const [parts, look, wanted] of [
    [['hello', ' world'], first(3), 'hello world.'],
    [['he', 'l', 'lo'], first(4), 'hello.'],
    [['HEADhello'], first(4, 4), 'hello.'],
    [['HE', 'AD', 'hello'], first(4, 4), 'hello.'],
    [['HEAD'], first(4, 4), '.'],
    [['x'.repeat(40_000)], first(1), `${'x'.repeat(40_000)}.`],
  ] as const) {
    const looked = await looking(look, echo);
    await using server = looked.server;
    await using client = await connectRaw(server.port);
    await pieces(client, parts);
    client.end();
    assert.equal((await client.readBytes(wanted.length)).toString(), wanted);
    assert.equal(await client.closed(), 'end');
  }
});

test('two looks one after the other, whatever comes with the first', async () => {
  for (const parts of [
    ['ONETWOrest'],
    ['ONE', 'TWO', 'rest'],
    ['ONET', 'WOre', 'st'],
    ['O', 'NETWO', 'rest'],
  ]) {
    const values: Peeked<string>[] = [];
    await using server = await listen((socket) => {
      peek(socket, first(3, 3), OPTIONS, (one) => {
        values.push(one);
        peek(socket, first(3, 3), OPTIONS, (two) => {
          values.push(two);
          echo(socket);
        });
      });
    });
    await using client = await connectRaw(server.port);
    await pieces(client, parts);
    client.end();
    assert.equal((await client.readBytes(5)).toString(), 'rest.', parts.join('|'));
    assert.deepEqual(
      values,
      ['ONE', 'TWO'].map((value) => ({ ok: true, value })),
    );
  }
});

test('a look that comes to nothing: too much, too little, too late, a reset', async () => {
  const never: Look<string> = () => null;
  for (const [act, why, limit, timeoutMs] of [
    [(client: RawConnection) => client.write('x'.repeat(200)), 'limit', 100, 60_000],
    [(client: RawConnection) => (client.write('x'), client.end()), 'gone', 100, 60_000],
    [(client: RawConnection) => client.end(), 'gone', 100, 60_000],
    [(client: RawConnection) => client.reset(), 'gone', 100, 60_000],
    [(client: RawConnection) => client.write('x'), 'timeout', 100, 1],
  ] as const) {
    const { server, peeked } = await looking(never, undefined, { wheel, limit, timeoutMs });
    await using _ = server;
    await using client = await connectRaw(server.port);
    act(client);
    assert.deepEqual(await peeked, { ok: false, why });
  }
  assert.equal(wheel.size, 0);
});

test('the HTTP/1.1 engine serves what was looked at', async () => {
  await using upstream = await startRawUpstream(async (peer) => {
    for (let n = 1; n <= 8; n++) {
      await peer.heads(n);
      peer.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    }
  });
  await using plane = await startPlane(upstream.port);
  const address = { remoteAddress: '127.0.0.1', remotePort: 1, localAddress: '127.0.0.1', localPort: 1 };
  const peer = { ...address, tls: null, trusted: false, publicPort: 1 };
  const request = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
  for (const parts of [
    [request],
    ['GE', request.slice(2)],
    ['P', 'ROXY', request],
    ['PROXYGET', request.slice(3)],
  ]) {
    const wholly = parts.join('');
    const look = wholly.startsWith('PROXY') ? first(5, 5) : first(3);
    const { server } = await looking(look, (socket) => new ClientConnection(socket, peer, plane.plane));
    await using _ = server;
    await using client = await connectRaw(server.port);
    await pieces(client, parts);
    assert.equal((await client.readResponse()).status, 200, wholly);
    client.write(request);
    assert.equal((await client.readResponse()).status, 200, wholly);
    client.end();
    await client.closed();
  }
});

test('a TLS server makes its handshake of what was looked at', async () => {
  await using folder = await tempDir();
  const { cert, key } = makeCertificate(folder.path);
  const server = tls.createServer({ cert: readFileSync(cert), key: readFileSync(key) }, (socket) => {
    socket.on('data', (chunk: Buffer) => socket.end(`<${socket.servername || ''}:${chunk.toString()}>`));
  });
  for (const [prefix, look] of [
    ['', first(40)],
    ['PROXY', first(5, 5)],
  ] as const) {
    const looked = await looking(look, (socket) => server.emit('connection', socket));
    await using _ = looked.server;
    const plain = net.connect(looked.server.port, '127.0.0.1');
    plain.write(prefix);
    const client = tls.connect({ socket: plain, servername: 'localhost', rejectUnauthorized: false });
    client.write('hello');
    const chunks: Buffer[] = [];
    for await (const chunk of client) chunks.push(chunk as Buffer);
    assert.equal(Buffer.concat(chunks).toString(), '<localhost:hello>');
  }
});

test('an HTTP/2 session begins with what was looked at', async () => {
  for (const count of [3, 24, 24 + 9]) {
    const looked = await looking(first(count), (socket) => {
      const session = http2.performServerHandshake(socket);
      session.on('stream', (stream, headers) => {
        stream.respond({ ':status': 200 });
        stream.end(`${headers[':path']}`);
      });
    });
    await using _ = looked.server;
    const session = http2.connect(`http://127.0.0.1:${looked.server.port}`);
    for (const path of ['/one', '/two']) {
      const stream = session.request({ ':path': path });
      stream.setEncoding('utf8');
      let body = '';
      for await (const chunk of stream) body += chunk;
      assert.equal(body, path);
    }
    session.close();
  }
});
