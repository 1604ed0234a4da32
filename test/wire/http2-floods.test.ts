/**
 * Floods over HTTP/2: each ends its own connection with the protocol's error, another connection is served meanwhile,
 * and what the gateway holds afterwards is what it held before. The figures are printed.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { CELL } from '../../src/zone/worker-zone.ts';
import { startHttp2Plane } from '../support/http2-plane.ts';
import {
  block,
  CODE,
  connectHttp2,
  FLAG,
  FRAME,
  frame,
  get,
  type RawHttp2,
  uint32,
} from '../support/http2-raw.ts';
import { startEcho, startHttpUpstream } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const MIB = 1024 * 1024;

interface Flood {
  readonly what: string;
  /** Frames to send again and again until the connection has ended. */
  readonly burst: (client: RawHttp2) => readonly Buffer[];
  readonly settings?: Readonly<Record<string, string>>;
  /** Error codes that may end it. */
  readonly codes: readonly number[];
  /** One of the counters of such connections rises: ours, or that of what nghttp2 has found. */
  readonly counted: boolean;
  /** Before the flood. */
  readonly first?: (client: RawHttp2) => void;
}

const POST = [[':method', 'POST'], ...get().slice(1)] as const;
const many = (count: number, make: () => Buffer): Buffer[] => Array.from({ length: count }, make);
let open = 0;
/** A bomb: an indexed field with a value of 4000 octets goes into the table, then one octet stands for it. */
const BOMB = Buffer.concat([
  block(get()),
  Buffer.from([0x40, 5]),
  Buffer.from('x-big'),
  Buffer.from([0x7f, 0xa1, 0x1e]),
  Buffer.alloc(4000, 'a'),
  Buffer.alloc(10_000, 0xbe),
]);

const FLOODS: readonly Flood[] = [
  {
    what: 'PING',
    burst: () => many(1000, () => frame(FRAME.ping, 0, 0, Buffer.alloc(8))),
    codes: [CODE.calm, CODE.internal, CODE.none],
    counted: true,
  },
  {
    what: 'SETTINGS',
    burst: () => many(1000, () => frame(FRAME.settings, 0, 0)),
    codes: [CODE.calm, CODE.internal, CODE.none],
    counted: true,
  },
  {
    what: 'PRIORITY',
    burst: () => many(1000, () => frame(FRAME.priority, 0, 1, Buffer.from([0, 0, 0, 0, 16]))),
    codes: [CODE.calm],
    counted: true,
  },
  {
    what: 'WINDOW_UPDATE',
    burst: () => many(1000, () => frame(FRAME.windowUpdate, 0, 1, uint32(1))),
    first: (client) => void client.request([...POST], 0),
    codes: [CODE.calm],
    counted: true,
  },
  {
    what: 'empty DATA',
    burst: () => many(1000, () => frame(FRAME.data, 0, 1)),
    first: (client) => void client.request([...POST], 0),
    codes: [CODE.calm, CODE.internal],
    counted: true,
  },
  {
    what: 'rapid reset (CVE-2023-44487)',
    burst: (client) =>
      Array.from({ length: 100 }, () => {
        const id = client.id();
        return Buffer.concat([
          frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, id, block(get())),
          frame(FRAME.reset, 0, id, uint32(CODE.cancel)),
        ]);
      }),
    codes: [CODE.calm, CODE.internal],
    counted: false,
  },
  {
    what: 'CONTINUATION without end (CVE-2024-27316)',
    first: (client) => client.write(frame(FRAME.headers, FLAG.endStream, (open = client.id()), block(get()))),
    burst: () => many(20, () => frame(FRAME.continuation, 0, open, block([['x-a', 'b'.repeat(100)]]))),
    codes: [CODE.calm, CODE.internal, CODE.protocol, CODE.compression],
    counted: true,
  },
  {
    what: 'SETTINGS of many entries',
    burst: () => [
      frame(FRAME.settings, 0, 0, Buffer.concat(many(100, () => Buffer.from([0, 4, 0, 0, 255, 255])))),
    ],
    codes: [CODE.calm, CODE.internal, CODE.protocol, CODE.none],
    counted: false,
  },
  {
    what: 'frames that are none',
    burst: () => [frame(FRAME.ping, 0, 5, Buffer.alloc(8))],
    codes: [CODE.protocol],
    counted: true,
  },
];

for (const { what, burst, codes, counted, first, settings } of FLOODS) {
  test(`flood of ${what}`, async () => {
    await using echo = await startEcho();
    await using plane = await startHttp2Plane(echo.port, {
      route: { requestBuffering: false },
      ...(settings === undefined ? {} : { settings }),
    });
    await using bystander = await connectHttp2(plane.port);
    assert.deepEqual(await bystander.outcome(bystander.request(get())), { status: 200 });
    const before = held();
    await using client = await connectHttp2(plane.port);
    await client.ping();
    first?.(client);
    let sent = 0;
    let served = 0;
    const ended = (): boolean =>
      client.closed || client.of(FRAME.goaway).some(({ payload }) => payload.readUInt32BE(4) !== CODE.none);
    while (!ended() && sent < 64 * MIB) {
      const bytes = Buffer.concat(burst(client));
      client.frames.splice(0, client.frames.length - 8);
      sent += bytes.length;
      if (!client.socket.destroyed && !client.socket.write(bytes)) await drained(client);
      await new Promise((resolve) => setImmediate(resolve));
      if (served++ % 16 === 0)
        assert.deepEqual(await bystander.outcome(bystander.request(get())), { status: 200 });
    }
    const code = await client.goaway();
    assert.ok(codes.includes(code), `ended with ${code}`);
    assert.deepEqual(await bystander.outcome(bystander.request(get())), { status: 200 });
    await waitFor(() => plane.zone.get(CELL.active) === 1, { what: 'the connection to be gone' });
    // The sockets of requests that were cancelled take a moment to go.
    const after = await waitFor(
      () => {
        const now = held();
        return now < before + 24 * MIB && now;
      },
      { what: 'memory to be given back', interval: 100 },
    );
    const refused = plane.zone.get(CELL.http2Floods) + plane.zone.get(CELL.http2Errors);
    if (counted) assert.equal(refused, 1, 'it is counted');
    console.log(
      `${what}: ended with ${code} after ${sent} octets; ${mib(before)} MiB before, ${mib(after)} MiB after, ` +
        `${plane.zone.get(CELL.requests)} requests begun, ${plane.zone.get(CELL.http2Resets)} taken back`,
    );
  });
}

function held(): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const mib = (bytes: number): string => (bytes / MIB).toFixed(1);

function drained({ socket }: RawHttp2): Promise<void> {
  return new Promise((resolve) => {
    socket.once('drain', resolve);
    socket.once('close', () => resolve());
  });
}

test('streams that nobody reads: what waits is bounded, and is given back when they are cut off', async () => {
  const body = Buffer.alloc(MIB);
  let asked = 0;
  await using upstream = await startHttpUpstream((_, response) => {
    asked++;
    response.end(body);
  });
  await using plane = await startHttp2Plane(upstream.port, {
    settings: { nginx_http_send_timeout: '3s', response_buffer_size: '1m', http2_session_memory: '4' },
  });
  const before = held();
  // SETTINGS_INITIAL_WINDOW_SIZE 0
  await using client = await connectHttp2(plane.port, [4, 0]);
  await client.ping();
  const streams = Array.from({ length: 128 }, () => client.request(get()));
  await waitFor(() => asked === 128, { what: 'all requests to be with the upstream' });
  for (const id of streams) assert.deepEqual(await client.outcome(id), { status: 200 });
  const during = held();
  assert.ok(during < before + 80 * MIB, `${mib(during - before)} MiB wait for one client`);
  await waitFor(() => plane.zone.get(CELL.http2Streams) === 0, { what: 'the streams to be cut off' });
  const after = await waitFor(
    () => {
      const now = held();
      return now < before + 24 * MIB && now;
    },
    { what: 'memory to be given back', interval: 100 },
  );
  console.log(
    `128 MiB that nobody reads: ${mib(before)} MiB before, ${mib(during)} MiB during, ${mib(after)} MiB after`,
  );
});

/** Heads that are too much: their stream is refused, and the connection lives if it can. */
const HEADS: ReadonlyArray<
  readonly [what: string, head: () => Buffer, codes: ReadonlyArray<number | string>]
> = [
  ['an HPACK bomb', () => BOMB, [CODE.calm, 'goaway', 'closed']],
  [
    '2000 fields',
    () => block([...get(), ...Array.from({ length: 2000 }, () => ['a', 'b'] as const)]),
    [CODE.calm],
  ],
  [
    'a table size over ours',
    () => Buffer.concat([Buffer.from([0x3f, 0xe1, 0xff, 0x03]), block(get())]),
    ['goaway'],
  ],
  [
    'a reference to nothing',
    () => Buffer.concat([block(get()), Buffer.from([0xff, 0xff, 0x03])]),
    ['goaway'],
  ],
];

for (const [what, head, expected] of HEADS) {
  test(`head: ${what}`, async () => {
    await using echo = await startEcho();
    await using plane = await startHttp2Plane(echo.port);
    await using client = await connectHttp2(plane.port);
    const id = client.id();
    const bytes = head();
    const pieces: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += 16_000) {
      const flags = at + 16_000 >= bytes.length ? FLAG.endHeaders : 0;
      const piece = bytes.subarray(at, at + 16_000);
      pieces.push(
        at === 0
          ? frame(FRAME.headers, flags | FLAG.endStream, id, piece)
          : frame(FRAME.continuation, flags, id, piece),
      );
    }
    client.write(...pieces);
    const outcome = await client.outcome(id);
    const kind = 'reset' in outcome ? outcome.reset : (Object.keys(outcome)[0] ?? '');
    assert.ok(expected.includes(kind), JSON.stringify(outcome));
    assert.equal(echo.requests, 0);
    await using other = await connectHttp2(plane.port);
    assert.deepEqual(await other.outcome(other.request(get())), { status: 200 });
  });
}

test('more streams at once than are allowed: refused, to be sent again; who knows the limit must keep it', async () => {
  await using echo = await startEcho();
  await using plane = await startHttp2Plane(echo.port, {
    settings: { nginx_http_http2_max_concurrent_streams: '4' },
  });
  await using client = await connectHttp2(plane.port);
  // Before our SETTINGS have come.
  const streams = Array.from({ length: 6 }, () => client.request([...POST], 0));
  const refused = await Promise.all(streams.slice(4).map((id) => client.outcome(id)));
  assert.deepEqual(refused, [{ reset: CODE.refused }, { reset: CODE.refused }]);
  assert.equal(plane.zone.get(CELL.http2Streams), 4);
  for (const id of streams.slice(0, 4)) client.data(id, 'x', true);
  for (const id of streams.slice(0, 4)) assert.deepEqual(await client.outcome(id), { status: 200 });
  const again = Array.from({ length: 5 }, () => client.request([...POST], 0));
  assert.deepEqual(await client.outcome(again[4] ?? 0), { goaway: CODE.protocol });
});
