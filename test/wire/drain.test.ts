/** The end of a worker with connections that it has not accepted yet: the kernel has made them, and their requests came. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { startPlane } from '../support/data-plane.ts';

const CLIENTS = 64;

/** Connects, sends and tells when all have, while the thread of the test stands still; then tells what came back. */
const CLIENT = `
const { parentPort, workerData } = require('node:worker_threads');
const { connect } = require('node:net');
parentPort.once('message', () => {
  const { port, count, sent } = workerData;
  let open = count;
  const answers = [];
  for (let n = 0; n < count; n++) {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    socket.on('connect', () => socket.write('GET / HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n', () => {
      if (Atomics.add(sent, 0, 1) + 1 === count) Atomics.notify(sent, 0);
    }));
    socket.on('data', (chunk) => (text += chunk));
    socket.on('error', (error) => (text ||= error.code));
    socket.on('close', () => {
      answers.push(text.slice(0, 12));
      if (--open === 0) parentPort.postMessage(answers);
    });
  }
});
parentPort.postMessage('ready');
`;

test('connections that wait in the kernel when the end comes are answered', async () => {
  await using plane = await startPlane(1, { route: { service: null } });
  const sent = new Int32Array(new SharedArrayBuffer(4));
  const workerData = { port: plane.port, count: CLIENTS, sent };
  const clients = new Worker(CLIENT, { eval: true, workerData });
  await once(clients, 'message');
  const answered = once(clients, 'message');
  clients.postMessage('go', []);
  // Whatever comes meanwhile is not accepted: this is the gateway's thread.
  for (let n = 0; n < CLIENTS; n = Atomics.load(sent, 0)) Atomics.wait(sent, 0, n, 30_000);
  await plane.plane.drain(60_000);
  const [answers] = (await answered) as [string[]];
  assert.deepEqual([answers.length, [...new Set(answers)]], [CLIENTS, ['HTTP/1.1 503']]);
  await clients.terminate();
});
