/**
 * Many exchanges at once, in which clients and upstreams leave at any moment: whoever gets an answer gets their own and
 * all of it, nothing hangs, and afterwards nothing is left over. The choices come from a seed, which a failure names; it
 * is the same in every run, and `SLUICE_TEST_SEED=N` tries others.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { startGateway } from '../support/gateway.ts';
import { connectRaw, type RawConnection } from '../support/raw-client.ts';
import type { RawResponse } from '../support/response-reader.ts';
import { startHttpUpstream } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';
import { requestText, send } from './support/ask.ts';

const SEED = Number(process.env['SLUICE_TEST_SEED'] ?? 42);
const EXCHANGES = Number(process.env['SLUICE_TEST_EXCHANGES'] ?? 600);
const AT_ONCE = 40;

/** Mulberry32: small, and the same everywhere. */
function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

/** What a body holds: its exchange's number over and over, so that a foreign byte shows. */
const bodyOf = (id: string, size: number): Buffer => Buffer.alloc(size, `<${id}>`);

async function hashOf(request: IncomingMessage): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of request as AsyncIterable<Buffer>) hash.update(chunk);
  return hash.digest('hex');
}

type Mode = (request: IncomingMessage, response: ServerResponse, body: Buffer) => void | Promise<void>;

const MODES: Readonly<Record<string, Mode>> = {
  length: async (request, response, body) => {
    response.setHeader('x-hash', await hashOf(request));
    response.setHeader('content-length', body.length);
    response.end(body);
  },
  chunked: async (request, response, body) => {
    response.setHeader('x-hash', await hashOf(request));
    for (let at = 0; at < body.length; at += 7777) response.write(body.subarray(at, at + 7777));
    response.end();
  },
  'close behind': async (request, response, body) => {
    response.setHeader('x-hash', await hashOf(request));
    response.setHeader('connection', 'close');
    response.end(body);
  },
  hints: async (request, response, body) => {
    response.writeEarlyHints({ link: '</a>; rel=preload' });
    response.setHeader('x-hash', await hashOf(request));
    response.end(body);
  },
  drip: async (request, response, body) => {
    response.setHeader('x-hash', await hashOf(request));
    for (let part = 0; part < 4; part++) {
      response.write(body.subarray((body.length * part) >> 2, (body.length * (part + 1)) >> 2));
      await delay(5);
    }
    response.end();
  },
  early: (request, response, body) => {
    response.end(body);
    request.resume();
  },
  'early and gone': (_, response, body) => {
    response.setHeader('connection', 'close');
    response.end(body, () => response.socket?.destroy());
  },
  'reset at once': (request) => {
    request.socket.resetAndDestroy();
  },
  'close within': async (request, response, body) => {
    await hashOf(request);
    response.setHeader('content-length', body.length + 100);
    response.write(body);
    await delay(2);
    request.socket.destroy();
  },
  garbage: (request) => {
    request.socket.end('no http\r\n\r\n');
  },
  silent: async (request) => void (await hashOf(request)),
};
const NAMES = Object.keys(MODES);
/** Modes whose answer is whole and tells the hash of what it was sent. */
const WHOLE = new Set(['length', 'chunked', 'close behind', 'hints', 'drip']);

const upstream = await startHttpUpstream(async (request, response) => {
  const id = String(request.headers['x-case']);
  response.setHeader('x-case', id);
  const mode = MODES[String(request.headers['x-mode'])];
  await mode?.(request, response, bodyOf(id, Number(request.headers['x-size'])));
});
const service = { url: upstream.url, read_timeout: 5000, retries: 1 };
const gateway = await startGateway({
  config: {
    _format_version: '3.0',
    services: [
      {
        ...service,
        name: 'chaos',
        routes: [
          { name: 'kept', paths: ['/kept'] },
          { name: 'streamed', paths: ['/streamed'], request_buffering: false, response_buffering: false },
        ],
      },
    ],
  },
  settings: { request_buffer_size: '32k', response_buffer_size: '32k' },
});
const port = gateway.proxyPort;

const connections = new Set<RawConnection>();

after(async () => {
  // A reset waits for what was written before it, and that may never go.
  for (const connection of connections) connection.socket.destroy();
  await gateway[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

interface Plan {
  readonly id: string;
  readonly mode: string;
  readonly method: string;
  readonly answerSize: number;
  readonly body: Buffer | null;
  readonly bytes: Buffer;
  /** `stays`, or how the client goes and after how many octets of its request or of the answer. */
  readonly fate: 'stays' | 'resets while sending' | 'resets while receiving' | 'ends behind its request';
  readonly cut: number;
  readonly slow: boolean;
}

function planOf(index: number): Plan {
  const random = randomOf(SEED * 7919 + index);
  const id = `${SEED}-${index}`;
  const picked = NAMES[random(NAMES.length)] ?? 'length';
  // Each of these takes two time-outs. (They are long: an upstream that this process keeps waiting is not silent.)
  const mode = picked === 'silent' && random(12) > 0 ? 'length' : picked;
  const method = (['GET', 'PUT', 'POST'] as const)[random(3)] ?? 'GET';
  const sizes = [0, 1, 100, 5000, 40_000, 200_000];
  const answerSize = sizes[random(sizes.length)] ?? 0;
  const body = method === 'GET' ? null : bodyOf(id, sizes[random(sizes.length)] ?? 0);
  const chunked = random(2) === 0;
  const target = random(2) === 0 ? '/kept' : '/streamed';
  const lines = [`X-Case: ${id}`, `X-Mode: ${mode}`, `X-Size: ${answerSize}`];
  const parts: Buffer[] = [];
  if (body === null) parts.push(Buffer.from(requestText({ method, target, lines })));
  else if (chunked) {
    parts.push(Buffer.from(requestText({ method, target, lines: [...lines, 'Transfer-Encoding: chunked'] })));
    for (let at = 0; at < body.length;) {
      const piece = body.subarray(at, at + 1 + random(30_000));
      at += piece.length;
      parts.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n'));
    }
    parts.push(Buffer.from('0\r\n\r\n'));
  } else {
    parts.push(
      Buffer.from(requestText({ method, target, lines: [...lines, `Content-Length: ${body.length}`] })),
      body,
    );
  }
  const bytes = Buffer.concat(parts);
  const fates = ['stays', 'stays', 'stays', 'resets while sending', 'resets while receiving'] as const;
  const fate = random(12) === 0 ? 'ends behind its request' : (fates[random(fates.length)] ?? 'stays');
  const cut = random(fate === 'resets while sending' ? bytes.length : 20_000);
  return { id, mode, method, answerSize, body, bytes, fate, cut, slow: random(4) === 0 };
}

async function sendBytes(connection: RawConnection, bytes: Buffer, slow: boolean): Promise<void> {
  const step = slow ? Math.max(1, bytes.length >> 2) : bytes.length;
  for (let at = 0; at < bytes.length && connection.ending === 'open'; at += step) {
    connection.write(bytes.subarray(at, at + step));
    if (slow) await delay(3);
  }
}

function check(plan: Plan, response: RawResponse): void {
  if ([502, 504].includes(response.status)) {
    assert.equal(WHOLE.has(plan.mode), false, `${plan.mode} got ${response.status}`);
    return;
  }
  assert.equal(response.status, 200);
  assert.equal(response.header('x-case'), plan.id, 'the answer of another exchange');
  assert.ok(response.body.equals(bodyOf(plan.id, plan.answerSize)), 'the body of another exchange');
  const hash = createHash('sha256')
    .update(plan.body ?? '')
    .digest('hex');
  if (WHOLE.has(plan.mode)) assert.equal(response.header('x-hash'), hash, 'what the upstream got');
}

/** RST, but not from a socket that is ending: libuv refuses that, and Node then leaks the handle. */
function leave(connection: RawConnection): void {
  if (connection.ending === 'open' && connection.socket.writableLength === 0) connection.reset();
  else connection.socket.destroy();
}

/** One exchange; answers the connection when it may carry another one. */
async function exchange(plan: Plan, reused: RawConnection | null): Promise<RawConnection | null> {
  const connection = reused ?? (await connectRaw(port));
  connections.add(connection);
  const { fate, bytes, slow, cut } = plan;
  if (fate === 'resets while sending') {
    await sendBytes(connection, bytes.subarray(0, cut), slow);
    leave(connection);
    return null;
  }
  const sending = sendBytes(connection, bytes, slow);
  if (fate === 'resets while receiving') {
    await Promise.race([connection.readBytes(cut), delay(100)]);
    leave(connection);
    await sending;
    return null;
  }
  if (fate === 'ends behind its request') {
    await sending;
    connection.end();
  }
  try {
    const response = await connection.readResponse({ timeout: 60_000 });
    await sending;
    check(plan, response);
    if (fate === 'stays' && response.header('connection') !== 'close') return connection;
  } catch (error) {
    // An answer that was broken off is one only of an upstream that broke it off, or of a client that had ended.
    const broken = connection.ending !== 'open' && !(error instanceof assert.AssertionError);
    const expected = plan.mode === 'close within' || (!WHOLE.has(plan.mode) && plan.body !== null);
    if (!broken || !(expected || fate === 'ends behind its request')) throw error;
  }
  connection.socket.destroy();
  return null;
}

test(`${EXCHANGES} exchanges, seed ${SEED}`, { timeout: 300_000 }, async () => {
  let next = 0;
  const client = async (): Promise<void> => {
    let connection: RawConnection | null = null;
    while (next < EXCHANGES) {
      const index = next++;
      const plan = planOf(index);
      try {
        connection = await exchange(plan, connection);
      } catch (error) {
        const { bytes, body, ...shown } = plan;
        const what = { ...shown, requestBytes: bytes.length, bodyBytes: body?.length };
        throw new Error(`seed ${SEED}, exchange ${index}: ${JSON.stringify(what)}`, { cause: error });
      }
    }
    connection?.socket.destroy();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, client));

  assert.equal((await send(port, { target: '/nowhere' })).status, 404, 'it serves');
  const idle = async (): Promise<boolean> => {
    const status = (await (
      await fetch(`${gateway.statusUrl}/status`, { headers: { connection: 'close' } })
    ).json()) as {
      server: Record<string, number>;
    };
    return status.server['connections_active'] === 0;
  };
  await waitFor(idle, { timeout: 60_000, interval: 50, what: 'all client connections to be gone' });
  const log = await gateway.logs();
  assert.doesNotMatch(log, /\[(?:crit|alert|emerg)\]|defect/, log);
});
