/** Endpoints that plugins bring, on the Admin and the Status API of a whole gateway. */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Gateway, sluice, startGateway } from '../support/gateway.ts';
import { tempDir } from '../support/temp-dir.ts';
import { startEcho } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';

const PLUGIN = `
import { definePlugin, reply } from 'sluice/plugin';
export default definePlugin({
  name: 'visits',
  priority: 10,
  config: {},
  adminEndpoints: [
    {
      path: '/visits/{who}',
      methods: {
        GET: ({ params, query, principal }, { counters }) =>
          reply(200, { who: params.who, n: counters.get(params.who), q: query.get('q'), principal }),
        PUT: async (request, { counters, shared }) => {
          shared.set('said', await request.body());
          return reply(201, { n: counters.increment(request.params.who, 5) }, { 'X-Made': ['a', 'b'] });
        },
        DELETE: ({ params }, { counters }) => (counters.delete(params.who), reply(204)),
      },
    },
    { path: '/visits/all', methods: { GET: () => reply(200, 'everybody') } },
    { path: '/throws', methods: { GET: () => { throw new Error('endpoint broke'); } } },
    { path: '/nothing', methods: { GET: () => undefined } },
    {
      path: '/later',
      methods: { GET: () => (setTimeout(() => { throw new Error('left behind'); }, 1), reply(200)) },
    },
  ],
  statusEndpoints: [{ path: '/total', methods: { GET: (_request, { counters }) => reply(200, { n: counters.get('anna') }) } }],
  create: (config, { counters }) => ({ access: ({ request }) => void counters.increment(request.path.slice(3)) }),
});
`;

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
}

async function ask(url: string, method = 'GET', init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(url, { method, ...init });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

async function open(
  settings: Readonly<Record<string, string>> = {},
): Promise<AsyncDisposable & { readonly gateway: Gateway; readonly api: string }> {
  const folder = await tempDir();
  const plugins = join(folder.path, 'plugins');
  await mkdir(plugins);
  await writeFile(join(plugins, 'visits.ts'), PLUGIN);
  const upstream = await startEcho();
  const gateway = await startGateway({
    settings: { plugins_dir: plugins, ...settings },
    config: {
      _format_version: '3.0',
      services: [{ name: 's', url: upstream.url, routes: [{ name: 'r', paths: ['/r'] }] }],
      plugins: [{ name: 'visits' }],
    },
  });
  return {
    gateway,
    api: `${gateway.adminUrl}/plugins-api/visits`,
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]();
      await upstream[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

test('endpoints see what the workers count, and answer as they say', async () => {
  await using setup = await open();
  const { gateway, api } = setup;
  for (let n = 0; n < 3; n++) assert.equal((await ask(`${gateway.url}/r/anna`)).status, 200);
  const read = await ask(`${api}/visits/anna?q=1`);
  assert.deepEqual(
    [read.status, JSON.parse(read.text)],
    [200, { who: 'anna', n: 3, q: '1', principal: null }],
  );
  const made = await ask(`${api}/visits/anna`, 'PUT', { body: 'hello' });
  assert.deepEqual([made.status, made.text, made.headers.get('x-made')], [201, '{"n":8}', 'a, b']);
  assert.equal((await ask(`${api}/visits/anna`, 'PUT', { body: 'x'.repeat(1024 * 1024 + 1) })).status, 413);
  assert.equal((await ask(`${api}/visits/a%2Fb%20c`)).text.includes('"who":"a/b c"'), true);
  assert.equal((await ask(`${api}/visits/all`)).text, 'everybody');
  assert.deepEqual(JSON.parse((await ask(`${gateway.statusUrl}/plugins-api/visits/total`)).text), { n: 8 });
  assert.equal((await ask(`${api}/visits/anna`, 'DELETE')).status, 204);
  const head = await ask(`${api}/visits/all`, 'HEAD');
  assert.deepEqual([head.status, head.text], [200, '']);
});

test('what is not there, and what fails, is told and harms nobody', async () => {
  await using setup = await open();
  const { gateway, api } = setup;
  const cases: ReadonlyArray<readonly [url: string, method: string, status: number]> = [
    [`${api}/visits`, 'GET', 404],
    [`${api}/visits/`, 'GET', 404],
    [`${api}/visits/a/b`, 'GET', 404],
    [`${api}/visits/%zz`, 'GET', 404],
    [`${gateway.adminUrl}/plugins-api/visits`, 'GET', 404],
    [`${gateway.adminUrl}/plugins-api/nobody/x`, 'GET', 404],
    [`${gateway.adminUrl}/plugins-api/key-auth/x`, 'GET', 404],
    [`${api}/total`, 'GET', 404],
    [`${gateway.statusUrl}/plugins-api/visits/visits/anna`, 'GET', 404],
    [`${gateway.statusUrl}/plugins-api/visits/total`, 'POST', 405],
    [`${api}/visits/all`, 'DELETE', 405],
    [`${api}/visits/anna`, 'OPTIONS', 204],
    [`${api}/throws`, 'GET', 500],
    [`${api}/nothing`, 'GET', 500],
    [`${api}/later`, 'GET', 200],
  ];
  for (const [url, method, status] of cases) {
    const answer = await ask(url, method);
    assert.equal(answer.status, status, `${method} ${url}`);
    assert.doesNotMatch(answer.text, /broke/);
  }
  assert.equal((await ask(`${api}/visits/all`, 'DELETE')).headers.get('allow'), 'GET, HEAD, OPTIONS');
  await waitFor(async () => (await gateway.logs()).includes('left behind'));
  assert.match(await gateway.logs(), /\[visits\] an endpoint failed: Error: endpoint broke/);
  assert.equal((await ask(`${api}/visits/all`)).status, 200);
});

test("the Admin API's tokens decide who may ask", async () => {
  await using setup = await open({ admin_auth: 'on' });
  const { gateway, api } = setup;
  const token = async (role: string): Promise<string> => {
    const { stdout, stderr, code } = await sluice([
      'admin',
      'token',
      'create',
      '-p',
      gateway.prefix,
      '--name',
      role,
      '--role',
      role,
    ]);
    assert.equal(code, 0, stderr);
    return /sluice_\S+|[A-Za-z0-9_-]{30,}/.exec(stdout)?.[0] ?? assert.fail(stdout);
  };
  assert.equal((await ask(`${api}/visits/anna`)).status, 401);
  const [reader, writer] = [await token('read'), await token('write')];
  const as = (text: string): RequestInit => ({ headers: { authorization: `Bearer ${text}` } });
  assert.match((await ask(`${api}/visits/anna`, 'GET', as(reader))).text, /"principal":"read"/);
  assert.equal((await ask(`${api}/visits/anna`, 'PUT', as(reader))).status, 403);
  assert.equal((await ask(`${api}/visits/anna`, 'PUT', as(writer))).status, 201);
  assert.equal((await ask(`${gateway.statusUrl}/plugins-api/visits/total`)).status, 200);
});
