/** Bodies on their way: when an upstream sees the first byte, framing both ways, interim and early responses. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { after, test } from 'node:test';
import { startGateway } from '../support/gateway.ts';
import { connectRaw, rawRequest, type RawConnection } from '../support/raw-client.ts';
import {
  startEcho,
  startHttpUpstream,
  startRawUpstream,
  type Echo,
  type RawPeer,
} from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';
import { requestText, SeenHead, send, type Ask } from './support/ask.ts';
import { answer, startPuppet } from './support/puppet.ts';

const gate = new EventTarget();
const echo = await startEcho();
const puppet = await startPuppet();
/** Says nothing by itself: a test holds both ends. */
const silent = await startRawUpstream(() => {});
const parts = await startHttpUpstream(async (request, response) => {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.write('data: first\n\n');
  await once(gate, 'open');
  response.end('data: last\n\n');
  request.resume();
});

const both = (name: string, port: number): Record<string, unknown> => ({
  name,
  host: '127.0.0.1',
  port,
  retries: 0,
  routes: [
    { name: `${name}-kept`, paths: [`/kept/${name}`] },
    {
      name: `${name}-streamed`,
      paths: [`/streamed/${name}`],
      request_buffering: false,
      response_buffering: false,
    },
  ],
});
const gateway = await startGateway({
  config: {
    _format_version: '3.0',
    services: [
      both('echo', echo.port),
      both('puppet', puppet.port),
      both('silent', silent.port),
      both('parts', parts.port),
    ],
  },
  settings: { request_buffer_size: '64k' },
});
const port = gateway.proxyPort;
const ROUTES = ['/kept', '/streamed'] as const;

after(async () => {
  for (const each of [gateway, echo, puppet, silent, parts]) await each[Symbol.asyncDispose]();
});

const sha256 = (text: string): string => createHash('sha256').update(text, 'latin1').digest('hex');
const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;
const CHUNKED = ['Transfer-Encoding: chunked'];
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** The connection that the silent upstream gets next, with its first head. */
async function nextPeer(seen: number): Promise<RawPeer> {
  const peer = await waitFor(() => silent.peers[seen], { what: 'a connection to the upstream' });
  await peer.heads(1);
  return peer;
}

function bodySeen(peer: RawPeer): string {
  const text = peer.received.toString('latin1');
  return text.slice(text.indexOf('\r\n\r\n') + 4);
}

/** A request that overtakes: when it is answered, what was sent before it has been read. */
async function overtake(): Promise<void> {
  for (let i = 0; i < 3; i++) assert.equal((await send(port, { target: '/kept/echo' })).status, 200);
}

test('request_buffering: an upstream sees nothing before the body is whole', async () => {
  for (const chunked of [false, true]) {
    await using connection = await connectRaw(port);
    const seen = silent.connections;
    const [first, rest] = chunked ? [chunk('hello '), `${chunk('world')}0\r\n\r\n`] : ['hello ', 'world'];
    const lines = chunked ? CHUNKED : ['Content-Length: 11'];
    connection.write(requestText({ method: 'POST', target: '/kept/silent', lines }) + first);
    await overtake();
    assert.equal(silent.connections, seen, 'no connection yet');
    connection.write(rest);
    const peer = await nextPeer(seen);
    await waitFor(() => bodySeen(peer).length >= 11);
    const head = new SeenHead(peer.received.toString('latin1'));
    assert.equal(head.one('content-length'), '11');
    assert.equal(head.one('transfer-encoding'), undefined);
    assert.equal(bodySeen(peer), 'hello world');
    peer.end(OK);
    assert.equal((await connection.readResponse()).text(), 'ok');
  }
});

test('request_buffering: false: an upstream sees each byte as it comes', async () => {
  for (const chunked of [false, true]) {
    await using connection = await connectRaw(port);
    const seen = silent.connections;
    const lines = chunked ? CHUNKED : ['Content-Length: 11'];
    const pieces = chunked ? [chunk('hello '), chunk('world'), '0\r\n\r\n'] : ['hello ', 'world'];
    connection.write(requestText({ method: 'POST', target: '/streamed/silent', lines }));
    const peer = await nextPeer(seen);
    const head = new SeenHead(peer.received.toString('latin1'));
    assert.equal(head.one('content-length'), chunked ? undefined : '11');
    assert.equal(head.one('transfer-encoding'), chunked ? 'chunked' : undefined);
    let expected = '';
    for (const piece of pieces) {
      connection.write(piece);
      expected += piece;
      await waitFor(() => bodySeen(peer).length >= expected.length);
      assert.equal(bodySeen(peer), expected);
    }
    peer.end(OK);
    assert.equal((await connection.readResponse()).text(), 'ok');
  }
});

test('request_buffering: a body larger than the buffer streams on from there', async () => {
  for (const chunked of [false, true]) {
    await using connection = await connectRaw(port);
    const seen = silent.connections;
    const large = 'x'.repeat(100_000);
    const lines = chunked ? CHUNKED : ['Content-Length: 200000'];
    const piece = chunked ? chunk(large) : large;
    connection.write(requestText({ method: 'POST', target: '/kept/silent', lines }) + piece);
    const peer = await nextPeer(seen);
    await waitFor(() => bodySeen(peer).length >= 100_000, { what: 'the first half upstream' });
    const head = new SeenHead(peer.received.toString('latin1'));
    assert.equal(head.one('content-length'), chunked ? undefined : '200000');
    assert.equal(head.one('transfer-encoding'), chunked ? 'chunked' : undefined);
    connection.write(chunked ? `${piece}0\r\n\r\n` : piece);
    await waitFor(() => bodySeen(peer).replaceAll(/[^x]/g, '').length === 200_000, { what: 'the whole' });
    peer.end(OK);
    assert.equal((await connection.readResponse()).text(), 'ok');
  }
});

test('bodies of many sizes arrive whole, with a length and chunked, kept and streamed', async () => {
  for (const route of ROUTES) {
    await using connection = await connectRaw(port);
    for (const size of [1, 2, 4095, 4096, 8192, 8193, 65_535, 65_536, 65_537, 300_000]) {
      const body = Array.from({ length: size }, (_, i) => String.fromCharCode(i % 256)).join('');
      for (const chunked of [false, true]) {
        const target = `${route}/echo`;
        if (chunked) {
          const pieces: string[] = [];
          for (let at = 0; at < size; at += 7919) pieces.push(chunk(body.slice(at, at + 7919)));
          connection.write(
            `${requestText({ method: 'POST', target, lines: CHUNKED }) + pieces.join('')}0\r\n\r\n`,
          );
        } else {
          connection.write(requestText({ method: 'POST', target, body }));
        }
        const got = (await connection.readResponse()).json() as Echo;
        assert.equal(got.bodyLength, size);
        assert.equal(got.bodySha256, sha256(body), `${route} ${size} ${chunked}`);
      }
    }
  }
});

test('a body in pieces of one byte', async () => {
  for (const route of ROUTES) {
    const bytes = `${requestText({ method: 'POST', target: `${route}/echo`, lines: CHUNKED }) + chunk('ab') + chunk('c')}0\r\n\r\n`;
    const result = await rawRequest(port, bytes.split(''), { pause: 1 });
    const got = result.responses[0]?.json() as Echo | undefined;
    assert.equal(got?.bodySha256, sha256('abc'));
  }
});

test('trailers of a request reach the upstream, whatever was kept of its body', async () => {
  for (const route of ROUTES) {
    // The last is more than is kept, and all of it comes in one read.
    for (const body of ['', chunk('abc'), chunk('x'.repeat(64 * 1024)) + chunk('abc')]) {
      const head = requestText({ method: 'POST', target: `${route}/echo`, lines: CHUNKED });
      const result = await rawRequest(port, `${head}${body}0\r\nX-Sum: 1\r\nx-other: 2\r\n\r\n`);
      const got = result.responses[0]?.json() as Echo | undefined;
      assert.deepEqual(got?.rawTrailers, ['X-Sum', '1', 'x-other', '2'], `${route}, ${body.length} octets`);
    }
  }
});

test('a GET may have a body', async () => {
  for (const route of ROUTES) {
    const response = await send(port, { target: `${route}/echo`, body: 'abc' });
    assert.equal((response.json() as Echo).bodySha256, sha256('abc'));
  }
});

/** Bytes of an upstream → body and framing that the client gets. */
const RESPONSES: ReadonlyArray<
  Ask & {
    readonly name: string;
    readonly from: string;
    readonly ending?: 'close';
    readonly body: string;
    readonly framing: string;
    readonly status?: number;
    readonly trailers?: ReadonlyArray<readonly [string, string]>;
    readonly length?: string;
  }
> = [
  {
    name: 'length',
    from: 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc',
    body: 'abc',
    framing: 'length',
  },
  {
    name: 'chunked',
    from: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x=y\r\na\r\n002\r\nbc\r\n0\r\n\r\n',
    body: 'abc',
    framing: 'chunked',
  },
  {
    name: 'trailers, wanted',
    lines: ['TE: trailers'],
    from: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n',
    body: 'abc',
    framing: 'chunked',
    trailers: [['X-Sum', '1']],
  },
  {
    name: 'trailers, not wanted',
    from: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n',
    body: 'abc',
    framing: 'chunked',
    trailers: [],
  },
  {
    name: 'until close',
    from: 'HTTP/1.1 200 OK\r\n\r\nabc',
    ending: 'close',
    body: 'abc',
    framing: 'chunked',
  },
  {
    name: 'until close in HTTP/1.0',
    from: 'HTTP/1.0 200 OK\r\n\r\nabc',
    ending: 'close',
    body: 'abc',
    framing: 'chunked',
  },
  {
    name: 'chunked for a 1.0 client',
    version: '1.0',
    from: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
    body: 'abc',
    framing: 'close',
  },
  {
    name: 'length for a 1.0 client that stays',
    version: '1.0',
    lines: ['Connection: keep-alive'],
    from: 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc',
    body: 'abc',
    framing: 'length',
  },
  { name: '204', from: 'HTTP/1.1 204 No Content\r\n\r\n', status: 204, body: '', framing: 'none' },
  {
    name: '304 keeps its length',
    from: 'HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\nETag: "x"\r\n\r\n',
    status: 304,
    body: '',
    framing: 'none',
    length: '99',
  },
  {
    name: 'HEAD keeps its length',
    method: 'HEAD',
    from: 'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n',
    body: '',
    framing: 'none',
    length: '99',
  },
  {
    name: 'HEAD of chunks',
    method: 'HEAD',
    from: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
    body: '',
    framing: 'none',
  },
  {
    name: 'empty',
    from: 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
    body: '',
    framing: 'length',
    length: '0',
  },
  {
    name: 'more bytes than the length says',
    from: 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil',
    body: 'abc',
    framing: 'length',
  },
  {
    name: 'bytes behind a 204',
    from: 'HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil',
    status: 204,
    body: '',
    framing: 'none',
  },
];

for (const { name, from, ending, body, framing, status = 200, trailers, length, ...ask } of RESPONSES) {
  test(`response: ${name}`, async () => {
    for (const route of ROUTES) {
      await using connection = await connectRaw(port);
      const lines = [...(ask.lines ?? []), ...answer(from, ending)];
      connection.write(requestText({ ...ask, lines, target: `${route}/puppet` }));
      const response = await connection.readResponse({ method: ask.method ?? 'GET' });
      assert.equal(response.status, status);
      assert.equal(response.text(), body);
      assert.equal(response.framing, framing);
      if (trailers !== undefined) assert.deepEqual(response.trailers, trailers);
      if (length !== undefined) assert.deepEqual(response.all('content-length'), [length]);
      if (framing === 'close') {
        assert.equal(await connection.closed(), 'end');
        continue;
      }
      connection.write(requestText({ target: '/kept/echo' }));
      const next = await connection.readResponse();
      assert.equal((next.json() as Echo).method, 'GET', 'the connection goes on in step');
    }
  });
}

test('bytes that nobody asked for end an idle connection and reach no one', async () => {
  const first = await send(port, { target: '/kept/puppet', lines: answer(OK) });
  assert.equal(first.text(), 'ok');
  const peer = puppet.peers.at(-1) as RawPeer;
  peer.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil');
  await waitFor(() => peer.socket.readableEnded || peer.socket.destroyed);
  assert.equal((await send(port, { target: '/kept/puppet', lines: answer(OK) })).text(), 'ok');
});

test('an event of a stream is there at once, whatever response_buffering says', async () => {
  for (const route of ROUTES) {
    await using connection = await connectRaw(port);
    connection.write(requestText({ target: `${route}/parts` }));
    await waitFor(() => connection.received.includes('data: first'), { what: 'the first event' });
    gate.dispatchEvent(new Event('open'));
    const response = await connection.readResponse();
    assert.equal(response.text(), 'data: first\n\ndata: last\n\n');
    assert.equal(response.header('content-type'), 'text/event-stream');
  }
});

const EXPECT = 'Expect: 100-continue';

async function continued(connection: RawConnection): Promise<void> {
  const interim = 'HTTP/1.1 100 Continue\r\n\r\n';
  assert.equal((await connection.readBytes(interim.length)).toString('latin1'), interim);
}

test('Expect: 100-continue is answered here, when the body is wanted', async () => {
  for (const route of ROUTES) {
    await using connection = await connectRaw(port);
    for (const lines of [['Content-Length: 3'], CHUNKED]) {
      const ask = { method: 'POST', target: `${route}/echo`, lines: [EXPECT, ...lines] };
      connection.write(requestText(ask));
      await continued(connection);
      connection.write(lines === CHUNKED ? `${chunk('abc')}0\r\n\r\n` : 'abc');
      const got = (await connection.readResponse()).json() as Echo;
      assert.equal(got.bodySha256, sha256('abc'));
      assert.equal(got.headers['expect'], undefined);
    }
  }
});

test('Expect: no 100 for what is refused, and the connection ends', async () => {
  await using connection = await connectRaw(port);
  connection.write(requestText({ method: 'POST', target: '/nowhere', lines: [EXPECT, 'Content-Length: 3'] }));
  const response = await connection.readResponse();
  assert.equal(response.status, 404);
  assert.deepEqual(response.interim, []);
  assert.equal(response.header('connection'), 'close');
});

test('Expect: nothing to continue without a body, and for a 1.0 client', async () => {
  for (const ask of [
    { lines: [EXPECT] },
    { lines: [EXPECT], version: '1.0', method: 'POST', body: 'a' },
  ] as const) {
    const response = await send(port, { target: '/kept/echo', ...ask });
    assert.equal(response.status, 200);
    assert.deepEqual(response.interim, []);
  }
});

test('interim responses: 103 passes, 100 and 102 as they are for clients, none for 1.0', async () => {
  const hints = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\n';
  const from = `HTTP/1.1 100 Continue\r\n\r\n${hints}${hints}${OK}`;
  for (const route of ROUTES) {
    const response = await send(port, { target: `${route}/puppet`, lines: answer(from) });
    assert.deepEqual(
      response.interim.map(({ status, headers }) => [status, headers]),
      [
        [103, [['Link', '</a.css>']]],
        [103, [['Link', '</a.css>']]],
      ],
    );
    assert.equal(response.text(), 'ok');
    const old = await send(port, { target: `${route}/puppet`, version: '1.0', lines: answer(from) });
    assert.deepEqual(old.interim, []);
    assert.equal(old.status, 200);
  }
});

test('an interim response is there before the final one', async () => {
  await using connection = await connectRaw(port);
  const seen = silent.connections;
  connection.write(requestText({ target: '/kept/silent' }));
  const peer = await nextPeer(seen);
  peer.write('HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n');
  await waitFor(() => connection.received.includes('103 Early Hints'));
  peer.end(OK);
  assert.equal((await connection.readResponse()).text(), 'ok');
});

test('a response that comes before the end of an upload', async () => {
  for (const ending of ['stays', 'closes'] as const) {
    await using connection = await connectRaw(port);
    const seen = silent.connections;
    connection.write(
      requestText({ method: 'POST', target: '/streamed/silent', lines: ['Content-Length: 300000'] }) + 'abc',
    );
    const peer = await nextPeer(seen);
    peer.write('HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno');
    if (ending === 'closes') peer.end();
    const response = await connection.readResponse();
    assert.equal(response.status, 401);
    assert.equal(response.text(), 'no');
    // The rest is read and dropped, and is no request; or the connection has ended.
    connection.write(requestText({ target: '/kept/echo' }).padEnd(299_997, 'x'));
    if (response.header('connection') === 'close') {
      assert.equal(await connection.closed(), 'end');
    } else {
      connection.write(requestText({ target: '/kept/echo' }));
      assert.equal(((await connection.readResponse()).json() as Echo).method, 'GET');
    }
    assert.equal(connection.unread.length, 0);
  }
});

test('a client that goes during a download or an upload takes the upstream connection with it', async () => {
  for (const part of ['download', 'upload'] as const) {
    for (const way of ['reset', 'end'] as const) {
      await using connection = await connectRaw(port);
      const seen = silent.connections;
      const lines = part === 'upload' ? ['Content-Length: 1000'] : [];
      const method = part === 'upload' ? 'POST' : 'GET';
      connection.write(requestText({ method, target: '/streamed/silent', lines }));
      const peer = await nextPeer(seen);
      if (part === 'download') {
        peer.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nabc');
        await connection.readBytes(10);
      }
      if (way === 'reset') connection.reset();
      else if (part === 'upload') connection.end();
      else connection.socket.destroy();
      const filler = setInterval(() => part === 'download' && peer.write('x'.repeat(1000)), 5);
      await waitFor(() => peer.socket.destroyed || peer.socket.readableEnded, {
        what: `the upstream's end (${part}, ${way})`,
      });
      clearInterval(filler);
      peer.socket.destroy();
    }
  }
});

test('a client that has sent FIN behind its request gets its answer', async () => {
  const result = await rawRequest(port, requestText({ target: '/kept/echo' }), {
    halfClose: true,
    until: 'close',
  });
  assert.equal(result.responses[0]?.status, 200);
});
