import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { test } from 'node:test';
import { resetSocket } from './reset-socket.ts';

const CASES: ReadonlyArray<readonly [what: string, before: (socket: Socket) => unknown]> = [
  ['that is open', () => {}],
  ['whose end was asked for this moment', (socket) => socket.end()],
  ['whose end waits for what goes before it', (socket) => socket.end(Buffer.alloc(4_000_000))],
  ['that has ended', (socket) => once(socket.end(), 'finish')],
];

for (const [what, before] of CASES) {
  test(`a connection ${what} is closed, and its peer sees it`, async () => {
    await using server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
      .on('error', () => {})
      .resume();
    const [socket] = (await once(server, 'connection')) as [Socket];
    const errors: unknown[] = [];
    socket.on('error', (error) => errors.push(error));
    const gone = Promise.all(
      [socket, client].map((side) => new Promise((closed) => side.on('close', closed))),
    );
    await before(socket);
    resetSocket(socket);
    await gone;
    assert.deepEqual(errors, []);
  });
}
