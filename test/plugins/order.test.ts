/** Which configuration of a plugin runs, in which order plugins run, and what runs on answers of the gateway's own. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Exchange } from '../../src/plugins/kit/exchange.ts';
import type { Filters } from '../../src/plugins/kit/filters.ts';
import { refuse, reply } from '../../src/plugins/kit/reply.ts';
import { startPlane, type PlaneOptions, type TestPlane } from '../support/data-plane.ts';
import type { InlinePlugin } from '../support/plugins.ts';
import { rawRequest } from '../support/raw-client.ts';
import { startEcho } from '../support/upstream.ts';

const ROUTE = { id: '22222222-2222-4222-8222-222222222222' };
const SERVICE = { id: '11111111-1111-4111-8111-111111111111' };
const OTHER = { id: '99999999-9999-4999-8999-999999999999' };
const ANNA = { id: '00000000-0000-4000-8000-00000000000a' };
const GROUP = { id: '00000000-0000-4000-8000-00000000000c' };

const ENTITIES: PlaneOptions['entities'] = [
  {
    kind: 'consumers',
    entity: { ...ANNA, username: 'anna', custom_id: null, tags: null, created_at: 1, updated_at: 1 },
  },
  { kind: 'consumer_groups', entity: { ...GROUP, name: 'g', tags: null, created_at: 1, updated_at: 1 } },
  {
    kind: 'consumer_group_consumers',
    entity: {
      id: '00000000-0000-4000-8000-00000000000d',
      consumer: ANNA,
      consumer_group: GROUP,
      created_at: 1,
      updated_at: 1,
    },
  },
];

/** Says that Anna calls. */
const auth: InlinePlugin = {
  name: 'auth',
  priority: 1000,
  filters: {
    access(exchange) {
      const anna = { id: ANNA.id, username: 'anna' } as NonNullable<Exchange['consumer']>;
      exchange.authenticate(anna, { id: 'key', consumerId: ANNA.id });
    },
  },
};

type Heard = string[];

function telling(heard: Heard, text: string): Filters {
  return {
    rewrite: () => void heard.push(`${text} rewrite`),
    access: () => void heard.push(`${text} access`),
    headerFilter: () => void heard.push(`${text} header`),
    bodyFilter: (_exchange, _chunk, last) => void (last && heard.push(`${text} body`)),
    log: () => void heard.push(`${text} log`),
  };
}

async function ask({ port }: TestPlane, head = 'GET / HTTP/1.1'): Promise<{ status: number; text: string }> {
  const { responses } = await rawRequest(port, `${head}\r\nHost: a.test\r\nConnection: close\r\n\r\n`);
  return { status: responses[0]?.status ?? 0, text: responses[0]?.text() ?? '' };
}

/** Highest precedence first. */
const RANKS: ReadonlyArray<readonly [name: string, references: Partial<InlinePlugin>]> = [
  ['route, service, consumer', { route: ROUTE, service: SERVICE, consumer: ANNA }],
  ['route, service, group', { route: ROUTE, service: SERVICE, consumer_group: GROUP }],
  ['route, consumer', { route: ROUTE, consumer: ANNA }],
  ['service, consumer', { service: SERVICE, consumer: ANNA }],
  ['route, group', { route: ROUTE, consumer_group: GROUP }],
  ['service, group', { service: SERVICE, consumer_group: GROUP }],
  ['route, service', { route: ROUTE, service: SERVICE }],
  ['consumer', { consumer: ANNA }],
  ['group', { consumer_group: GROUP }],
  ['route', { route: ROUTE }],
  ['service', { service: SERVICE }],
  ['global', {}],
];

describe('precedence', () => {
  for (const [rank, [name]] of RANKS.entries()) {
    test(`${name} wins over all behind it`, async () => {
      const heard: Heard = [];
      const filtersOf = (text: string): Filters => ({
        access: () => void heard.push(text),
        log: () => void heard.push(`${text} log`),
      });
      await using upstream = await startEcho();
      // In the opposite order, so that the last one is not what wins by chance.
      const plugins = RANKS.slice(rank)
        .toReversed()
        .map(([text, references]) =>
          Object.assign({ name: 'p', priority: 10, filters: filtersOf(text) }, references),
        );
      await using plane = await startPlane(upstream.port, {
        entities: ENTITIES,
        plugins: [
          auth,
          ...plugins,
          { name: 'p', priority: 10, route: OTHER, filters: filtersOf('another route') },
          { name: 'p', priority: 10, consumer: OTHER, route: ROUTE, filters: filtersOf('another consumer') },
        ],
      });
      assert.equal((await ask(plane)).status, 200);
      assert.deepEqual(heard, [name, `${name} log`]);
    });
  }

  test('what ran before it was known who calls keeps its configuration', async () => {
    const heard: Heard = [];
    await using upstream = await startEcho();
    const of = (name: string, priority: number, text: string, more = {}): InlinePlugin => ({
      name,
      priority,
      ...more,
      filters: { access: () => void heard.push(text), log: () => void heard.push(`${text} log`) },
    });
    await using plane = await startPlane(upstream.port, {
      entities: ENTITIES,
      plugins: [
        of('early', 2000, 'early for all'),
        of('early', 2000, 'early for Anna', { consumer: ANNA }),
        auth,
        of('late', 10, 'late for all'),
        of('late', 10, 'late for Anna', { consumer: ANNA }),
        of('only', 5, 'only for Anna', { consumer: ANNA }),
      ],
    });
    await ask(plane);
    assert.deepEqual(heard, [
      'early for all',
      'late for Anna',
      'only for Anna',
      'early for all log',
      'late for Anna log',
      'only for Anna log',
    ]);
  });

  test('a configuration belongs to requests only when it names a protocol of theirs', async () => {
    const heard: Heard = [];
    await using upstream = await startEcho();
    await using plane = await startPlane(upstream.port, {
      plugins: [
        {
          name: 'p',
          priority: 1,
          protocols: ['tcp', 'udp'],
          route: ROUTE,
          filters: telling(heard, 'stream'),
        },
        { name: 'p', priority: 1, protocols: ['https', 'tcp'], filters: telling(heard, 'both') },
      ],
    });
    await ask(plane);
    assert.deepEqual(heard, ['both rewrite', 'both access', 'both header', 'both body', 'both log']);
  });
});

describe('order', () => {
  const named = (heard: Heard): InlinePlugin[] =>
    (
      [
        ['a', 10],
        ['c', 10],
        ['b', 10],
        ['z', 1],
        ['y', 100],
      ] as const
    ).map(([name, priority]) => ({ name, priority, filters: telling(heard, name) }));

  test('by priority, then by name from the end of the alphabet, in each phase', async () => {
    const heard: Heard = [];
    await using upstream = await startEcho();
    await using plane = await startPlane(upstream.port, { plugins: named(heard) });
    await ask(plane);
    const wanted = ['rewrite', 'access', 'header', 'body', 'log'].flatMap((phase) =>
      ['y', 'c', 'b', 'a', 'z'].map((name) => `${name} ${phase}`),
    );
    assert.deepEqual(heard, wanted);
  });

  test('promises are waited for, one after the other', async () => {
    const heard: Heard = [];
    await using upstream = await startEcho();
    const slow = (name: string, priority: number): InlinePlugin => ({
      name,
      priority,
      filters: {
        async access() {
          heard.push(`${name} begins`);
          await new Promise(setImmediate);
          heard.push(`${name} ends`);
        },
      },
    });
    await using plane = await startPlane(upstream.port, { plugins: [slow('a', 2), slow('b', 1)] });
    assert.equal((await ask(plane)).status, 200);
    assert.deepEqual(heard, ['a begins', 'a ends', 'b begins', 'b ends']);
  });

  const EXITS: ReadonlyArray<readonly [what: string, filters: Filters, status: number]> = [
    ['an answer', { access: () => reply(403, 'no') }, 403],
    ['a refusal', { access: () => refuse(401, 'no') }, 401],
    ['a late answer', { access: () => Promise.resolve(reply(403, 'no')) }, 403],
    [
      'a failure',
      {
        access() {
          throw new Error('x');
        },
      },
      500,
    ],
    ['a late failure', { access: () => Promise.reject(new Error('x')) }, 500],
  ];
  for (const [what, filters, status] of EXITS) {
    test(`${what} in access ends the phase; all filters of the response and logs run`, async () => {
      const heard: Heard = [];
      await using upstream = await startEcho();
      await using plane = await startPlane(upstream.port, {
        plugins: [
          { name: 'a', priority: 20, filters: telling(heard, 'a') },
          { name: 'exit', priority: 10, filters },
          { name: 'b', priority: 5, filters: telling(heard, 'b') },
        ],
      });
      assert.equal((await ask(plane)).status, status);
      assert.deepEqual(heard, [
        'a rewrite',
        'b rewrite',
        'a access',
        'a header',
        'b header',
        'a body',
        'b body',
        'a log',
        'b log',
      ]);
    });
  }

  test('who authenticates and answers at once has the filters of who calls', async () => {
    const heard: Heard = [];
    await using upstream = await startEcho();
    const exit: Filters = {
      access(exchange) {
        void auth.filters.access?.(exchange);
        return reply(200, 'done');
      },
    };
    await using plane = await startPlane(upstream.port, {
      entities: ENTITIES,
      plugins: [
        { name: 'auth', priority: 10, filters: exit },
        { name: 'p', priority: 1, filters: telling(heard, 'all') },
        { name: 'p', priority: 1, consumer: ANNA, filters: telling(heard, 'anna') },
      ],
    });
    await ask(plane);
    assert.deepEqual(heard, ['all rewrite', 'anna header', 'anna body', 'anna log']);
  });
});

describe('answers of the gateway', () => {
  const scoped = (heard: Heard): InlinePlugin[] => [
    { name: 'everywhere', priority: 2, filters: telling(heard, 'everywhere') },
    { name: 'route', priority: 1, route: ROUTE, filters: telling(heard, 'route') },
  ];
  const GLOBAL = ['everywhere rewrite', 'everywhere header', 'everywhere body', 'everywhere log'];
  const CASES: ReadonlyArray<
    readonly [what: string, options: PlaneOptions, status: number, heard: string[]]
  > = [
    ['HTTPS only', { route: { protocols: 2 } }, 426, GLOBAL],
    ['no route', { routed: false }, 404, GLOBAL],
    ['a broken route', { route: { broken: 'x' } }, 503, GLOBAL],
    [
      'no service: plugins of the route might have answered',
      { route: { service: null } },
      503,
      ['everywhere rewrite', 'everywhere access', 'route access', 'everywhere header', 'route header'].concat(
        ['everywhere body', 'route body', 'everywhere log', 'route log'],
      ),
    ],
  ];
  for (const [what, options, status, wanted] of CASES) {
    test(what, async () => {
      const heard: Heard = [];
      await using upstream = await startEcho();
      await using plane = await startPlane(upstream.port, { ...options, plugins: scoped(heard) });
      assert.equal((await ask(plane)).status, status);
      assert.deepEqual(heard, wanted);
    });
  }

  test('an answer in rewrite: no route is looked for', async () => {
    const heard: Heard = [];
    await using upstream = await startEcho();
    const plugins = [
      ...scoped(heard),
      { name: 'x', priority: 5, filters: { rewrite: () => reply(418, 'tea') } },
    ];
    await using plane = await startPlane(upstream.port, { plugins });
    assert.deepEqual(await ask(plane), { status: 418, text: 'tea' });
    assert.deepEqual(heard, ['everywhere header', 'everywhere body', 'everywhere log']);
  });
});
