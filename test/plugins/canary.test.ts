/** canary through sockets: who goes where, and what is told of it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Consumer } from '../../src/entities/consumer.ts';
import { hash32 } from '../../src/zone/hash32.ts';
import { placeOf, seedOf } from '../../src/plugins/versions/draw.ts';
import { type PlaneOptions, startPlane, type TestPlane } from '../support/data-plane.ts';
import { servicesOf, upstreamsOf } from '../support/other-services.ts';
import { pluginProblems } from '../support/plugins.ts';
import { type Echo, startEcho, type Upstream } from '../support/upstream.ts';
import { type Answer, ask, testId } from './support.ts';

const ANNA = testId(1);
const BERT = testId(2);
const GROUP = testId(3);

const consumer = (id: string, username: string) => ({
  kind: 'consumers',
  entity: { id, username, custom_id: null, tags: null, created_at: 1, updated_at: 1 },
});
const ENTITIES = [
  consumer(ANNA, 'anna'),
  consumer(BERT, 'bert'),
  {
    kind: 'acls',
    entity: { id: testId(4), consumer: { id: ANNA }, group: 'staff', tags: null, created_at: 1 },
  },
  {
    kind: 'consumer_groups',
    entity: { id: GROUP, name: 'gold', tags: null, created_at: 1, updated_at: 1 },
  },
  {
    kind: 'consumer_group_consumers',
    entity: { id: testId(5), consumer: { id: BERT }, consumer_group: { id: GROUP }, created_at: 1 },
  },
];

/** Who calls is what the header says. */
const WHO = {
  name: 'who',
  priority: 2000,
  filters: {
    access(exchange) {
      const id = exchange.request.headers.get('x-who');
      const groups = exchange.request.headers.get('x-groups');
      if (groups !== undefined) exchange.authenticatedGroups = groups.split(',');
      if (id !== undefined) exchange.authenticate({ id } as Consumer, { id: 'key', consumerId: id });
    },
  },
} as const satisfies NonNullable<PlaneOptions['plugins']>[number];

interface Setting extends AsyncDisposable {
  readonly plane: TestPlane;
  readonly stable: Upstream;
  readonly next: Upstream;
  /** `NAME URL` of the upstream that answered, or the status. */
  where(headers?: readonly string[], target?: string): Promise<string>;
}

type ConfigOf = (next: Upstream) => object;

async function start(configOf: ConfigOf, options: PlaneOptions = {}): Promise<Setting> {
  await using stack = new AsyncDisposableStack();
  const stable = stack.use(await startEcho({ name: 'stable' }));
  const next = stack.use(await startEcho({ name: 'next' }));
  const made = await startPlane(stable.port, {
    entities: ENTITIES,
    services: servicesOf({ v2: { port: next.port, path: '/v2' }, 'v2-up': { host: 'next.up' } }),
    upstreams: upstreamsOf({ 'next.up': { ports: [next.port] }, 'none.up': { ports: [] } }),
    ...options,
    plugins: [WHO, { name: 'canary', config: configOf(next) }, ...(options.plugins ?? [])],
  });
  const plane = stack.use(made);
  const all = stack.move();
  return {
    plane,
    stable,
    next,
    async where(headers = [], target = '/a?b=c') {
      const { status, response } = await ask(plane.port, { target, headers });
      if (status !== 200) return `${status}`;
      const { name, url } = response.json() as Echo;
      return `${name} ${url}`;
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

const TO: ConfigOf = ({ port }) => ({ upstream_host: '127.0.0.1', upstream_port: port });
const SECONDS = Date.now() / 1000;

type Case = readonly [
  what: string,
  config: object,
  asked: ReadonlyArray<readonly [headers: readonly string[], where: string]>,
];

const STABLE = 'stable /a?b=c';
const NEXT = 'next /a?b=c';

const CASES: readonly Case[] = [
  ['nobody', { percentage: 0 }, [[[], STABLE]]],
  ['everybody', { percentage: 100 }, [[[], NEXT]]],
  ['nobody of chance', { percentage: 0, hash: 'none' }, [[[], STABLE]]],
  ['everybody of chance', { percentage: 100, hash: 'none' }, [[[], NEXT]]],
  ['before the start', { start: SECONDS + 1e6 }, [[[], STABLE]]],
  ['after the end', { start: SECONDS - 1e6, duration: 1 }, [[[], NEXT]]],
  ['without a duration', { start: SECONDS - 1, duration: 0 }, [[[], NEXT]]],
  ['a percentage goes before a start', { percentage: 0, start: 1, duration: 1 }, [[[], STABLE]]],
  ['since the plugin was created', { hash: 'ip', duration: 1e6, steps: 1 }, [[[], STABLE]]],
  [
    'by a header',
    { percentage: 0, canary_by_header_name: 'X-Canary' },
    [
      [['x-canary: always'], NEXT],
      [['x-canary: never'], STABLE],
      [['x-canary: 1'], STABLE],
      [[], STABLE],
    ],
  ],
  [
    'not by a header',
    { percentage: 100, canary_by_header_name: 'X-Canary' },
    [
      [['x-canary: never'], STABLE],
      [['x-canary: always'], NEXT],
      [['x-canary: '], NEXT],
    ],
  ],
  [
    'groups that are allowed',
    { hash: 'allow', groups: ['staff', 'gold', 'cn=new'] },
    [
      [[], STABLE],
      [[`x-who: ${ANNA}`], NEXT],
      [[`x-who: ${BERT}`], NEXT],
      [['x-who: somebody'], STABLE],
      [['x-groups: a,cn=new'], NEXT],
    ],
  ],
  [
    'groups that are denied',
    { hash: 'deny', groups: ['staff'] },
    [
      [[], NEXT],
      [[`x-who: ${ANNA}`], STABLE],
      [[`x-who: ${BERT}`], NEXT],
    ],
  ],
];

describe('who is sent to the canary', () => {
  for (const [what, config, asked] of CASES) {
    test(what, async () => {
      await using setting = await start((next) => ({ ...TO(next), ...config }));
      const seen: string[] = [];
      for (const [headers] of asked) seen.push(await setting.where(headers));
      assert.deepEqual(
        seen,
        asked.map(([, where]) => where),
      );
    });
  }
});

const WHERE: ReadonlyArray<readonly [what: string, configOf: ConfigOf, where: string]> = [
  ['a host and port', TO, NEXT],
  ['a port', ({ port }) => ({ upstream_port: port }), NEXT],
  ['an upstream', () => ({ upstream_host: 'next.up' }), NEXT],
  ['another path', () => ({ upstream_uri: '/new%20path' }), 'stable /new%20path?b=c'],
  ['host and path', (next) => ({ ...TO(next), upstream_uri: '/x' }), 'next /x?b=c'],
  ['a service', () => ({ service: 'v2' }), 'next /v2/a?b=c'],
  ['a service by id', () => ({ service: 'id of v2' }), 'next /v2/a?b=c'],
  ['a service with an upstream', () => ({ service: 'v2-up' }), NEXT],
  ['a service and another path', () => ({ service: 'v2', upstream_uri: '/x' }), 'next /x?b=c'],
  ['a service that is not there', () => ({ service: 'v3' }), '503'],
  ['an upstream without targets', () => ({ upstream_host: 'none.up' }), '503'],
  [
    'a service that is not there, with a fallback',
    () => ({ service: 'v3', upstream_fallback: true }),
    STABLE,
  ],
  [
    'an upstream without targets, with a fallback',
    () => ({ upstream_host: 'none.up', upstream_fallback: true }),
    STABLE,
  ],
  [
    'an upstream with targets, with a fallback',
    () => ({ upstream_host: 'next.up', upstream_fallback: true }),
    NEXT,
  ],
];

describe('where the canary is', () => {
  for (const [what, configOf, where] of WHERE) {
    test(what, async () => {
      await using setting = await start((next) => ({ percentage: 100, ...configOf(next) }));
      assert.equal(await setting.where(), where);
    });
  }

  test('who asks for it gets it, healthy or not', async () => {
    await using setting = await start(() => ({
      percentage: 100,
      upstream_host: 'none.up',
      upstream_fallback: true,
      canary_by_header_name: 'x-canary',
    }));
    assert.deepEqual([await setting.where(['x-canary: always']), await setting.where()], ['503', STABLE]);
  });
});

const KEYED: ReadonlyArray<
  readonly [what: string, config: object, headers: (key: string) => readonly string[]]
> = [
  ['a header', { hash: 'header', hash_header: 'X-Key' }, (key) => [`x-key: ${key}`]],
  [
    'a header that is missing, so the consumer',
    { hash: 'header', hash_header: 'X-Key' },
    (key) => [`x-who: ${key}`],
  ],
  ['the consumer', {}, (key) => [`x-who: ${key}`]],
  ['a cookie', { hash: 'cookie' }, (key) => [`cookie: a=b; sluice_canary=${key}`]],
  ['a salt', { hash: 'header', hash_header: 'X-Key', salt: 'of mine' }, (key) => [`x-key: ${key}`]],
];

describe('clients are told apart by', () => {
  for (const [what, config, headers] of KEYED) {
    test(what, async () => {
      const salt = 'salt' in config ? String(config.salt) : '';
      await using setting = await start((next) => ({ ...TO(next), percentage: 30, ...config }));
      const differing: string[] = [];
      for (let n = 0; n < 40; n++) {
        const key = `client-${hash32(`${n}`)}`;
        const wanted = placeOf(key, seedOf(salt)) < 0.3 ? NEXT : STABLE;
        if ((await setting.where(headers(key))) !== wanted) differing.push(key);
      }
      assert.deepEqual(differing, []);
      assert.ok(setting.next.requests > 0 && setting.stable.requests > 0);
    });
  }

  test('the address', async () => {
    await using setting = await start((next) => ({ ...TO(next), percentage: 50, hash: 'ip' }), {
      settings: { trusted_ips: '127.0.0.1', real_ip_header: 'X-Real-IP' },
    });
    for (let n = 1; n < 30; n++) {
      const address = `192.0.2.${n}`;
      const wanted = placeOf(address, 0) < 0.5 ? NEXT : STABLE;
      assert.equal(await setting.where([`x-real-ip: ${address}`]), wanted, address);
    }
  });

  test('how far a growing release is, by steps', async () => {
    // In the third of four steps: half of them are in, until a million seconds are over.
    await using setting = await start((next) => ({
      ...TO(next),
      start: SECONDS - 2.5e6,
      duration: 4e6,
      steps: 4,
      hash: 'header',
      hash_header: 'x-key',
    }));
    for (let n = 0; n < 30; n++) {
      const wanted = placeOf(`${n}`, 0) < 0.5 ? NEXT : STABLE;
      assert.equal(await setting.where([`x-key: ${n}`]), wanted, `${n}`);
    }
  });
});

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const COOKIES: ReadonlyArray<readonly [config: object, headers: readonly string[], rest: string]> = [
  [{}, [], '; Path=/; Max-Age=2592000; SameSite=Lax; HttpOnly'],
  [{}, ['x-forwarded-proto: https'], '; Path=/; Max-Age=2592000; SameSite=Lax; Secure; HttpOnly'],
  [
    { cookie_secure: false },
    ['x-forwarded-proto: https'],
    '; Path=/; Max-Age=2592000; SameSite=Lax; HttpOnly',
  ],
  [
    {
      cookie_same_site: 'None',
      cookie_secure: true,
      cookie_domain: 'example.com',
      cookie_path: '/shop',
      cookie_max_age: 0,
      cookie_http_only: false,
    },
    [],
    '; Path=/shop; Domain=example.com; SameSite=None; Secure',
  ],
];

test('a client without a cookie gets one, and stays where it was drawn', async () => {
  for (const [config, headers, rest] of COOKIES) {
    await using setting = await start(
      (next) => ({ ...TO(next), percentage: 50, hash: 'cookie', version_header: 'x-version', ...config }),
      { settings: { trusted_ips: '127.0.0.1' } },
    );
    const cookieOf = ({ response }: Answer): string => {
      const [line] = response.all('set-cookie');
      const [, value, attributes] = /^sluice_canary=([^;]*)(;.*)$/.exec(line ?? '') ?? [];
      assert.match(value ?? '', UUID);
      assert.equal(attributes, rest);
      return value ?? '';
    };
    for (let n = 0; n < 5; n++) {
      const first = await ask(setting.plane.port, { headers });
      const key = cookieOf(first);
      assert.equal(first.header('x-version'), placeOf(key, 0) < 0.5 ? 'canary' : 'stable');
      const then = await ask(setting.plane.port, { headers: [...headers, `cookie: sluice_canary=${key}`] });
      assert.equal(then.header('x-version'), first.header('x-version'));
      assert.equal(then.header('set-cookie'), null);
    }
    // None that was made here.
    for (const value of ['', 'short', 'x'.repeat(65), 'with space in it', '"quoted-value"'])
      cookieOf(await ask(setting.plane.port, { headers: [...headers, `cookie: sluice_canary=${value}`] }));
  }
});

test('the version is in log entries and metrics, and in a header where it is wanted', async () => {
  const logged: unknown[] = [];
  await using setting = await start(
    (next) => ({
      ...TO(next),
      percentage: 0,
      canary_by_header_name: 'x-canary',
      version_header: 'X-Version',
    }),
    {
      plugins: [
        {
          name: 'reader',
          priority: 1,
          filters: {
            log: ({ log }) =>
              void logged.push([...(log as unknown as { fields: Map<string, unknown> }).fields]),
          },
        },
        {
          name: 'request-answer',
          priority: 3,
          filters: {
            headerFilter: ({ response, request }) =>
              void (response.status = request.path === '/e' ? 503 : 200),
          },
        },
      ],
    },
  );
  const versions: unknown[] = [];
  for (const [target, wish] of [
    ['/', 'always'],
    ['/', 'never'],
    ['/e', 'always'],
    ['/', 'always'],
  ] as const) {
    const answer = await ask(setting.plane.port, { target, headers: [`x-canary: ${wish}`] });
    versions.push(answer.header('x-version'));
  }
  assert.deepEqual(versions, ['canary', 'stable', 'canary', 'canary']);
  assert.deepEqual(
    logged,
    versions.map((version) => [['canary.version', version]]),
  );
  const { families } = setting.plane.plane.services.metrics.report;
  const requests = families.find(({ name }) => name === 'sluice_plugin_canary_requests_total');
  assert.deepEqual(
    Object.fromEntries(
      (requests?.series ?? []).map(({ values, value }) => [values.slice(2).join(' '), value]),
    ),
    { 'canary 2xx': 2, 'stable 2xx': 1, 'canary 5xx': 1 },
  );
  const latency = families.find(({ name }) => name === 'sluice_plugin_canary_latency_milliseconds');
  assert.deepEqual(
    (latency?.series ?? []).map(({ values, counts }) => [
      values[2],
      (counts ?? []).reduce((sum, count) => sum + count, 0),
    ]),
    [
      ['canary', 3],
      ['stable', 1],
    ],
  );
});

const HOST = { upstream_host: 'a.test' };

const PROBLEMS: ReadonlyArray<readonly [config: object, problem: RegExp | null]> = [
  [{ percentage: 1, ...HOST }, null],
  [{ percentage: 100, upstream_uri: '/a/b' }, null],
  [{ percentage: 1 }, /at least one of these fields must be non-empty: .*upstream_host/],
  [{ percentage: -1, ...HOST }, /percentage/],
  [{ percentage: 100.1, ...HOST }, /percentage/],
  [{ percentage: 1, ...HOST, service: 's' }, /only one or none of these fields must be set/],
  [{ percentage: 1, upstream_port: 1, service: 's' }, /only one or none of these fields must be set/],
  [{ percentage: 1, upstream_port: 0 }, /upstream_port/],
  [{ percentage: 1, upstream_uri: 'a' }, /begins with \//],
  [{ percentage: 1, upstream_uri: '/a?b' }, /has no \?/],
  [{ percentage: 1, upstream_uri: '/a b' }, /has no \?/],
  [{ percentage: 1, hash: 'header', ...HOST }, /hash_header/],
  [{ hash: 'allow', ...HOST }, /groups/],
  [{ hash: 'deny', groups: [], ...HOST }, /groups/],
  [{ percentage: 1, hash: 'other', ...HOST }, /hash/],
  [
    { percentage: 1, upstream_uri: '/', upstream_fallback: true },
    /upstream_fallback needs upstream_host or service/,
  ],
  [{ start: 1, steps: 0, ...HOST }, /steps/],
  [{ percentage: 1, ...HOST, canary_by_header_name: 'a b' }, /bad header name/],
  [{ percentage: 1, ...HOST, cookie_same_site: 'None' }, /cookie_same_site None needs cookie_secure/],
  [{ percentage: 1, ...HOST, cookie_name: '__Host-a' }, /a cookie named __Host-a needs/],
  [{ percentage: 1, ...HOST, cookie_name: 'a b' }, /cookie_name/],
  [{ percentage: 1, ...HOST, cookie_domain: 'a;b' }, /no cookie attribute may have/],
];

test('what cannot work is refused', () => {
  for (const [config, problem] of PROBLEMS) {
    const text = pluginProblems({ name: 'canary', config });
    if (problem === null) assert.equal(text, 'null');
    else assert.match(text, problem);
  }
});
