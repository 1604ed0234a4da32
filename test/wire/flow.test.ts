/** Bodies far larger than every buffer, with a slow side: bytes arrive whole, memory stays flat. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { startPlane } from '../support/data-plane.ts';
import type { PlaneOptions } from '../support/data-plane.ts';
import { startRawUpstream } from '../support/upstream.ts';

const MIB = 1024 * 1024;
const BODY = 200 * MIB;
const BLOCK = Buffer.alloc(MIB, 'abcdefghijklmnopqrstuvwxyz0123456789');
/**
 * What both ends of the test and the gateway may hold together, beyond what they held before. On a busy machine buffers
 * that were let go are counted for a while (up to 50 MiB seen); a body that is kept would be 200.
 */
const BOUND = 96 * MIB;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** The largest growth of live memory outside and inside the heap while `work` runs. */
async function memoryGrowth(work: () => Promise<void>): Promise<number> {
  const used = (): number => {
    collect();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const before = used();
  let most = 0;
  const timer = setInterval(() => (most = Math.max(most, used() - before)), 250);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  return most;
}

/** Writes BODY octets as fast as the socket takes them, framed by `frame`. */
async function pump(socket: Socket, frame: (block: Buffer) => readonly Buffer[]): Promise<void> {
  for (let sent = 0; sent < BODY; sent += BLOCK.length) {
    for (const piece of frame(BLOCK)) if (!socket.write(piece)) await once(socket, 'drain');
  }
}

const plain = (block: Buffer): readonly Buffer[] => [block];
const chunked = (block: Buffer): readonly Buffer[] => [
  Buffer.from(`${block.length.toString(16)}\r\n`),
  block,
  Buffer.from('\r\n'),
];

const WANTED = (() => {
  const hash = createHash('sha1');
  for (let sent = 0; sent < BODY; sent += BLOCK.length) hash.update(BLOCK);
  return hash.digest('hex');
})();

/** Counts and hashes a body by length behind a head; stops reading now and then. */
class SlowReader {
  #head: Buffer | null = Buffer.alloc(0);
  readonly #hash = createHash('sha1');
  headText = '';
  octets = 0;
  readonly done = Promise.withResolvers<void>();
  #sincePause = 0;

  constructor(socket: Socket) {
    socket.on('data', (chunk: Buffer) => {
      this.#take(chunk);
      this.#sincePause += chunk.length;
      if (this.#sincePause < 20 * MIB) return;
      this.#sincePause = 0;
      socket.pause();
      setTimeout(() => socket.resume(), 60);
    });
  }

  digest(): string {
    return this.#hash.digest('hex');
  }

  #take(chunk: Buffer): void {
    let body = chunk;
    if (this.#head !== null) {
      this.#head = Buffer.concat([this.#head, chunk]);
      const end = this.#head.indexOf('\r\n\r\n');
      if (end < 0) return;
      this.headText = this.#head.toString('latin1', 0, end);
      body = this.#head.subarray(end + 4);
      this.#head = null;
    }
    this.octets += body.length;
    this.#hash.update(body);
    if (this.octets >= BODY) this.done.resolve();
  }
}

const DOWNLOADS: ReadonlyArray<
  readonly [what: string, head: string, frame: typeof plain, options: PlaneOptions]
> = [
  ['by length', `Content-Length: ${BODY}`, plain, {}],
  ['by length, unbuffered', `Content-Length: ${BODY}`, plain, { route: { responseBuffering: false } }],
  ['chunked', 'Transfer-Encoding: chunked', chunked, {}],
];

test('a download to a slow client', async (t) => {
  for (const [what, head, frame, options] of DOWNLOADS) {
    await t.test(what, async () => {
      await using upstream = await startRawUpstream(async (peer) => {
        await peer.heads(1);
        peer.write(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n`);
        await pump(peer.socket, frame);
        if (frame === chunked) peer.write('0\r\n\r\n');
      });
      await using plane = await startPlane(upstream.port, options);
      const client = connect({ port: plane.port, host: '127.0.0.1' });
      const reader = new SlowReader(client);
      const growth = await memoryGrowth(async () => {
        // HTTP/1.0: the body comes without chunks, whatever the upstream's framing.
        client.write('GET / HTTP/1.0\r\n\r\n');
        await reader.done.promise;
      });
      assert.deepEqual([reader.octets, reader.digest()], [BODY, WANTED]);
      assert.ok(growth < BOUND, `${Math.round(growth / MIB)} MiB more`);
      client.destroy();
      await plane.settled();
    });
  }
});

const UPLOADS: ReadonlyArray<readonly [what: string, options: PlaneOptions]> = [
  ['buffered', {}],
  ['unbuffered', { route: { requestBuffering: false } }],
];

test('an upload to a slow upstream', async (t) => {
  for (const [what, options] of UPLOADS) {
    await t.test(what, async () => {
      let reader: SlowReader | null = null;
      await using upstream = await startRawUpstream(async (peer) => {
        peer.socket.removeAllListeners('data');
        reader = new SlowReader(peer.socket);
        await reader.done.promise;
        peer.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      });
      await using plane = await startPlane(upstream.port, options);
      const client = connect({ port: plane.port, host: '127.0.0.1' });
      const answer = once(client, 'data') as Promise<[Buffer]>;
      const growth = await memoryGrowth(async () => {
        client.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${BODY}\r\n\r\n`);
        await pump(client, plain);
        assert.match((await answer)[0].toString(), /^HTTP\/1\.1 200 OK/);
      });
      const seen = reader as SlowReader | null;
      assert.deepEqual([seen?.octets, seen?.digest()], [BODY, WANTED]);
      assert.match(seen?.headText ?? '', new RegExp(`\r\nContent-Length: ${BODY}(?:\r\n|$)`, 'i'));
      assert.ok(growth < BOUND, `${Math.round(growth / MIB)} MiB more`);
      client.destroy();
      await plane.settled();
    });
  }
});

test('many slow clients at once each get their own bytes', async () => {
  const size = 3 * MIB;
  const bodyOf = (name: string): Buffer => Buffer.alloc(size, `<${name}>`);
  await using upstream = await startRawUpstream(async (peer) => {
    for (let request = 1; ; request++) {
      await peer.heads(request);
      const line = peer.received.toString('latin1').split('\r\n\r\n')[request - 1] ?? '';
      peer.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
      peer.write(bodyOf(line.split(' ')[1] ?? ''));
    }
  });
  await using plane = await startPlane(upstream.port);
  const clients = Array.from({ length: 24 }, async (_, index) => {
    const client = connect({ port: plane.port, host: '127.0.0.1' });
    const chunks: Buffer[] = [];
    client.pause();
    client.write(`GET /${index} HTTP/1.0\r\n\r\n`);
    await delay((index % 4) * 20);
    client.resume();
    client.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      if (index % 3 !== 0) return;
      client.pause();
      setTimeout(() => client.resume(), 1);
    });
    await once(client, 'end');
    const bytes = Buffer.concat(chunks);
    const body = bytes.subarray(bytes.indexOf('\r\n\r\n') + 4);
    assert.ok(body.equals(bodyOf(`/${index}`)), `client ${index} got other bytes`);
    client.destroy();
  });
  await Promise.all(clients);
  await plane.settled();
});
