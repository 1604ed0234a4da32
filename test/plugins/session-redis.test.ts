/** session with storage `redis` on gateways that share nothing else; and what becomes of renewed sessions in any storage. */
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { type PlaneOptions, startPlane, type TestPlane } from '../support/data-plane.ts';
import { MemoryRecords } from '../support/memory-records.ts';
import { rawRequest } from '../support/raw-client.ts';
import { startRedis } from '../support/redis.ts';
import { startEcho } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';
import { answerBody } from './support/body.ts';

const ANNA = '00000000-0000-4000-8000-00000000000a';
const consumer = (id: string, username: string): object => ({
  kind: 'consumers',
  entity: { id, username, custom_id: null, tags: null, created_at: 1, updated_at: 1 },
});
const ENTITIES = [
  consumer(ANNA, 'anna'),
  consumer('00000000-0000-4000-8000-00000000000b', 'nobody'),
  {
    kind: 'keyauth_credentials',
    entity: {
      id: '00000000-0000-4000-8000-00000000001a',
      consumer: { id: ANNA },
      key: 'secret',
      created_at: 1,
    },
  },
] as unknown as NonNullable<PlaneOptions['entities']>;

function serve(upstreamPort: number, config: object, records?: MemoryRecords): Promise<TestPlane> {
  return startPlane(upstreamPort, {
    entities: ENTITIES,
    plugins: [
      { name: 'session', config: { secret: 'x', ...config } },
      { name: 'key-auth', config: { anonymous: 'nobody' } },
    ],
    ...(records === undefined ? {} : { records, settings: { database: 'sqlite' } }),
  });
}

interface Visit {
  readonly who: unknown;
  /** `session=…` of the answer; empty: none was set, or it was taken away. */
  readonly cookie: string;
}

async function go({ port }: TestPlane, cookie: string, line = 'GET /', headers = ''): Promise<Visit> {
  const { responses } = await rawRequest(
    port,
    `${line} HTTP/1.1\r\nHost: a\r\nCookie: ${cookie}\r\n${headers}\r\n`,
  );
  const { headers: seen } = answerBody(responses[0]?.text() ?? '');
  const [set = ''] = (responses[0]?.header('set-cookie') ?? '').split(';', 1);
  return { who: seen?.['x-consumer-username'], cookie: set === 'session=' ? '' : set };
}

const LOGIN = 'apikey: secret\r\n';

test('a session that one gateway began is good on the other, until a logout on either', async () => {
  await using upstream = await startEcho();
  await using redis = await startRedis();
  const config = { storage: 'redis', redis: { host: '127.0.0.1', port: redis.port } };
  await using a = await serve(upstream.port, config);
  await using b = await serve(upstream.port, config);
  const { cookie } = await go(a, '', 'GET /', LOGIN);
  await waitFor(async () => (await go(b, cookie)).who === 'anna', { what: 'the session on the other' });
  const { who: stranger } = await go(b, `${cookie.slice(0, -8)}AAAAAAAA`);
  assert.equal(stranger, 'nobody');
  const key = /sluice:\S+/.exec(await redis.ask('KEYS', '*'))?.[0] ?? '';
  assert.match(await redis.ask('PTTL', key), /^:3[56]\d{5}\r\n$/, 'as long as the cookie');
  await go(b, cookie, 'POST /?session_logout');
  for (const plane of [a, b]) assert.equal((await go(plane, cookie)).who, 'nobody');
  assert.equal(await redis.ask('DBSIZE'), ':0\r\n');
});

test('while the server is away there are no sessions, and nobody waits; then there are again', async () => {
  await using upstream = await startEcho();
  await using redis = await startRedis();
  await using plane = await serve(upstream.port, {
    storage: 'redis',
    redis: { host: '127.0.0.1', port: redis.port },
  });
  const { cookie } = await go(plane, '', 'GET /', LOGIN);
  await waitFor(async () => (await go(plane, cookie)).who === 'anna');
  await redis.kill();
  await waitFor(async () => (await go(plane, cookie)).who === 'nobody');
  assert.equal((await go(plane, cookie, 'GET /', LOGIN)).who, 'anna', 'the key lets in without it');
  await redis.start();
  await waitFor(async () => {
    const { cookie: fresh } = await go(plane, '', 'GET /', LOGIN);
    return (await go(plane, fresh)).who === 'anna';
  });
});

for (const storage of ['kong', 'redis']) {
  test(`storage ${storage}: a logout ends what was renewed, and a renewal brings nothing back`, async (t) => {
    let late = 0;
    const now = Date.now();
    mock.method(Date, 'now', () => now + late * 1000);
    t.after(() => mock.restoreAll());
    await using upstream = await startEcho();
    await using redis = await startRedis();
    const records = storage === 'kong' ? new MemoryRecords() : undefined;
    const place = { storage, redis: { host: '127.0.0.1', port: redis.port } };
    const times = { rolling_timeout: 400, idling_timeout: 0, stale_ttl: 100 };
    await using plane = await serve(upstream.port, { ...place, ...times }, records);
    const begin = async (): Promise<string> => {
      late = 0;
      const { cookie } = await go(plane, '', 'GET /', LOGIN);
      await waitFor(async () => (await go(plane, cookie)).who === 'anna');
      late = 310;
      return cookie;
    };
    // The new one is ended: the old one is over as well.
    const old = await begin();
    const { cookie: fresh } = await go(plane, old);
    assert.notEqual(fresh, '', 'renewed');
    assert.equal((await go(plane, old)).who, 'anna', 'on its way');
    assert.equal((await go(plane, old)).cookie, '', 'renewed once');
    await go(plane, fresh, 'POST /?session_logout');
    assert.equal((await go(plane, old)).who, 'nobody');
    assert.equal((await go(plane, fresh)).who, 'nobody');
    // The old one is ended: the new one is over as well.
    const second = await begin();
    const { cookie: successor } = await go(plane, second);
    await go(plane, second, 'POST /?session_logout');
    assert.equal((await go(plane, successor)).who, 'nobody');
    // Renewals and the logout at once: whatever came first, nothing is left.
    const third = await begin();
    const [out, ...renewals] = await Promise.all([
      go(plane, third, 'POST /?session_logout'),
      ...Array.from({ length: 8 }, () => go(plane, third)),
    ]);
    assert.equal(out.cookie, '');
    const cookies = new Set(renewals.map(({ cookie }) => cookie).filter((cookie) => cookie !== ''));
    assert.ok(cookies.size <= 1, 'one renewal wins');
    for (const cookie of [third, ...cookies]) assert.equal((await go(plane, cookie)).who, 'nobody');
  });
}
