/** The fuzz run over sockets: mutated requests into a data plane whose upstream answers with mutated responses. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { CELL } from '../../src/zone/worker-zone.ts';
import { startPlane } from '../support/data-plane.ts';
import type { TestPlane } from '../support/data-plane.ts';
import { rawRequest } from '../support/raw-client.ts';
import { startRawUpstream } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';
import { bytesOf, piecesOf } from '../support/wire-reader.ts';
import { Random, REQUESTS, RESPONSES } from './messages.ts';
import type { FuzzCounts, FuzzOptions } from './wire-fuzz.ts';

const BATCH = 100;
/** Beyond what the first batches need. */
const MEMORY_GROWTH = 64 * 1024 * 1024;
const GOOD = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood';

/** Short, and yet longer than this process may stand still on a busy machine. */
const SETTINGS = {
  nginx_http_client_header_timeout: '1500ms',
  nginx_http_client_body_timeout: '1500ms',
  nginx_http_keepalive_timeout: '1500ms',
  nginx_http_send_timeout: '1500ms',
};

export async function fuzzSockets({ messages, seed }: FuzzOptions): Promise<FuzzCounts> {
  const random = new Random(seed);
  const counts: FuzzCounts = { streams: 0, accepted: 0, endings: new Map() };
  await using upstream = await startRawUpstream((peer) => {
    peer.socket.on('data', () => {
      const good = peer.received.includes('/good');
      // Everything that came was answered; nothing of it need be kept.
      if (!good && peer.received.length > 100_000) peer.reset();
      else peer.write(good ? GOOD : bytesOf(random.stream(RESPONSES)));
      // One or the other: a socket of Node's that is reset right behind its end keeps its handle open.
      const manner = good ? 20 : random.next(20);
      if (manner === 0) peer.reset();
      else if (manner < 3) peer.end();
    });
    peer.socket.on('end', () => peer.end());
  });
  await using plane = await startPlane(upstream.port, {
    settings: SETTINGS,
    service: { timeouts: { connect: 5000, write: 1500, read: 1500 } },
    route: { requestBuffering: seed % 2 === 0 },
  });
  let baseline = 0;
  for (let done = 0; done < messages; done += BATCH) {
    const sent = Array.from({ length: Math.min(BATCH, messages - done) }, () => send(plane, random, counts));
    await Promise.all(sent);
    await waitFor(() => plane.zone.get(CELL.active) === 0, { timeout: 90_000, what: `batch ${done} to end` });
    await plane.settled();
    const { responses } = await rawRequest(
      plane.port,
      'GET /good HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
      {
        until: 'close',
      },
    );
    assert.ok(responses[0]?.text() === 'good' || responses[0]?.status === 502, `after batch ${done}`);
    // What the upstream remembers of its connections is no memory of the gateway's.
    upstream.peers.length = 0;
    const { arrayBuffers, heapUsed } = process.memoryUsage();
    if (done < 10 * BATCH) baseline = Math.max(baseline, arrayBuffers + heapUsed);
    else assert.ok(arrayBuffers + heapUsed < baseline + MEMORY_GROWTH, `memory grew by batch ${done}`);
  }
  return counts;
}

/** One connection: a mutated stream in a few writes, then FIN, reset, or silence until the gateway ends it. */
function send(plane: TestPlane, random: Random, counts: FuzzCounts): Promise<void> {
  const bytes = bytesOf(random.stream(REQUESTS));
  const pieces = piecesOf(bytes, [random.next(bytes.length + 1), random.next(bytes.length + 1)]);
  const manner = random.pick(['fin', 'fin', 'fin', 'reset', 'silence'] as const);
  return new Promise((resolve) => {
    const socket = connect({ port: plane.port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    let status = 'nothing';
    socket.on('data', (chunk: Buffer) => {
      status = /^HTTP\/1\.1 (\d{3})/.exec(chunk.toString('latin1'))?.[1] ?? status;
    });
    const write = (index: number): void => {
      const piece = pieces[index];
      if (piece !== undefined) {
        socket.write(piece, () => setImmediate(write, index + 1));
      } else if (manner === 'fin') socket.end();
      else if (manner === 'reset') socket.resetAndDestroy();
    };
    socket.on('connect', () => write(0));
    socket.on('end', () => socket.end());
    socket.on('error', () => {});
    socket.on('close', () => {
      counts.streams++;
      if (status.startsWith('2')) counts.accepted++;
      counts.endings.set(`${manner} ${status}`, (counts.endings.get(`${manner} ${status}`) ?? 0) + 1);
      resolve();
    });
  });
}
