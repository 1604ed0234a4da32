/** The upstream's leg over TLS: what a server may do in and after the handshake, and what of it clients get to see. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import { connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TlsOptions, TLSSocket } from 'node:tls';
import { selfSigned } from '../../src/lib/x509/self-signed.ts';
import { CELL } from '../../src/zone/worker-zone.ts';
import { Child } from '../support/child.ts';
import { startPlane, type TestPlane } from '../support/data-plane.ts';
import { freePort } from '../support/ports.ts';
import { connectRaw, rawRequest } from '../support/raw-client.ts';
import { scripted, startRawUpstream } from '../support/upstream.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait.ts';

const own = selfSigned({
  names: ['localhost'],
  from: new Date(Date.now() - 1000),
  until: new Date(Date.now() + 3_600_000),
});
const HOST = 'Host: a.test\r\n';
const GET = `GET / HTTP/1.1\r\n${HOST}\r\n`;
const POST = `POST / HTTP/1.1\r\n${HOST}Content-Length: 4\r\n\r\nword`;
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

function planeTo(port: number, service: object = {}): Promise<TestPlane> {
  return startPlane(port, { service: { tls: true, ...service } });
}

/** Sends back the body that it gets, while it gets it. */
async function startEchoOfBytes(tls: TlsOptions): Promise<AsyncDisposable & { port: number }> {
  const server = createServer({ ...tls, requestTimeout: 0 }, (request, response) => {
    response.setHeader('content-length', request.headers['content-length'] ?? 0);
    request.pipe(response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

test('a handshake that does not go on ends with the time to connect', async () => {
  await using upstream = await startRawUpstream(async () => {});
  await using plane = await planeTo(upstream.port, {
    timeouts: { connect: 50, write: 60_000, read: 60_000 },
  });
  const { responses } = await rawRequest(plane.port, GET);
  assert.equal(responses[0]?.status, 504);
  assert.match(responses[0]?.text() ?? '', /The upstream server is timing out/);
  await plane.settled();
});

/** What a peer says to a ClientHello. */
const NO_TLS: ReadonlyArray<readonly [string, string | null]> = [
  ['HTTP in plain text', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
  ['an alert', '\x15\x03\x03\x00\x02\x02\x28'],
  ['half a record', '\x16\x03\x03\x01\x00\x02'],
  ['nothing but FIN', ''],
  ['RST', null],
];

for (const [title, answer] of NO_TLS) {
  for (const upstreamProtocol of ['http/1.1', 'h2'] as const) {
    test(`no handshake, ${upstreamProtocol}: ${title}: 502, and every try is another connection, whatever the method`, async () => {
      await using upstream = await startRawUpstream(async (peer) => {
        await peer.bytes(50);
        assert.equal(peer.received[0], 0x16, 'a TLS record and nothing of the request');
        if (answer === null) peer.reset();
        else peer.end(answer);
      });
      await using plane = await planeTo(upstream.port, { retries: 2, upstreamProtocol });
      for (const [index, request] of [GET, POST].entries()) {
        const { responses } = await rawRequest(plane.port, request);
        assert.equal(responses[0]?.status, 502);
        assert.equal(upstream.connections, 3 * (index + 1));
      }
      assert.equal(plane.zone.get(CELL.upstreamTlsFailures), 6);
      await plane.settled();
    });
  }
}

for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
  const tls = { ...own, maxVersion };

  test(`${maxVersion}: one connection serves one request after the other, and one that was closed is replaced`, async () => {
    await using upstream = await startRawUpstream(scripted([OK]), { tls });
    await using plane = await planeTo(upstream.port);
    await using client = await connectRaw(plane.port);
    for (let request = 0; request < 3; request++) {
      client.write(request === 1 ? POST : GET);
      assert.equal((await client.readResponse()).text(), 'ok');
    }
    assert.equal(upstream.connections, 1);
    assert.equal(plane.zone.get(CELL.upstreamReuses), 2);
    // close_notify on the idle connection.
    upstream.peers[0]?.end();
    await waitFor(() => plane.zone.get(CELL.upstreamIdle) === 0, {
      what: 'the idle connection to be given up',
    });
    client.write(GET);
    assert.equal((await client.readResponse()).text(), 'ok');
    assert.equal(upstream.connections, 2);
  });

  test(`${maxVersion}: a body until the close ends with close_notify, and with FIN as in nginx`, async () => {
    for (const polite of [true, false]) {
      await using upstream = await startRawUpstream(
        async (peer) => {
          await peer.heads(1);
          peer.write('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nsome');
          if (polite) return peer.end('thing');
          await new Promise((resolve) => peer.socket.write('thing', resolve));
          peer.socket.destroy();
        },
        { tls },
      );
      await using plane = await planeTo(upstream.port);
      const { responses, ending } = await rawRequest(plane.port, GET);
      assert.deepEqual([responses[0]?.text(), ending], ['something', 'open']);
    }
  });

  test(`${maxVersion}: a body that was cut is not made whole, whether by close_notify, FIN or RST`, async () => {
    for (const framing of [
      'Content-Length: 10\r\n\r\nsome',
      'Transfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n',
    ]) {
      for (const way of ['notify', 'fin', 'rst']) {
        await using upstream = await startRawUpstream(
          async (peer) => {
            await peer.heads(1);
            await new Promise((resolve) => peer.socket.write(`HTTP/1.1 200 OK\r\n${framing}`, resolve));
            if (way === 'notify') peer.end();
            else if (way === 'fin') peer.socket.destroy();
            else (peer.socket as TLSSocket).resetAndDestroy();
          },
          { tls },
        );
        await using plane = await planeTo(upstream.port);
        await using client = await connectRaw(plane.port);
        client.write(GET);
        await client.closed();
        const text = client.received.toString('latin1');
        if (!text.startsWith('HTTP/1.1 200 OK')) assert.match(text, /^HTTP\/1\.1 502 /);
        else assert.ok(!text.endsWith('0\r\n\r\n') && !text.endsWith('some'.padEnd(10)), `${framing} ${way}`);
        await plane.settled();
      }
    }
  });

  test(`${maxVersion}: large bodies come whole, both ways, also to a client that is slow`, async () => {
    const body = Buffer.alloc(20_000_000, 'Both ways, byte for byte. ');
    await using upstream = await startEchoOfBytes(tls);
    for (const responseBuffering of [true, false]) {
      await using plane = await startPlane(upstream.port, {
        service: { tls: true },
        route: { requestBuffering: responseBuffering, responseBuffering },
      });
      const client = connect({ port: plane.port, host: '127.0.0.1' });
      client.write(`POST / HTTP/1.1\r\n${HOST}Content-Length: ${body.length}\r\nConnection: close\r\n\r\n`);
      client.write(body);
      const chunks: Buffer[] = [];
      let pauses = 0;
      for await (const chunk of client as AsyncIterable<Buffer>) {
        chunks.push(chunk);
        // Now and then it does not read for a while: what comes meanwhile has to wait.
        if (++pauses % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      }
      const answer = Buffer.concat(chunks);
      const head = answer.indexOf('\r\n\r\n') + 4;
      assert.match(answer.toString('latin1', 0, head), /^HTTP\/1\.1 200 OK\r\n/);
      assert.ok(answer.subarray(head).equals(body));
    }
  });
}

test('names that clients choose do not make more idle connections than an address may have', async () => {
  await using upstream = await startRawUpstream(scripted([OK]), { tls: own });
  await using plane = await startPlane(upstream.port, {
    service: { tls: true },
    route: { preserveHost: true },
    settings: { upstream_keepalive_pool_size: '3' },
  });
  for (let name = 0; name < 10; name++) {
    const { responses } = await rawRequest(plane.port, GET.replace('a.test', `${name}.test`));
    assert.equal(responses[0]?.text(), 'ok');
  }
  assert.equal(upstream.connections, 10);
  assert.equal(plane.zone.get(CELL.upstreamIdle), 3);
  // Those that were used last.
  for (const [name, connections] of [
    ['9', 10],
    ['7', 10],
    ['0', 11],
  ] as const) {
    await rawRequest(plane.port, GET.replace('a.test', `${name}.test`));
    assert.equal(upstream.connections, connections);
  }
});

test('the read time-out runs from the request, although TLS tells late that it has left', async () => {
  await using upstream = await startRawUpstream(async (peer) => peer.heads(1), { tls: own });
  await using plane = await planeTo(upstream.port, { timeouts: { connect: 5000, write: 60_000, read: 50 } });
  const { responses } = await rawRequest(plane.port, GET);
  assert.equal(responses[0]?.status, 504);
});

test('an upstream that wants to renegotiate is refused, and does not get a second handshake', async () => {
  await using folder = await tempDir();
  const [cert, key] = [join(folder.path, 'cert.pem'), join(folder.path, 'key.pem')];
  await writeFile(cert, own.cert);
  await writeFile(key, own.key);
  const port = await freePort();
  const arguments_ = ['s_server', '-accept', `127.0.0.1:${port}`, '-cert', cert, '-key', key, '-tls1_2'];
  const server = new Child('openssl', arguments_, { stdin: true });
  try {
    await waitFor(() => server.output.includes('ACCEPT'), { what: 'openssl s_server' });
    await using plane = await planeTo(port, { timeouts: { connect: 5000, write: 5000, read: 30_000 } });
    await using client = await connectRaw(plane.port);
    client.write(GET);
    await waitFor(() => server.output.includes('GET / HTTP/1.1'), { what: 'the request' });
    // As the commands of s_server go: R asks for a new handshake.
    server.write('R\n');
    await waitFor(() => server.output.includes('no renegotiation'), { what: 'the refusal' });
    // s_server gives up then.
    assert.equal((await client.readResponse()).status, 502);
  } finally {
    await server.stop('SIGTERM');
  }
});
