/**
 * The shared scratch on each kind of socket: quick, slow, corked, connecting, encrypted, closed. Several outputs write
 * in turns; each receiver must get exactly its own bytes, so each writes a pattern that no other has.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { test } from 'node:test';
import * as tls from 'node:tls';
import { selfSigned } from '../../lib/x509/self-signed.ts';
import { Output, Scratch } from './output.ts';

const CERTIFICATE = selfSigned({
  names: ['localhost'],
  from: new Date(Date.now() - 1000),
  until: new Date(Date.now() + 3_600_000),
});

interface Pair {
  readonly socket: Socket;
  /** What the other end has received. */
  received(): Buffer;
  /** Lets the other end read, and waits for the end. */
  finish(): Promise<Buffer>;
  close(): void;
}

/** A TCP connection whose far end does not read until `finish`, unless it is `quick`. */
async function pair(server: Server, quick: boolean, wait = true): Promise<Pair> {
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const socket = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' });
  socket.on('error', () => {});
  if (wait) await once(socket, 'connect');
  const chunks: Buffer[] = [];
  const far = accepted.then(([peer]) => {
    peer.on('error', () => {});
    if (quick) peer.on('data', (chunk: Buffer) => chunks.push(chunk));
    return peer;
  });
  if (wait) await far;
  return {
    socket,
    received: () => Buffer.concat(chunks),
    async finish() {
      const peer = await far;
      if (!quick) peer.on('data', (chunk: Buffer) => chunks.push(chunk));
      socket.end();
      if (!peer.readableEnded) await once(peer, 'end');
      return Buffer.concat(chunks);
    },
    close() {
      socket.destroy();
      void far.then((peer) => peer.destroy());
    },
  };
}

/** The same over TLS. */
async function encryptedPair(server: Server, quick: boolean): Promise<Pair> {
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const { port } = server.address() as AddressInfo;
  const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  socket.on('error', () => {});
  const [far] = await accepted;
  const peer = new tls.TLSSocket(far, { isServer: true, ...CERTIFICATE });
  peer.on('error', () => {});
  await once(socket, 'secureConnect');
  const chunks: Buffer[] = [];
  const read = (): void => void peer.on('data', (chunk: Buffer) => chunks.push(chunk));
  if (quick) read();
  return {
    socket,
    received: () => Buffer.concat(chunks),
    async finish() {
      if (!quick) read();
      socket.end();
      if (!peer.readableEnded) await once(peer, 'end');
      return Buffer.concat(chunks);
    },
    close() {
      socket.destroy();
      far.destroy();
    },
  };
}

async function listening(): Promise<Server & AsyncDisposable> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: false });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

/** Bytes that say whose they are and which. */
function pattern(owner: number, number: number, length: number): Buffer {
  return Buffer.alloc(length, `<${owner}:${number}>`);
}

function writeHead(output: Output, bytes: Buffer): void {
  const target = output.reserve(bytes.length);
  bytes.copy(target, output.length);
  output.advance(output.length + bytes.length);
}

/** Sizes around the bounds: copied, passed on as they are, larger than the scratch. */
const SIZES = [1, 5, 100, 8191, 8192, 8193, 30_000, 64 * 1024, 70_000];

test('outputs that write in turns on one scratch: no byte of another ever appears', async () => {
  await using server = await listening();
  for (const encrypted of [false, true]) {
    const scratch = new Scratch();
    const kind = encrypted ? encryptedPair : pair;
    const pairs = [
      await kind(server, true),
      await kind(server, false),
      await kind(server, true),
      await kind(server, false),
    ];
    // This one still connects when its first bytes are written.
    if (!encrypted) pairs.push(await pair(server, true, false));
    const outputs = pairs.map(({ socket }) => new Output(socket, scratch, encrypted));
    const wanted: Buffer[][] = pairs.map(() => []);
    for (let round = 0; round < 60; round++) {
      for (const [index, output] of outputs.entries()) {
        const size = SIZES[(round + index * 3) % SIZES.length] ?? 1;
        const head = pattern(index, round, (size % 500) + 10);
        const body = pattern(index, round + 1000, size);
        writeHead(output, head);
        wanted[index]?.push(head);
        if ((round + index) % 3 === 0) {
          output.chunk(body);
          wanted[index]?.push(Buffer.from(`${size.toString(16)}\r\n`), body, Buffer.from('\r\n'));
        } else {
          output.bytes(body);
          wanted[index]?.push(body);
        }
        // Some flush at once, some leave it to whoever takes the scratch next, some corked by a large chunk.
        if ((round + index) % 2 === 0) output.flush();
      }
      if (round % 10 === 9) await new Promise((resolve) => setImmediate(resolve));
    }
    for (const output of outputs) output.flush();
    for (const [index, one] of pairs.entries()) {
      const received = await one.finish();
      const expected = Buffer.concat(wanted[index] ?? []);
      assert.equal(received.length, expected.length, `output ${index}, encrypted ${encrypted}`);
      assert.ok(received.equals(expected), `output ${index}, encrypted ${encrypted}: bytes of another`);
      one.close();
    }
  }
});

test('a slow socket keeps its bytes: the scratch is written again behind it', async () => {
  await using server = await listening();
  const scratch = new Scratch();
  const slow = await pair(server, false);
  const quick = await pair(server, true);
  const output = new Output(slow.socket, scratch, false);
  const other = new Output(quick.socket, scratch, false);
  const wanted: Buffer[] = [];
  let held = false;
  for (let i = 0; !held || i < 10; i++) {
    assert.ok(i < 5000, 'the kernel never filled up');
    const bytes = pattern(1, i, 8000);
    for (let part = 0; part < 5; part++) {
      output.bytes(bytes);
      wanted.push(bytes);
    }
    held = output.flush();
    // Others write over the scratch at once.
    other.bytes(pattern(2, i, 8000));
    other.flush();
  }
  const received = await slow.finish();
  assert.ok(received.equals(Buffer.concat(wanted)));
  slow.close();
  quick.close();
});

test('little by little behind bytes that wait costs no scratch each time', async () => {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await listening());
  const scratch = new Scratch();
  const slow = await pair(server, false);
  stack.defer(() => slow.close());
  const output = new Output(slow.socket, scratch, false);
  const wanted: Buffer[] = [];
  const write = (length: number): boolean => {
    const bytes = pattern(1, wanted.length, length);
    wanted.push(bytes);
    output.bytes(bytes);
    return output.flush();
  };
  while (!write(8000)) assert.ok(wanted.length < 5000, 'the kernel never filled up');
  const { buffer } = scratch;
  for (let i = 0; i < 100; i++) {
    assert.equal(write(40), true);
    assert.equal(scratch.buffer, buffer);
  }
  assert.ok((await slow.finish()).equals(Buffer.concat(wanted)));
});

test('flush says whether chunks are still referenced', async () => {
  await using server = await listening();
  const one = await pair(server, false);
  const output = new Output(one.socket, new Scratch(), false);
  assert.equal(output.flush(), false);
  output.bytes(Buffer.alloc(10_000));
  assert.equal(output.flush(), false, 'the kernel took it all');
  output.bytes(Buffer.alloc(50_000_000));
  assert.equal(output.flush(), true);
  one.close();
});

test('with TLS no chunk is ever referenced, however slow the reader is', async () => {
  await using server = await listening();
  const one = await encryptedPair(server, false);
  const output = new Output(one.socket, new Scratch(), true);
  const wanted: Buffer[] = [];
  while (one.socket.writableLength < 1_000_000) {
    const chunk = pattern(1, wanted.length, 60_000);
    wanted.push(Buffer.from(chunk));
    output.bytes(chunk);
    assert.equal(output.flush(), false);
    // It is the caller's again.
    chunk.fill('x');
  }
  assert.ok((await one.finish()).equals(Buffer.concat(wanted)));
  one.close();
});

test('a socket that closed takes nothing and hurts nobody', async () => {
  await using server = await listening();
  const scratch = new Scratch();
  const gone = await pair(server, true);
  const good = await pair(server, true);
  const output = new Output(gone.socket, scratch, false);
  const other = new Output(good.socket, scratch, false);
  output.bytes(pattern(1, 1, 100));
  gone.socket.destroy();
  // Takes the scratch from an output whose socket is gone.
  const bytes = pattern(2, 2, 100);
  other.bytes(bytes);
  output.bytes(pattern(1, 2, 100));
  output.flush();
  other.flush();
  assert.ok((await good.finish()).equals(bytes));
  gone.close();
  good.close();
});

test('what was discarded never leaves, and the next owner starts clean', async () => {
  await using server = await listening();
  const scratch = new Scratch();
  const first = await pair(server, true);
  const second = await pair(server, true);
  const output = new Output(first.socket, scratch, false);
  const other = new Output(second.socket, scratch, false);
  output.bytes(pattern(1, 1, 100));
  output.discard();
  assert.equal(output.length, 0);
  other.bytes(pattern(2, 2, 50));
  output.bytes(pattern(1, 3, 20));
  output.flush();
  other.flush();
  assert.ok((await first.finish()).equals(pattern(1, 3, 20)));
  assert.ok((await second.finish()).equals(pattern(2, 2, 50)));
  first.close();
  second.close();
});
