/**
 * The graceful end with every kind of traffic in flight: within the grace time nothing is cut, beyond it everything is,
 * and the process ends.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { get, request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type Gateway, sluice, startGateway } from '../support/gateway.ts';
import { connectRaw } from '../support/raw-client.ts';
import { startHttpUpstream, type Upstream } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';
import { startStreams } from './support/streams.ts';

function config(url: string): Record<string, unknown> {
  return {
    _format_version: '3.0',
    services: [{ name: 's', url, routes: [{ name: 'r', paths: ['/'], request_buffering: false }] }],
  };
}

const PIECES = 20;
const PIECE = Buffer.alloc(1000, 'x');

/** `/slow` answers in pieces over a second; everything else says how many octets came. */
function startSlow(): Promise<Upstream> {
  return startHttpUpstream(async (request, response) => {
    if (request.url === '/slow') {
      for (let n = 0; n < PIECES; n++) {
        response.write(PIECE);
        await delay(50);
      }
      response.end();
      return;
    }
    let length = 0;
    for await (const chunk of request) length += (chunk as Buffer).length;
    response.end(String(length));
  });
}

async function download(gateway: Gateway): Promise<() => Promise<number>> {
  const [response] = (await once(get(`${gateway.url}/slow`, { agent: false }), 'response')) as [
    IncomingMessage,
  ];
  return async () => {
    let length = 0;
    for await (const chunk of response) length += (chunk as Buffer).length;
    return length;
  };
}

/** Sends in pieces over a second, and answers what came back. */
async function upload(gateway: Gateway): Promise<string> {
  const request = httpRequest(`${gateway.url}/up`, { method: 'POST', agent: false });
  const answered = once(request, 'response');
  for (let n = 0; n < PIECES; n++) {
    request.write(PIECE);
    await delay(50);
  }
  request.end();
  const [response] = (await answered) as [IncomingMessage];
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return text;
}

const requestLine = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;

test('within the grace time, downloads, uploads and pipelined requests are finished, idle connections closed', async () => {
  await using upstream = await startSlow();
  await using gateway = await startGateway({
    config: config(upstream.url),
    settings: { nginx_worker_processes: 2 },
  });
  await using idle = await connectRaw(gateway.proxyPort);
  idle.write(requestLine('/idle'));
  await idle.readResponse();
  await using pipelining = await connectRaw(gateway.proxyPort);
  pipelining.write(requestLine('/slow') + requestLine('/second'));
  const downloaded = await download(gateway);
  const uploaded = upload(gateway);
  await waitFor(() => upstream.requests >= 4, { what: 'all requests to be in flight' });
  const quit = sluice(['quit', '-c', gateway.conf, '--timeout', '30']);
  const exit = gateway.waitExit();
  assert.equal(await downloaded(), PIECES * PIECE.length);
  assert.equal(await uploaded, String(PIECES * PIECE.length));
  const first = await pipelining.readResponse();
  assert.equal(first.body.length, PIECES * PIECE.length);
  // The answer that says close is the last one: what was pipelined behind it may be sent again elsewhere.
  if (first.header('connection') !== 'close') assert.equal((await pipelining.readResponse()).status, 200);
  assert.equal(await pipelining.closed(), 'end');
  assert.equal(await idle.closed(), 'end');
  assert.equal((await quit).code, 0);
  assert.deepEqual(await exit, { code: 0, signal: null });
});

test('beyond the grace time streams and WebSockets are cut, and the process ends', async () => {
  await using streams = await startStreams();
  await using gateway = await startGateway({ config: config(`http://127.0.0.1:${streams.port}`) });
  await using socket = await streams.webSocket(`${gateway.url}/ws`);
  await using events = await streams.events(`${gateway.url}/events`);
  const closed = once(socket.socket, 'close');
  const exit = gateway.waitExit();
  const quit = sluice(['quit', '-c', gateway.conf, '--timeout', '8']);
  await waitFor(async () => (await fetch(`${gateway.statusUrl}/status/ready`)).status === 503);
  await socket.echo('while it drains');
  events.assertWhole();
  await Promise.all([closed, events.ended]);
  assert.equal((await quit).code, 0);
  assert.deepEqual(await exit, { code: 0, signal: null });
});

/** One request on a connection of its own; says when the kernel has made it. Answers what came. */
async function knock(port: number, connected: () => void): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.on('connect', () =>
    socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', connected),
  );
  socket.on('data', (chunk: Buffer) => void (text += chunk.toString()));
  const { promise, resolve } = Promise.withResolvers<string>();
  socket.on('error', (error) => resolve(error.message));
  socket.on('close', () => resolve(text.slice(0, 12)));
  return await promise;
}

/**
 * A handshake that ends between the last look into the kernel's queue and the close of a listener is lost, which nobody
 * can rule out while clients keep coming. So here all have come before: none may be lost. `test/wire/drain.test.ts` does
 * it in a worker that has not had a look since.
 */
test('connections that wait in the kernel when the end comes are answered', async () => {
  await using upstream = await startSlow();
  await using gateway = await startGateway({
    config: config(upstream.url),
    settings: { nginx_worker_processes: 2 },
  });
  gateway.signal('SIGSTOP');
  let waiting = 0;
  const clients = Array.from({ length: 64 }, () => knock(gateway.proxyPort, () => void waiting++));
  await waitFor(() => waiting === clients.length, { what: 'the kernel to take all' });
  const exit = gateway.waitExit();
  gateway.signal('SIGQUIT');
  gateway.signal('SIGCONT');
  const answers = await Promise.all(clients);
  assert.deepEqual([...new Set(answers)], ['HTTP/1.1 200']);
  assert.deepEqual(await exit, { code: 0, signal: null });
});
