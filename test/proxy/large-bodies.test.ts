/** Bodies far larger than memory should hold, past a peer that stands still for a while. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { startGateway } from '../support/gateway.ts';
import { liveMemory } from '../support/live-memory.ts';
import { connectRaw } from '../support/raw-client.ts';
import { startHttpUpstream, startRawUpstream } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';
import { requestText, send } from './support/ask.ts';

const MIB = 1 << 20;
/** `BODY_MIB=10240 sh scripts/setup node --test test/proxy/large-bodies.test.ts` does it with 10 GiB. */
const SIZE = Number(process.env['BODY_MIB'] ?? 300) * MIB;
/** Milliseconds for one body to go through, at 2 MiB/s or faster: the machine may have other things to do. */
const PATIENCE = 60_000 + (SIZE / MIB) * 500;
/** Socket buffers of the kernel (four of them), what the gateway reads ahead, and what Node's streams hold. */
const ON_THE_WAY = 40 * MIB;
const END = '-the-end';
const PIECE = Buffer.alloc(256 * 1024, 'x');

/** Until a stream takes more, or is gone. */
async function drained(stream: Writable): Promise<void> {
  const stop = new AbortController();
  const { signal } = stop;
  await Promise.race([once(stream, 'drain', { signal }), once(stream, 'close', { signal })]);
  stop.abort();
}

let sent = 0;
const source = await startHttpUpstream(async (request, response) => {
  if (request.url === '/chunked') response.writeHead(200);
  else response.writeHead(200, { 'content-length': SIZE });
  for (sent = 0; sent < SIZE; sent += PIECE.length) {
    if (!response.write(PIECE)) await drained(response);
    if (response.destroyed) return;
  }
  response.end();
});

/** Reads nothing until a test says so; counts what comes, and answers when the upload is whole. */
let received = 0;
const sinks: Socket[] = [];
const sink = await startRawUpstream(({ socket }) => {
  socket.removeAllListeners('data');
  socket.pause();
  sinks.push(socket);
  received = 0;
  let tail = '';
  socket.on('data', (chunk: Buffer) => {
    received += chunk.length;
    tail = (tail + chunk.toString('latin1', Math.max(0, chunk.length - 32))).slice(-32);
    if (tail.includes(END)) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone');
  });
  socket.pause();
});

const both = (name: string, port: number): Record<string, unknown> => ({
  name,
  host: '127.0.0.1',
  port,
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
const memory = await liveMemory();
const gateway = await startGateway({
  env: memory.env,
  config: { _format_version: '3.0', services: [both('source', source.port), both('sink', sink.port)] },
});
const port = gateway.proxyPort;

after(async () => {
  for (const each of [gateway, source, sink, memory]) await each[Symbol.asyncDispose]();
});

/** The most that the gateway holds while `work` goes on, octets. */
async function peak(work: Promise<unknown>): Promise<number> {
  let most = 0;
  let over = false;
  const watch = async (): Promise<void> => {
    while (!over) {
      most = Math.max(most, await memory.now());
      await delay(50);
    }
  };
  const watching = watch();
  try {
    await work;
  } finally {
    over = true;
    await watching;
  }
  return most;
}

/** Resolves when `value` has stood still for a while. */
async function still(value: () => number): Promise<number> {
  let last = -1;
  let same = 0;
  await waitFor(
    () => {
      same = value() === last ? same + 1 : 0;
      last = value();
      return same >= 10 && last > 0;
    },
    { interval: 20, what: 'the flow to stand still' },
  );
  return last;
}

/** Asks, stands still while `pause` runs, then reads all; answers octets of the body. */
async function download(target: string, pause: () => Promise<unknown>): Promise<number> {
  await using connection = await connectRaw(port);
  const { socket } = connection;
  socket.removeAllListeners('data');
  socket.pause();
  let octets = 0;
  let head = '';
  socket.on('data', (chunk: Buffer) => {
    octets += chunk.length;
    if (head.length < 4096) head += chunk.toString('latin1', 0, 4096);
  });
  socket.pause();
  sent = 0;
  connection.write(requestText({ target, lines: ['Connection: close'] }));
  await pause();
  socket.resume();
  await connection.closed(PATIENCE);
  assert.match(head, /^HTTP\/1\.1 200 /);
  return octets;
}

/** Sends the whole, while the upstream stands still until `pause` is over. */
async function upload(
  target: string,
  chunked: boolean,
  pause: (given: () => number) => Promise<unknown>,
): Promise<void> {
  await using connection = await connectRaw(port);
  const { socket } = connection;
  const before = sinks.length;
  const lines = [chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${SIZE + END.length}`];
  connection.write(requestText({ method: 'PUT', target, lines }));
  let given = 0;
  const pump = async (): Promise<void> => {
    for (; given < SIZE; given += PIECE.length) {
      if (chunked) socket.write(`${PIECE.length.toString(16)}\r\n`);
      if (!socket.write(PIECE)) await once(socket, 'drain');
      if (chunked) socket.write('\r\n');
    }
    socket.write(chunked ? `${END.length.toString(16)}\r\n${END}\r\n0\r\n\r\n` : END);
  };
  const pumping = pump();
  await waitFor(() => sinks.length > before);
  await pause(() => given);
  sinks.at(-1)?.resume();
  await pumping;
  assert.equal((await connection.readResponse({ timeout: PATIENCE })).text(), 'done');
}

// Warm: code is no part of what is measured.
const goOn = (): Promise<void> => Promise.resolve();
await download('/kept/source/chunked', goOn);
await upload('/kept/sink', true, goOn);
const baseline = await memory.next();

async function assertFlat(work: Promise<unknown>): Promise<void> {
  const grown = (await peak(work)) - baseline;
  // It is less than one; what would be kept is 300 and more.
  assert.ok(grown < 8 * MIB, `grown by ${Math.round(grown / MIB)} MiB`);
}

for (const target of ['/kept/source', '/streamed/source', '/streamed/source/chunked']) {
  test(`${SIZE / MIB} MiB down past a client that stands still: ${target}`, async () => {
    const pause = async (): Promise<void> => {
      assert.ok((await still(() => sent)) < ON_THE_WAY, `the upstream was let send ${sent} octets`);
    };
    let octets = 0;
    await assertFlat(download(target, pause).then((count) => (octets = count)));
    assert.ok(octets >= SIZE && octets < SIZE * 1.01, `${octets} octets came`);
  });
}

for (const [target, chunked] of [
  ['/kept/sink', false],
  ['/streamed/sink', false],
  ['/streamed/sink', true],
] as const) {
  test(`${SIZE / MIB} MiB up past an upstream that stands still: ${target}${chunked ? ', chunked' : ''}`, async () => {
    const pause = async (given: () => number): Promise<void> => {
      assert.ok((await still(given)) < ON_THE_WAY, `the client was let send ${given()} octets`);
    };
    await assertFlat(upload(target, chunked, pause));
    assert.ok(received >= SIZE && received < SIZE * 1.01, `${received} octets arrived`);
  });
}

test('fifty clients that do not read cost a bounded amount each', async () => {
  await using stack = new AsyncDisposableStack();
  const before = await memory.next();
  for (let i = 0; i < 50; i++) {
    const connection = stack.use(await connectRaw(port));
    connection.socket.pause();
    connection.write(requestText({ target: '/kept/source' }));
  }
  await waitFor(() => source.open >= 50);
  await still(() => sent + source.open);
  const each = ((await memory.next()) - before) / 50;
  // 256 KiB are read ahead, and up to a read more.
  assert.ok(each < 0.6 * MIB, `${Math.round(each / 1024)} KiB each`);
  assert.equal((await send(port, { target: '/nowhere' })).status, 404, 'others are served');
});
