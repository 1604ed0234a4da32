/** traffic-split through sockets: which version a client gets. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WeightedDraw } from '../../src/plugins/versions/draw.ts';
import { hash32 } from '../../src/zone/hash32.ts';
import { startPlane, type TestPlane } from '../support/data-plane.ts';
import { servicesOf, upstreamsOf } from '../support/other-services.ts';
import { pluginProblems } from '../support/plugins.ts';
import { type Echo, startEcho } from '../support/upstream.ts';
import { ask } from './support.ts';

interface Setting extends AsyncDisposable {
  readonly plane: TestPlane;
  /** `VERSION NAME URL`: the version by its header, and the upstream that answered; or the status. */
  where(headers?: readonly string[]): Promise<string>;
}

/** @param versionsOf the ports of two upstreams, `one` and `two`. */
async function start(
  versionsOf: (one: number, two: number) => readonly object[],
  config: object = {},
): Promise<Setting> {
  await using stack = new AsyncDisposableStack();
  const own = stack.use(await startEcho({ name: 'own' }));
  const one = stack.use(await startEcho({ name: 'one' }));
  const two = stack.use(await startEcho({ name: 'two' }));
  const plane = stack.use(
    await startPlane(own.port, {
      services: servicesOf({ 'two-v2': { port: two.port, path: '/v2' } }),
      upstreams: upstreamsOf({ 'one.up': { ports: [one.port] }, 'none.up': { ports: [] } }),
      plugins: [
        {
          name: 'traffic-split',
          config: {
            versions: versionsOf(one.port, two.port),
            hash: 'header',
            hash_header: 'x-key',
            version_header: 'X-Version',
            ...config,
          },
        },
      ],
    }),
  );
  const all = stack.move();
  return {
    plane,
    async where(headers = []) {
      const answer = await ask(plane.port, { target: '/a?b=c', headers });
      if (answer.status !== 200) return `${answer.status}`;
      const { name, url } = answer.response.json() as Echo;
      return `${answer.header('x-version')} ${name} ${url}`;
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

const THREE = (one: number) => [
  { name: 'own', weight: 2 },
  { name: 'one', weight: 1, upstream_host: '127.0.0.1', upstream_port: one },
  { name: 'two', weight: 1, service: 'two-v2' },
];
const WHERE: Readonly<Record<string, string>> = {
  own: 'own own /a?b=c',
  one: 'one one /a?b=c',
  two: 'two two /v2/a?b=c',
};

const drawOf = (weights: Readonly<Record<string, number>>) =>
  new WeightedDraw(
    Object.entries(weights).map(([name, weight]) => ({ name, weight })),
    0,
  );

test('clients get the version that their key draws, and keep it', async () => {
  await using setting = await start(THREE);
  const draw = drawOf({ own: 2, one: 1, two: 1 });
  const seen = new Set<string>();
  for (let n = 0; n < 40; n++) {
    const name = draw.of(hash32(`key ${n}`))?.name ?? '';
    seen.add(name);
    assert.equal(await setting.where([`x-key: key ${n}`]), WHERE[name], `key ${n}`);
  }
  assert.deepEqual(seen, new Set(['own', 'one', 'two']));
});

test('a cookie keeps a client at its version', async () => {
  await using setting = await start(THREE, { hash: 'cookie', cookie_name: 'ab' });
  for (let n = 0; n < 8; n++) {
    const first = await ask(setting.plane.port);
    const [line = ''] = first.response.all('set-cookie');
    const [cookie = ''] = line.split(';');
    assert.match(line, /^ab=[0-9a-f-]{36}; Path=\/; Max-Age=2592000; SameSite=Lax; HttpOnly$/);
    const then = await ask(setting.plane.port, { headers: [`cookie: ${cookie}`] });
    assert.deepEqual(
      [then.header('x-version'), then.header('set-cookie')],
      [first.header('x-version'), null],
    );
  }
});

test('clients may choose a version by its name, one without a weight, too', async () => {
  await using setting = await start(
    (one) => [{ name: 'own' }, { name: 'one', weight: 0, upstream_port: one, upstream_uri: '/x' }],
    { version_by_header_name: 'x-want', hash: 'none' },
  );
  assert.deepEqual(
    [
      await setting.where(),
      await setting.where(['x-want: one']),
      await setting.where(['x-want: own']),
      await setting.where(['x-want: other']),
    ],
    ['own own /a?b=c', 'one one /x?b=c', 'own own /a?b=c', 'own own /a?b=c'],
  );
});

const FALLBACKS: ReadonlyArray<
  readonly [what: string, versions: readonly object[], fallback: boolean, where: string]
> = [
  ['an upstream without targets', [{ name: 'a', upstream_host: 'none.up' }], false, '503'],
  ['a service that is not there', [{ name: 'a', service: 'none' }], false, '503'],
  ['no version that can be asked', [{ name: 'a', service: 'none' }], true, '503'],
  [
    'others',
    [
      { name: 'a', weight: 60_000, upstream_host: 'none.up' },
      { name: 'b', weight: 60_000, service: 'none' },
      { name: 'c', weight: 0.001, upstream_host: 'one.up' },
    ],
    true,
    'c one /a?b=c',
  ],
];

test('a version that cannot be asked', async () => {
  for (const [what, versions, fallback, where] of FALLBACKS) {
    await using setting = await start(() => versions, { upstream_fallback: fallback });
    for (let n = 0; n < 3; n++) assert.equal(await setting.where([`x-key: ${n}`]), where, what);
  }
});

test('requests are counted by version', async () => {
  await using setting = await start(THREE, { version_by_header_name: 'x-want' });
  for (const name of ['one', 'two', 'one']) await setting.where([`x-want: ${name}`]);
  const { families } = setting.plane.plane.services.metrics.report;
  const requests = families.find(({ name }) => name === 'sluice_plugin_traffic_split_requests_total');
  assert.deepEqual(
    Object.fromEntries(
      (requests?.series ?? []).map(({ values, value }) => [values.slice(2).join(' '), value]),
    ),
    { 'one 2xx': 2, 'two 2xx': 1 },
  );
});

const A = { name: 'a' };

const PROBLEMS: ReadonlyArray<readonly [config: object, problem: RegExp | null]> = [
  [{ versions: [A] }, null],
  [{}, /versions/],
  [{ versions: [] }, /versions/],
  [{ versions: [A, A] }, /each needs a name of its own/],
  [{ versions: [{ name: 'a', weight: 0 }] }, /at least one needs a weight above 0/],
  [{ versions: [{ name: 'a', weight: -1 }] }, /weight/],
  [{ versions: [{ name: 'a b' }] }, /name/],
  [{ versions: [{ name: 'a'.repeat(65) }] }, /name/],
  [{ versions: [{ weight: 1 }] }, /name/],
  [{ versions: [{ ...A, service: 's', upstream_host: 'h' }] }, /only one or none of these fields/],
  [{ versions: Array.from({ length: 51 }, (_, n) => ({ name: `v${n}` })) }, /more than 50 versions/],
  [{ versions: [A], hash: 'header' }, /hash_header/],
  [{ versions: [A], hash: 'allow' }, /hash/],
  [{ versions: [A], cookie_same_site: 'None' }, /cookie_same_site None needs cookie_secure/],
];

test('what cannot work is refused', () => {
  for (const [config, problem] of PROBLEMS) {
    const text = pluginProblems({ name: 'traffic-split', config });
    if (problem === null) assert.equal(text, 'null');
    else assert.match(text, problem);
  }
});
