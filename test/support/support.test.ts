import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { Child } from './child.ts';
import { startNginx } from './nginx.ts';
import { freePorts } from './ports.ts';
import { connectRaw, rawRequest } from './raw-client.ts';
import { readResponse } from './response-reader.ts';
import { taken } from './taken.ts';
import { scripted, startEcho, startRawUpstream, type Echo } from './upstream.ts';
import { waitFor } from './wait.ts';

const CASES = [
  {
    name: 'Content-Length',
    bytes: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiX',
    method: 'GET',
    closed: false,
    want: { status: 200, body: 'hi', framing: 'length', interim: 0, trailers: [], rest: 1 },
  },
  {
    name: 'chunked with trailers',
    bytes: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n1;a=b\r\n!\r\n0\r\nA: b\r\n\r\n',
    method: 'GET',
    closed: false,
    want: { status: 200, body: 'hi!', framing: 'chunked', interim: 0, trailers: [['A', 'b']], rest: 0 },
  },
  {
    name: 'HEAD',
    bytes: 'HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n',
    method: 'HEAD',
    closed: false,
    want: { status: 200, body: '', framing: 'none', interim: 0, trailers: [], rest: 0 },
  },
  {
    name: 'interim responses',
    bytes:
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n',
    method: 'GET',
    closed: false,
    want: { status: 204, body: '', framing: 'none', interim: 2, trailers: [], rest: 0 },
  },
  {
    name: 'until close',
    bytes: 'HTTP/1.0 200 OK\r\n\r\nall of it',
    method: 'GET',
    closed: true,
    want: { status: 200, body: 'all of it', framing: 'close', interim: 0, trailers: [], rest: 0 },
  },
] as const;

for (const { name, bytes, method, closed, want } of CASES) {
  test(`reads a response: ${name}`, () => {
    const buffer = Buffer.from(bytes, 'latin1');
    const found = readResponse(buffer, { method, closed });
    assert.ok(found);
    const { response, size } = found;
    const { status, framing, trailers } = response;
    const seen = { status, body: response.text(), framing, interim: response.interim.length, trailers };
    assert.deepEqual({ ...seen, rest: buffer.length - size }, want);
    for (let cut = 0; cut < size; cut++) {
      const early = readResponse(buffer.subarray(0, cut), { method, closed: false });
      assert.equal(early, null, `complete after ${cut} of ${size} bytes`);
    }
  });
}

test('nonsense is an error, not an endless wait', () => {
  for (const text of ['NOPE\r\n\r\n', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n']) {
    assert.throws(() => readResponse(Buffer.from(text), { method: 'GET', closed: false }));
  }
});

test('the echo says what it got, whatever way the bytes were cut', async () => {
  await using echo = await startEcho({ name: 'one' });
  const result = await rawRequest(echo.port, [
    'POST /a?b HTTP/1.1\r\nHost: x\r\nContent-Le',
    'ngth: 3\r\n\r\na',
    'bc',
  ]);
  assert.equal(result.responses.length, 1);
  const body = result.responses[0]?.json() as Echo;
  assert.deepEqual(body.rawHeaders, ['Host', 'x', 'Content-Length', '3']);
  assert.equal(body.method, 'POST');
  assert.equal(body.url, '/a?b');
  assert.equal(body.bodyLength, 3);
  assert.equal(body.bodySha256, createHash('sha256').update('abc').digest('hex'));
  assert.equal(result.responses[0]?.header('X-Upstream'), 'one');
  assert.equal(echo.connections, 1);
  assert.equal(echo.requests, 1);
});

test('pipelined requests bring as many responses as were asked for', async () => {
  await using echo = await startEcho();
  const one = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
  const head = 'HEAD / HTTP/1.1\r\nHost: x\r\n\r\n';
  const result = await rawRequest(echo.port, one + head + one, { until: 3 });
  assert.deepEqual(
    result.responses.map((response) => response.framing),
    ['length', 'none', 'length'],
  );
});

test('a scripted upstream sends its bytes and closes when told', async () => {
  await using upstream = await startRawUpstream(
    scripted(['HTTP/1.1 200 OK\r\n\r\nhalf'], { thenClose: true }),
  );
  const result = await rawRequest(upstream.port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n', { until: 'close' });
  assert.equal(result.responses[0]?.text(), 'half');
  assert.equal(result.ending, 'end');
  assert.match(upstream.peers[0]?.received.toString() ?? '', /^GET \/ HTTP/);
});

test('a reset is told from an orderly close', async () => {
  await using upstream = await startRawUpstream(async (peer) => {
    await peer.heads(1);
    peer.reset();
  });
  await using connection = await connectRaw(upstream.port);
  connection.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  assert.equal(await connection.closed(), 'ECONNRESET');
});

test('what the other end has not read is not taken, and it is when it reads', async () => {
  await using upstream = await startRawUpstream((peer) => void peer.socket.pause());
  await using connection = await connectRaw(upstream.port);
  // More than a stream takes that stands still, and less than the kernel does for it.
  connection.write('x'.repeat(500_000));
  const peer = await waitFor(() => upstream.peers[0]);
  let over = false;
  const waiting = taken(connection.socket).then(() => (over = true));
  for (let n = 0; n < 20; n++) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(over, false);
  peer.socket.resume();
  await waiting;
  assert.equal(peer.socket.bytesRead, 500_000);
});

test('a peer that stays silent is an error that shows what came', async () => {
  await using upstream = await startRawUpstream((peer) =>
    peer.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal'),
  );
  await assert.rejects(
    rawRequest(upstream.port, 'GET / HTTP/1.1\r\n\r\n', { timeout: 1000 }),
    /Content-Length: 9/,
  );
});

test('a child that cannot start, or ends by itself, says so', async () => {
  const missing = new Child('/does/not/exist', []);
  assert.deepEqual(await missing.exited, { code: null, signal: null });
  assert.match(missing.output, /ENOENT/);
  const failing = new Child('sh', ['-c', 'echo out; echo err >&2; exit 3']);
  assert.equal((await failing.exited).code, 3);
  assert.match(failing.output, /out/);
  assert.match(failing.output, /err/);
});

test('stopping a child takes what it started along', async () => {
  const child = new Child('sh', ['-c', 'sleep 1000 & echo $!; wait']);
  while (!child.output.includes('\n')) await new Promise((resolve) => setTimeout(resolve, 5));
  const grandchild = Number(child.output);
  await child.stop();
  // A killed process may stay in the table until its new parent has looked.
  const gone = (): boolean => {
    try {
      process.kill(grandchild, 0);
      return false;
    } catch {
      return true;
    }
  };
  for (let tries = 0; tries < 500 && !gone(); tries++)
    await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(gone());
});

test('nginx serves files from its temporary folder', async () => {
  await using nginx = await startNginx({
    http: 'server { listen 127.0.0.1:%PORT%; root %DIR%/html; }',
    files: { 'a.txt': 'from nginx' },
  });
  assert.equal(await (await fetch(`${nginx.url}/a.txt`)).text(), 'from nginx');
});

test('ports handed out are different', async () => {
  const ports = await freePorts(20);
  assert.equal(new Set(ports).size, 20);
});
