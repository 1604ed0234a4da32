/** A tunnel's writing side before a peer that does not read. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { test } from 'node:test';
import { SocketTunnel } from './socket-tunnel.ts';

test('behind bytes that wait a chunk is copied: its buffer may be read into again', async () => {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(createServer());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [far] = (await once(server, 'connection')) as [Socket];
  stack.defer(() => {
    socket.destroy();
    far.destroy();
  });
  const tunnel = new SocketTunnel(socket, null);
  const wanted: Buffer[] = [];
  let buffer = Buffer.alloc(64 * 1024);
  const write = (length: number): boolean => {
    buffer.fill(wanted.length % 251);
    wanted.push(Buffer.from(buffer.subarray(0, length)));
    return tunnel.write(buffer.subarray(0, length));
  };
  while (!write(8000)) assert.ok(wanted.length < 5000, 'the kernel never filled up');
  buffer = Buffer.alloc(64 * 1024);
  for (let i = 0; i < 100; i++) assert.equal(write(40), false, 'the buffer is free');
  const received: Buffer[] = [];
  far.on('data', (chunk: Buffer) => received.push(chunk));
  tunnel.end();
  await once(far, 'end');
  assert.ok(Buffer.concat(received).equals(Buffer.concat(wanted)));
});
