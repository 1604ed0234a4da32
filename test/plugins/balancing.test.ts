/** Priority groups, and the plugin balancing, on a gateway of two workers. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { send } from '../proxy/support/ask.ts';
import { startGateway } from '../support/gateway.ts';
import { pluginProblems } from '../support/plugins.ts';
import { freePorts } from '../support/ports.ts';
import { startEcho, startHttpUpstream, type Echo } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';

const [a, b, c] = await Promise.all(['a', 'b', 'c'].map((name) => startEcho({ name })));
assert.ok(a && b && c);
const [dead = 0] = await freePorts(1);
const waiting = [new Set<() => void>(), new Set<() => void>()] as const;
const holders = await Promise.all(
  waiting.map((answers) =>
    startHttpUpstream((_, response) => {
      const answer = (): void => void response.end('held');
      answers.add(answer);
      response.on('close', () => answers.delete(answer));
    }),
  ),
);

type Targets = ReadonlyArray<readonly [port: number, ...tags: string[]]>;

const CHECKED = { passive: { unhealthy: { tcp_failures: 100 } } };

function upstream(name: string, targets: Targets, more: object = {}): object {
  const listed = targets.map(([port, ...tags]) => ({ target: `127.0.0.1:${port}`, tags }));
  return { name, healthchecks: CHECKED, targets: listed, ...more };
}

const route = (name: string, config: object | null = null) => ({
  name,
  paths: [`/${name}`],
  strip_path: false,
  ...(config === null ? {} : { plugins: [{ name: 'balancing', config }] }),
});

const ALGORITHMS = ['round-robin', 'least-connections', 'latency', 'power-of-two'] as const;
const GROUPS: Targets = [[b.port, 'eu', 'priority:1'], [a.port], [c.port, 'priority:2']];
const equal: Targets = [[a.port], [b.port], [c.port]];

const config = (more: Targets = []): Record<string, unknown> => ({
  _format_version: '3.0',
  upstreams: [
    upstream('groups', GROUPS),
    upstream('spare', [
      [b.port, 'priority:7'],
      [dead, 'priority:1'],
    ]),
    upstream('threshold', GROUPS, { healthchecks: { ...CHECKED, threshold: 40 } }),
    upstream('even', [...equal, ...more]),
    upstream('starting', [[a.port], [b.port]]),
    upstream(
      'held',
      holders.map(({ port }) => [port] as const),
    ),
  ],
  services: [
    {
      name: 'groups',
      host: 'groups',
      routes: [
        route('groups'),
        ...ALGORITHMS.map((algorithm) => route(algorithm, { algorithm })),
        route('groups-hashed', { algorithm: 'consistent-hashing', hash_on: 'ip' }),
      ],
    },
    { name: 'threshold', host: 'threshold', routes: [route('threshold')] },
    { name: 'spare', host: 'spare', routes: [route('spare')] },
    {
      name: 'even',
      host: 'even',
      routes: [
        route('even'),
        route('hashed', { algorithm: 'consistent-hashing', hash_on: 'header', hash_on_header: 'X-Key' }),
        route('cookie', { algorithm: 'consistent-hashing', hash_on: 'cookie', hash_on_cookie: 'node' }),
        route('new', { slow_start: 3600 }),
      ],
    },
    { name: 'starting', host: 'starting', routes: [route('starting', { slow_start: 3600 })] },
    { name: 'held', host: 'held', routes: [route('held', { algorithm: 'power-of-two' })] },
  ],
});

const gateway = await startGateway({ config: config(), settings: { nginx_worker_processes: 2 } });
after(async () => {
  for (const each of [gateway, a, b, c, ...holders]) await each[Symbol.asyncDispose]();
});

async function ask(target: string, lines: readonly string[] = []): Promise<{ name: string; cookie: string }> {
  const response = await send(gateway.proxyPort, { target, lines: [...lines, 'Connection: close'] });
  assert.equal(response.status, 200, response.text());
  const { name } = JSON.parse(response.text()) as Echo;
  return { name, cookie: response.all('set-cookie')[0] ?? '' };
}

async function counts(target: string, count: number): Promise<Record<string, number>> {
  const seen: Record<string, number> = {};
  for (let n = 0; n < count; n++) {
    const { name } = await ask(target);
    seen[name] = (seen[name] ?? 0) + 1;
  }
  return seen;
}

async function set(of: string, port: number, state: 'healthy' | 'unhealthy'): Promise<void> {
  const path = `/upstreams/${of}/targets/127.0.0.1:${port}/${state}`;
  const response = await fetch(`${gateway.adminUrl}${path}`, { method: 'PUT' });
  assert.equal(response.status, 204, await response.text());
}

for (const path of ['groups', ...ALGORITHMS, 'groups-hashed']) {
  test(`/${path}: a group is used when none of those before is left, and no longer than that`, async () => {
    assert.deepEqual(await counts(`/${path}`, 6), { a: 6 });
    await set('groups', a.port, 'unhealthy');
    assert.deepEqual(await counts(`/${path}`, 6), { b: 6 });
    await set('groups', b.port, 'unhealthy');
    assert.deepEqual(await counts(`/${path}`, 6), { c: 6 });
    await set('groups', b.port, 'healthy');
    assert.deepEqual(await counts(`/${path}`, 6), { b: 6 });
    await set('groups', c.port, 'unhealthy');
    await set('groups', b.port, 'unhealthy');
    const response = await send(gateway.proxyPort, { target: `/${path}` });
    assert.equal(response.status, 503);
    assert.match(response.text(), /failure to get a peer from the ring-balancer/);
    for (const { port } of [a, b, c]) await set('groups', port, 'healthy');
    assert.deepEqual(await counts(`/${path}`, 6), { a: 6 });
  });
}

test('the threshold is one of all targets, spare ones included', async () => {
  await set('threshold', a.port, 'unhealthy');
  assert.deepEqual(await counts('/threshold', 4), { b: 4 }, 'two of three are more than 40 per cent');
  await set('threshold', c.port, 'unhealthy');
  assert.equal((await send(gateway.proxyPort, { target: '/threshold' })).status, 503);
});

test('a request whose tries have all failed in a group goes to the next one', async () => {
  assert.deepEqual(await counts('/spare', 8), { b: 8 });
});

test('a route hashes what its upstream does not, and others of the upstream do not notice', async () => {
  const seen = new Map<string, string>();
  for (let n = 0; n < 90; n++) {
    const key = `X-Key: ${n % 30}`;
    const { name } = await ask('/hashed', [key]);
    assert.equal(seen.get(key) ?? name, name, 'whatever worker takes it');
    seen.set(key, name);
  }
  assert.deepEqual([...new Set(seen.values())].toSorted(), ['a', 'b', 'c']);
  const first = await ask('/cookie');
  const [pair = ''] = first.cookie.split(';');
  assert.match(first.cookie, /^node=[^;]+; Path=\/; SameSite=Lax; HttpOnly$/);
  for (let n = 0; n < 8; n++) {
    assert.deepEqual(await ask('/cookie', [`Cookie: ${pair}`]), { name: first.name, cookie: '' });
  }
  assert.equal((await ask('/even')).cookie, '');
});

test('slow start: a target that is back has a tenth of its share at first', async () => {
  await counts('/starting', 4);
  await set('starting', a.port, 'unhealthy');
  assert.deepEqual(await counts('/starting', 4), { b: 4 });
  await set('starting', a.port, 'healthy');
  const { a: got = 0 } = await counts('/starting', 200);
  assert.ok(got >= 4 && got <= 16, `10 are due: ${got}`);
});

test('slow start: a target that is new has a tenth of its share, and a reload does not change that', async () => {
  // The policy is known before: it is enough that one worker knows it.
  await counts('/new', 30);
  const fourth = await startEcho({ name: 'd' });
  try {
    for (const tag of ['once', 'again']) {
      await gateway.reload(config([[fourth.port, tag]]));
      const { d = 0 } = await counts('/new', 240);
      assert.ok(d >= 2 && d <= 12, `6 are due: ${d}`);
    }
  } finally {
    await gateway.reload(config());
    await fourth[Symbol.asyncDispose]();
  }
});

test('power-of-two: requests in flight are those of both workers', async () => {
  const held = (): number => waiting[0].size + waiting[1].size;
  const asked: Array<Promise<unknown>> = [];
  for (let n = 1; n <= 20; n++) {
    asked.push(send(gateway.proxyPort, { target: '/held', lines: ['Connection: close'] }));
    await waitFor(() => held() === n, { what: 'the request to be upstream' });
  }
  // Of two targets both are looked at: the one with less is taken.
  assert.deepEqual(
    waiting.map(({ size }) => size),
    [10, 10],
  );
  for (const answers of waiting) for (const answer of answers) answer();
  await Promise.all(asked);
});

const REFUSED: ReadonlyArray<readonly [config: object, why: RegExp]> = [
  [{}, /'algorithm' or 'slow_start' is needed/],
  [{ algorithm: 'random' }, /expected one of/],
  [{ algorithm: 'consistent-hashing' }, /'consistent-hashing' needs 'hash_on'/],
  [{ algorithm: 'consistent-hashing', hash_on: 'header' }, /hash_on_header/],
  [{ algorithm: 'latency', hash_on: 'ip' }, /'hash_on' needs the algorithm/],
  [{ algorithm: 'consistent-hashing', hash_on: 'ip', slow_start: 3 }, /'slow_start' has no meaning/],
  [{ slow_start: 3601 }, /between 0 and 3600/],
  [{ slow_start: -1 }, /between 0 and 3600/],
];

for (const [wrong, why] of REFUSED) {
  test(`refused: ${JSON.stringify(wrong)}`, () => {
    assert.match(pluginProblems({ name: 'balancing', config: wrong }), why);
  });
}
