/** However an exchange ends, it gives its places back: those of its upstream and its target, and that of a probe. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Balancer } from '../../src/balancer/balancer.ts';
import { NO_UPSTREAMS } from '../../src/snapshot/upstreams.ts';
import { CircuitZone } from '../../src/zone/circuits/circuit-zone.ts';
import { NodeCircuits } from '../../src/zone/circuits/node-circuits.ts';
import { startPlane, type PlaneOptions, type TestPlane } from '../support/data-plane.ts';
import { GrpcClient, outcome, startGrpcServer } from '../support/grpc.ts';
import { grpcPlane } from '../support/grpc-plane.ts';
import type { TestPlugin } from '../support/plugins.ts';
import { freePort } from '../support/ports.ts';
import { connectRaw, type RawConnection } from '../support/raw-client.ts';
import { type RawPeer, startRawUpstream } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';

const LIMITS: TestPlugin = {
  name: 'upstream-limits',
  config: { max_requests: 1, max_requests_per_target: 1, max_pending: 5, pending_timeout: 60_000 },
};
const BREAKER: TestPlugin = {
  name: 'circuit-breaker',
  config: { per: ['target', 'upstream'], consecutive_failures: 255, open_time: 100, window: 3_600_000 },
};

interface Setting {
  readonly client: RawConnection;
  /** The upstream's side of the request. */
  readonly peer: () => Promise<RawPeer>;
  readonly plane: TestPlane;
}

interface Ending {
  readonly name: string;
  readonly request?: string;
  readonly plugins?: readonly TestPlugin[];
  readonly service?: PlaneOptions['service'];
  run(setting: Setting): Promise<unknown>;
}

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const UPGRADE =
  'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n';
const SWITCHED = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
const WHOLE = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const PART = 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome';
const seen = (client: RawConnection, text: string): Promise<boolean> =>
  waitFor(() => client.received.toString('latin1').includes(text));
const throws = (phase: string): TestPlugin => ({
  name: 'thrower',
  priority: 1,
  filters: {
    [phase]: () => {
      throw new Error('broken');
    },
  },
});

const ENDINGS: readonly Ending[] = [
  {
    name: 'an answer',
    run: async ({ client, peer }) => ((await peer()).write(WHOLE), await client.readResponse()),
  },
  {
    name: 'the client goes before the answer',
    run: async ({ client, peer }) => (await peer(), client.reset()),
  },
  {
    name: 'the client goes in the middle of its body',
    request: `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n${'x'.repeat(2_000_000)}`,
    run: async ({ client, peer }) => (await peer(), client.reset()),
  },
  {
    name: 'the client goes in the middle of the answer',
    run: async ({ client, peer }) => {
      (await peer()).write(PART);
      await seen(client, 'some');
      client.reset();
    },
  },
  {
    name: 'the upstream resets',
    run: async ({ client, peer }) => ((await peer()).reset(), await client.readResponse()),
  },
  {
    name: 'the upstream closes',
    run: async ({ client, peer }) => ((await peer()).end(), await client.readResponse()),
  },
  {
    name: 'no HTTP',
    run: async ({ client, peer }) => ((await peer()).end('SSH-2.0-x\r\n'), await client.readResponse()),
  },
  {
    name: 'the answer breaks off',
    run: async ({ client, peer }) => {
      const upstream = await peer();
      upstream.write(PART);
      await seen(client, 'some');
      upstream.reset();
      await client.closed();
    },
  },
  {
    name: 'a time-out before the answer',
    service: { timeouts: { connect: 5000, write: 5000, read: 100 } },
    run: async ({ client, peer }) => (await peer(), await client.readResponse()),
  },
  {
    name: 'a time-out in the middle of the answer',
    service: { timeouts: { connect: 5000, write: 5000, read: 100 } },
    run: async ({ client, peer }) => ((await peer()).write(PART), await client.closed()),
  },
  {
    name: 'a WebSocket that its client ends',
    request: UPGRADE,
    run: async ({ client, peer }) => {
      (await peer()).write(SWITCHED);
      await seen(client, '101');
      client.reset();
    },
  },
  {
    name: 'a WebSocket that its upstream ends',
    request: UPGRADE,
    run: async ({ client, peer }) => {
      const upstream = await peer();
      upstream.write(SWITCHED);
      await seen(client, '101');
      upstream.reset();
      await client.closed();
    },
  },
  {
    name: 'a WebSocket on which nothing moves',
    request: UPGRADE,
    service: { timeouts: { connect: 5000, write: 5000, read: 100 } },
    run: async ({ client, peer }) => {
      (await peer()).write(SWITCHED);
      await seen(client, '101');
      await client.closed();
    },
  },
  {
    name: 'a header filter that throws',
    plugins: [throws('headerFilter')],
    run: async ({ client, peer }) => ((await peer()).write(WHOLE), await client.readResponse()),
  },
  {
    name: 'a body filter that throws',
    plugins: [throws('bodyFilter')],
    run: async ({ client, peer }) => ((await peer()).write(WHOLE), await client.closed()),
  },
  {
    name: 'a response filter that throws',
    plugins: [throws('response')],
    run: async ({ client, peer }) => ((await peer()).write(WHOLE), await client.readResponse()),
  },
  {
    name: 'a plugin that answers itself, before it is forwarded',
    plugins: [
      {
        name: 'request-stopper',
        priority: 1,
        filters: {
          access: () => {
            throw new Error('no');
          },
        },
      },
    ],
    run: async ({ client }) => await client.readResponse(),
  },
  {
    name: 'a try that is repeated',
    service: { retries: 1 },
    run: async ({ client, peer }) => {
      (await peer()).reset();
      (await peer()).write(WHOLE);
      await client.readResponse();
    },
  },
  {
    name: 'a connection of the pool that is dead, and another one in its place',
    run: async ({ client, peer }) => {
      const upstream = await peer();
      upstream.write(WHOLE);
      await client.readResponse();
      client.write(GET);
      // Closed when the second request has come on it: that says nothing, and it gets another one at the same target.
      await upstream.heads(2);
      upstream.end();
      (await peer()).write(WHOLE);
      assert.equal((await client.readResponse()).status, 200);
    },
  },
  {
    name: 'a status that is tried again',
    plugins: [{ name: 'retry', config: { statuses: [503], attempts: 1, backoff_base: 1 } }],
    run: async ({ client, peer }) => {
      const upstream = await peer();
      upstream.write('HTTP/1.1 503 X\r\nContent-Length: 2\r\n\r\nno');
      await upstream.heads(2).catch(() => null);
      upstream.write(WHOLE);
      await client.readResponse();
    },
  },
];

async function withPlane(
  { plugins = [], service }: Pick<Ending, 'plugins' | 'service'>,
  balanced: boolean,
  run: (plane: TestPlane, peers: () => Promise<RawPeer>) => Promise<unknown>,
): Promise<void> {
  const node = new NodeCircuits(1, 64);
  const waiting: RawPeer[] = [];
  await using upstream = await startRawUpstream(async (peer) => {
    await peer.heads(1).catch(() => null);
    waiting.push(peer);
  });
  const target = { host: '127.0.0.1', port: upstream.port, weight: 1 };
  const balancer = Balancer.of({ id: 'u', hostHeader: null, targets: [target], start: 0 });
  await using plane = await startPlane(upstream.port, {
    circuits: new CircuitZone(node.buffer, 0, node.shape),
    plugins: [LIMITS, BREAKER, ...plugins],
    service: {
      ...service,
      ...(balanced ? { host: 'u', balancing: { upstreams: NO_UPSTREAMS, balancer } } : {}),
    },
  });
  await run(plane, async () => await waitFor(() => waiting.shift()));
  const taken = (): string =>
    [...node.all()]
      .filter(({ inFlight, waiting: queued }) => inFlight + queued > 0)
      .map(({ name, inFlight, waiting: queued }) => `${name}: ${inFlight}, ${queued}`)
      .join('\n');
  await waitFor(() => taken() === '', { what: 'all places to be free' }).catch((error: unknown) => {
    throw new Error(`${String(error)}: ${taken()}`);
  });
  await plane.settled();
}

for (const balanced of [true, false]) {
  for (const ending of ENDINGS) {
    test(`${ending.name}${balanced ? '' : ', of a service without upstream'}`, async () => {
      await withPlane(ending, balanced, async (plane, peer) => {
        const client = await connectRaw(plane.port);
        client.write(ending.request ?? GET);
        await ending.run({ client, peer, plane });
        client.reset();
      });
    });
  }

  test(`who waits and goes, and who then gets the place${balanced ? '' : ', of a service without upstream'}`, async () => {
    await withPlane({}, balanced, async (plane, peer) => {
      const clients = await Promise.all([1, 2, 3].map(() => connectRaw(plane.port)));
      const [first, second, third] = clients;
      assert.ok(first && second && third);
      first.write(GET);
      const upstream = await peer();
      const queued = (): number => waitingIn(plane);
      second.write(GET);
      await waitFor(() => queued() === 1);
      third.write(GET);
      await waitFor(() => queued() === 2);
      second.reset();
      await waitFor(() => queued() === 1);
      upstream.write(WHOLE);
      await first.readResponse();
      await upstream.heads(2);
      upstream.write(WHOLE);
      const answer = await third.readResponse();
      assert.equal(answer.status, 200);
      first.reset();
      third.reset();
    });
  });
}

test('a try beside another takes a place of its own, and the loser gives its back', async () => {
  const node = new NodeCircuits(1, 64);
  const peers: RawPeer[] = [];
  const collect = async (peer: RawPeer): Promise<void> => {
    await peer.heads(1);
    peers.push(peer);
  };
  await using one = await startRawUpstream(collect);
  await using other = await startRawUpstream(collect);
  const targets = [one, other].map(({ port }) => ({ host: '127.0.0.1', port, weight: 1 }));
  const balancer = Balancer.of({ id: 'u', hostHeader: null, targets, start: 0 });
  await using plane = await startPlane(one.port, {
    circuits: new CircuitZone(node.buffer, 0, node.shape),
    plugins: [
      { name: 'upstream-limits', config: { max_requests: 2, max_requests_per_target: 1 } },
      BREAKER,
      { name: 'hedging', config: { delay: 1, budget: { percent: 100, min_per_second: 100_000 } } },
    ],
    service: { host: 'u', balancing: { upstreams: NO_UPSTREAMS, balancer } },
  });
  const client = await connectRaw(plane.port);
  client.write(GET);
  await waitFor(() => peers.length === 2);
  const taken = (): number[] => [...node.all()].map(({ inFlight }) => inFlight).filter((count) => count > 0);
  assert.deepEqual(
    taken().toSorted((a, b) => a - b),
    [1, 1, 2],
  );
  // No place is left: the next request is not hedged, nor let in.
  const next = await connectRaw(plane.port);
  next.write(GET);
  assert.equal((await next.readResponse()).status, 503);
  peers[1]?.write(WHOLE);
  assert.equal((await client.readResponse()).status, 200);
  await waitFor(() => taken().length === 0);
  client.reset();
  next.reset();
});

test('a try beside another passes over a target that is full', async () => {
  const peers: RawPeer[][] = [[], [], []];
  const collect = (at: number) => async (peer: RawPeer) => {
    await peer.heads(1);
    peers[at]?.push(peer);
  };
  await using first = await startRawUpstream(collect(0));
  await using second = await startRawUpstream(collect(1));
  await using third = await startRawUpstream(collect(2));
  const targets = [first, second, third].map(({ port }) => ({ host: '127.0.0.1', port, weight: 1 }));
  const balancer = Balancer.of({ id: 'u', hostHeader: null, targets, start: 0 });
  await using plane = await startPlane(first.port, {
    plugins: [
      { name: 'upstream-limits', config: { max_requests_per_target: 1 } },
      { name: 'hedging', config: { delay: 0, budget: { percent: 100, min_per_second: 100_000 } } },
    ],
    service: { host: 'u', balancing: { upstreams: NO_UPSTREAMS, balancer } },
  });
  const ask = async (method: string): Promise<RawConnection> => {
    const client = await connectRaw(plane.port);
    client.write(`${method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n`);
    return client;
  };
  const taken = (at: number): Promise<RawPeer> => waitFor(() => peers[at]?.shift());
  // In turn: one that stays, one that is over, and one to be hedged, for which the first is next.
  const stays = await ask('POST');
  await taken(0);
  const over = await ask('POST');
  (await taken(1)).end(WHOLE);
  await over.readResponse();
  const hedged = await ask('GET');
  await taken(2);
  (await taken(1)).end(WHOLE);
  assert.equal((await hedged.readResponse()).status, 200);
  for (const client of [stays, over, hedged]) client.reset();
});

function waitingIn({ plane }: TestPlane): number {
  const { counts } = plane.circuits.cells;
  let sum = 0;
  for (let at = 1; at < counts.length; at += 4) sum += counts[at] ?? 0;
  return sum;
}

test('an address that refuses, and a name that does not resolve', async () => {
  for (const host of ['127.0.0.1', 'nowhere.invalid']) {
    const node = new NodeCircuits(1, 64);
    await using plane = await startPlane(await freePort(), {
      circuits: new CircuitZone(node.buffer, 0, node.shape),
      plugins: [LIMITS, BREAKER],
      service: { host },
      settings: { dns_hostsfile: '/dev/null', dns_resolver: `127.0.0.1:${await freePort()}` },
    });
    const client = await connectRaw(plane.port);
    client.write(GET);
    const { status } = await client.readResponse();
    assert.ok(status >= 500, String(status));
    assert.deepEqual(
      [...node.all()].filter(({ inFlight }) => inFlight > 0),
      [],
    );
    client.reset();
  }
});

test('gRPC: calls that end, fail and are cancelled', async () => {
  const node = new NodeCircuits(1, 64);
  let ended = 0;
  await using server = await startGrpcServer({
    unary: (call: { request: Buffer }, done: (error: object | null, value?: Buffer) => void) =>
      call.request.length > 0 ? done(null, call.request) : done({ code: 14, details: 'away' }),
    chat: (call: NodeJS.ReadWriteStream & { on(event: 'cancelled', heard: () => void): void }) => {
      call.write(Buffer.from('hello'));
      call.on('cancelled', () => ended++);
    },
  });
  await using plane = await grpcPlane(server.port, {
    circuits: new CircuitZone(node.buffer, 0, node.shape),
    plugins: [LIMITS, BREAKER],
  });
  await using client = new GrpcClient(plane.port);
  const taken = (): number => [...node.all()].filter(({ inFlight }) => inFlight > 0).length;
  assert.equal((await client.call('unary', [Buffer.from('x')])).code, 0);
  assert.equal((await client.call('unary', [Buffer.alloc(0)])).code, 14);
  await waitFor(() => taken() === 0);
  const chat = client.start('chat');
  const over = outcome(chat);
  await new Promise<void>((resolve) => chat.once('data', () => resolve()));
  assert.equal(taken(), 1);
  chat.cancel();
  assert.equal((await over).code, 1);
  await waitFor(() => taken() === 0 && ended === 1);
});

test('gRPC clients read what refuses them as a status', async () => {
  await using server = await startGrpcServer({
    chat: (call: NodeJS.ReadWriteStream) => void call.write(Buffer.from('hello')),
    unary: (_call: unknown, done: (error: object) => void) => done({ code: 14, details: 'away' }),
  });
  const breaker = {
    consecutive_failures: 1,
    connection_errors: true,
    open_time: 3_600_000,
    max_open_time: 3_600_000,
  };
  await using limited = await grpcPlane(server.port, {
    plugins: [{ name: 'upstream-limits', config: { max_requests: 1 } }],
  });
  await using broken = await grpcPlane(await freePort(), {
    plugins: [{ name: 'circuit-breaker', config: breaker }],
  });
  await using one = new GrpcClient(limited.port);
  await using other = new GrpcClient(broken.port);
  // The status of a call that fails at once counts as what it means.
  await using failing = await grpcPlane(server.port, {
    plugins: [{ name: 'circuit-breaker', config: breaker }],
  });
  await using third = new GrpcClient(failing.port);
  assert.equal((await third.call('unary', [Buffer.from('x')])).details, 'away');
  assert.match((await third.call('unary', [Buffer.from('x')])).details, /circuit open/);
  const chat = one.start('chat');
  const over = outcome(chat);
  await new Promise<void>((resolve) => chat.once('data', () => resolve()));
  const full = await one.call('unary', [Buffer.from('x')]);
  assert.deepEqual([full.code, full.details], [14, 'Too many requests to the upstream are in flight']);
  chat.cancel();
  await over;
  assert.equal((await other.call('unary', [Buffer.from('x')])).code, 13);
  const open = await other.call('unary', [Buffer.from('x')]);
  assert.equal(open.code, 14);
  assert.match(open.details, /circuit open/);
});
