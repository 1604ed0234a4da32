/** Clients that stay where they were first: two workers, each request on a connection of its own. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { send } from '../proxy/support/ask.ts';
import { startGateway } from '../support/gateway.ts';
import { pluginProblems } from '../support/plugins.ts';
import { startEcho, type Echo } from '../support/upstream.ts';

const echoes = await Promise.all(['a', 'b', 'c', 'd'].map((name) => startEcho({ name })));
const portOf = (name: string): number => echoes['abcd'.indexOf(name)]?.port ?? 0;
const SECRET = 'a secret of at least sixteen characters';
const CHECKED = { passive: { unhealthy: { tcp_failures: 2, http_failures: 0 } } };

const route = (name: string, more: object = {}, headers: object = {}) => ({
  name,
  paths: [`/${name}`],
  plugins: [{ name: 'sticky-session', config: { secret: SECRET, ...more } }],
  ...headers,
});

/** @param targets name and weight, or a weight of 0 for one that is drained. */
const config = (targets: Readonly<Record<string, number>>, secret = SECRET): Record<string, unknown> => ({
  _format_version: '3.0',
  upstreams: [
    {
      name: 'pool',
      healthchecks: CHECKED,
      targets: Object.entries(targets).map(([name, weight]) => ({
        target: `127.0.0.1:${portOf(name)}`,
        weight,
      })),
    },
  ],
  services: [
    {
      name: 'pool',
      host: 'pool',
      routes: [
        route('shop', { secret }),
        route('fail', { on_unavailable: 'fail', secret }),
        route('header', { source: 'header', header_name: 'X-Node', secret }),
        route('shaped', {
          cookie_name: '__Secure-node',
          cookie_path: '/shaped',
          cookie_domain: 'example.test',
          cookie_same_site: 'None',
          cookie_secure: true,
          cookie_http_only: false,
          cookie_max_age: 60,
        }),
        route('bare', { cookie_same_site: 'Default' }),
      ],
    },
  ],
});

const ALL = { a: 100, b: 100, c: 100 };
const settings = { nginx_worker_processes: 2 };
const gateway = await startGateway({ config: config(ALL), settings });
after(async () => {
  for (const each of [gateway, ...echoes]) await each[Symbol.asyncDispose]();
});

interface Seen {
  readonly status: number;
  readonly name: string;
  readonly cookies: readonly string[];
  readonly node: string;
}

async function ask(target: string, lines: readonly string[] = [], port = gateway.proxyPort): Promise<Seen> {
  const response = await send(port, { target, lines: [...lines, 'Connection: close'] });
  const name = response.status === 200 ? (JSON.parse(response.text()) as Echo).name : response.text();
  const node = response.all('x-node')[0] ?? '';
  return { status: response.status, name, cookies: response.all('set-cookie'), node };
}

const pairOf = ({ cookies }: Seen): string => cookies[0]?.split(';')[0] ?? '';
const cookie = (pair: string): readonly string[] => [`Cookie: theme=dark; ${pair}`];

async function set(name: string, state: 'healthy' | 'unhealthy'): Promise<void> {
  const path = `/upstreams/pool/targets/127.0.0.1:${portOf(name)}/${state}`;
  const response = await fetch(`${gateway.adminUrl}${path}`, { method: 'PUT' });
  assert.equal(response.status, 204, await response.text());
}

test('a client is given a name that says nothing, and stays there on both workers', async () => {
  const names = new Map<string, string>();
  for (let n = 0; n < 12; n++) {
    const first = await ask('/shop');
    assert.match(first.cookies.join(), /^sluice_target=[\w-]{22}; Path=\/; SameSite=Lax; HttpOnly$/);
    const pair = pairOf(first);
    assert.equal(names.get(first.name) ?? pair, pair, 'a target has one name');
    names.set(first.name, pair);
  }
  assert.deepEqual([...names.keys()].toSorted(), ['a', 'b', 'c']);
  for (const [name, pair] of names) {
    for (let n = 0; n < 8; n++) {
      assert.deepEqual(await ask('/shop', cookie(pair)), { status: 200, name, cookies: [], node: '' });
    }
  }
});

test('it holds over reloads, and on another node with the same secret', async () => {
  const first = await ask('/shop');
  await gateway.reload(config({ d: 100, ...ALL }));
  for (let n = 0; n < 6; n++) assert.equal((await ask('/shop', cookie(pairOf(first)))).name, first.name);
  await using other = await startGateway({ config: config(ALL), settings });
  for (let n = 0; n < 6; n++) {
    assert.equal((await ask('/shop', cookie(pairOf(first)), other.proxyPort)).name, first.name);
  }
  await gateway.reload(config(ALL, 'another secret of sixteen characters'));
  const strange = await ask('/shop', cookie(pairOf(first)));
  assert.equal(strange.cookies.length, 1, 'names of another secret are none');
  await gateway.reload(config(ALL));
  assert.deepEqual((await ask('/shop', cookie(pairOf(first)))).cookies, []);
});

const AWAY: ReadonlyArray<
  readonly [why: string, go: (name: string) => Promise<void>, back: (name: string) => Promise<void>]
> = [
  ['unhealthy', (name) => set(name, 'unhealthy'), (name) => set(name, 'healthy')],
  [
    'without weight',
    (name) => gateway.reload(config({ ...ALL, [name]: 0 })),
    () => gateway.reload(config(ALL)),
  ],
  [
    'gone',
    async (name) => {
      const { [name as 'a']: _, ...left } = ALL;
      await gateway.reload(config(left));
    },
    () => gateway.reload(config(ALL)),
  ],
];

for (const [why, go, back] of AWAY) {
  test(`a target that is ${why}: its clients get another and stay there`, async () => {
    const first = await ask('/shop');
    await go(first.name);
    const second = await ask('/shop', cookie(pairOf(first)));
    assert.notEqual(second.name, first.name);
    assert.match(pairOf(second), /^sluice_target=[\w-]{22}$/);
    await back(first.name);
    for (let n = 0; n < 6; n++) {
      const stays = await ask('/shop', cookie(pairOf(second)));
      assert.deepEqual([stays.name, stays.cookies], [second.name, []]);
    }
  });
}

test('fail: an unhealthy target is 503 as long as that lasts, one that is gone is replaced', async () => {
  const first = await ask('/fail');
  await set(first.name, 'unhealthy');
  const second = await ask('/fail', cookie(pairOf(first)));
  assert.equal(second.status, 503);
  assert.match(second.name, /failure to get a peer from the ring-balancer/);
  assert.deepEqual(second.cookies, []);
  assert.equal((await ask('/fail')).status, 200, 'others are served');
  await set(first.name, 'healthy');
  assert.equal((await ask('/fail', cookie(pairOf(first)))).name, first.name);
  await gateway.reload(config({ ...ALL, [first.name]: 0 }));
  const third = await ask('/fail', cookie(pairOf(first)));
  assert.notEqual(third.name, first.name);
  assert.equal(third.cookies.length, 1);
  await gateway.reload(config(ALL));
});

test('a try that fails: another target and a new name, or with fail the error', async () => {
  const pair = await nameOfD();
  const moved = await ask('/shop', cookie(pair));
  assert.equal(moved.status, 200);
  assert.ok(['a', 'b', 'c'].includes(moved.name));
  assert.notEqual(pairOf(moved), pair);
  await gateway.reload(config(ALL));
});

/** What clients of d have, which has answered once and then does not listen any more, and is a target still. */
async function nameOfD(): Promise<string> {
  await gateway.reload(config({ d: 100 }));
  const seen = await ask('/shop');
  assert.equal(seen.name, 'd');
  await echoes[3]?.[Symbol.asyncDispose]();
  await gateway.reload(config({ ...ALL, d: 100 }));
  return pairOf(seen);
}

test('by header: the name comes in a header and is brought in one', async () => {
  const first = await ask('/header');
  assert.match(first.node, /^[\w-]{22}$/);
  assert.deepEqual(first.cookies, []);
  for (let n = 0; n < 8; n++) {
    assert.deepEqual(await ask('/header', [`X-Node: ${first.node}`]), { ...first, node: '' });
  }
  const strange = await ask('/header', ['X-Node: 127.0.0.1:80']);
  assert.match(strange.node, /^[\w-]{22}$/);
});

test('the attributes of the cookie are those that were configured', async () => {
  assert.match(
    (await ask('/shaped')).cookies.join(),
    /^__Secure-node=[\w-]{22}; Path=\/shaped; Domain=example\.test; Max-Age=60; SameSite=None; Secure$/,
  );
  assert.match((await ask('/bare')).cookies.join(), /^sluice_target=[\w-]{22}; Path=\/; HttpOnly$/);
});

const HOSTILE: ReadonlyArray<readonly [what: string, value: string]> = [
  ['empty', ''],
  ['an address', '127.0.0.1:80'],
  ['a forged name', 'A'.repeat(22)],
  ['huge', 'x'.repeat(6000)],
  ['garbage', '%00"\\\u00ff=;;;=,'],
  ['a name of an object', '__proto__'],
  ['a name that is too long', `${'A'.repeat(22)}A`],
];

for (const [what, value] of HOSTILE) {
  test(`a cookie that is ${what} is as good as none`, async () => {
    for (const path of ['/shop', '/fail']) {
      const seen = await ask(path, [`Cookie: sluice_target=${value}`]);
      assert.equal(seen.status, 200);
      assert.match(pairOf(seen), /^sluice_target=[\w-]{22}$/);
    }
  });
}

test('of two cookies the first counts', async () => {
  const first = await ask('/shop');
  let other = await ask('/shop');
  while (other.name === first.name) other = await ask('/shop');
  const both = await ask('/shop', [`Cookie: ${pairOf(first)}; ${pairOf(other)}`]);
  assert.deepEqual([both.name, both.cookies], [first.name, []]);
});

test('a WebSocket is given a cookie, too, and goes where it says', async () => {
  const servers = [1, 2, 3].map(() => new WebSocketServer({ port: 0, host: '127.0.0.1' }));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  const target = (port: number): object => ({ target: `127.0.0.1:${port}` });
  const service = { name: 'ws', host: 'ws', routes: [route('ws', { secret: SECRET })] };
  await using sockets = await startGateway({
    config: {
      _format_version: '3.0',
      upstreams: [{ name: 'ws', targets: ports.map(target) }],
      services: [service],
    },
    settings,
  });
  const open = async (headers: Record<string, string>): Promise<readonly string[]> => {
    const client = new WebSocket(`ws://127.0.0.1:${sockets.proxyPort}/ws`, { headers });
    // Both come in one turn.
    const [[response]] = (await Promise.all([once(client, 'upgrade'), once(client, 'open')])) as [
      [IncomingMessage],
      unknown,
    ];
    return response.headers['set-cookie'] ?? [];
  };
  await using _ = {
    async [Symbol.asyncDispose]() {
      for (const server of servers) {
        for (const client of server.clients) client.terminate();
        server.close();
      }
      await Promise.resolve();
    },
  };
  const [first = ''] = await open({});
  assert.match(first, /^sluice_target=[\w-]{22}; /);
  const cookies = { cookie: first.split(';')[0] ?? '' };
  for (let n = 0; n < 5; n++) assert.deepEqual(await open(cookies), []);
  assert.deepEqual(new Set(servers.map(({ clients }) => clients.size)), new Set([0, 6]));
});

test('an error of the gateway names no target', async () => {
  for (const name of ['a', 'b', 'c']) await set(name, 'unhealthy');
  const seen = await ask('/shop');
  assert.deepEqual([seen.status, seen.cookies], [503, []]);
  for (const name of ['a', 'b', 'c']) await set(name, 'healthy');
});

const REFUSED: ReadonlyArray<readonly [config: object, why: RegExp]> = [
  [{ secret: 'short' }, /length must be at least 16/],
  [{ cookie_same_site: 'None' }, /'None' needs 'cookie_secure'/],
  [{ cookie_same_site: 'lax' }, /expected one of/],
  [{ cookie_name: '__Secure-a' }, /needs 'cookie_secure'/],
  [{ cookie_name: '__Host-a', cookie_secure: true, cookie_path: '/a' }, /the path '\/' and no domain/],
  [{ cookie_name: '__Host-a', cookie_secure: true, cookie_domain: 'a.test' }, /the path '\/' and no domain/],
  [{ cookie_name: 'a b' }, /cookie_name/],
  [{ cookie_path: '/; HttpOnly' }, /no cookie attribute/],
  [{ cookie_max_age: 0 }, /between 1 and/],
];

for (const [wrong, why] of REFUSED) {
  test(`refused: ${JSON.stringify(wrong)}`, () => {
    assert.match(pluginProblems({ name: 'sticky-session', config: { secret: SECRET, ...wrong } }), why);
  });
}
