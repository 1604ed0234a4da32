/**
 * canary on a whole gateway with several workers: what the Admin API has answered holds for the next request of every client,
 * and so does the health of the canary's targets.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { connectRaw, type RawConnection } from '../support/raw-client.ts';
import { type Echo, startEcho } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';

const WORKERS = 2;
/** So many that each worker has some. */
const CONNECTIONS = 20;

type Json = Readonly<Record<string, unknown>>;

async function admin(gateway: Gateway, method: string, path: string, body?: Json): Promise<Json> {
  const response = await fetch(gateway.adminUrl + path, {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  const text = await response.text();
  assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`);
  return text === '' ? {} : (JSON.parse(text) as Json);
}

/** Names of the upstreams that answer, over connections that stay. */
async function namesOf(connections: readonly RawConnection[]): Promise<string[]> {
  const names = await Promise.all(
    connections.map(async (connection) => {
      connection.write('GET /r HTTP/1.1\r\nHost: a.test\r\n\r\n');
      const response = await connection.readResponse();
      return response.status === 200 ? (response.json() as Echo).name : `${response.status}`;
    }),
  );
  return [...new Set(names)];
}

test('a canary is taken back with the next request, and so is one whose targets are down', async () => {
  await using stable = await startEcho({ name: 'stable' });
  await using next = await startEcho({ name: 'next' });
  await using gateway = await startGateway({
    settings: { database: 'sqlite', nginx_worker_processes: WORKERS },
  });
  await admin(gateway, 'POST', '/services', { name: 's', url: stable.url });
  await admin(gateway, 'POST', '/services/s/routes', { name: 'r', paths: ['/r'] });
  const healthchecks = { passive: { unhealthy: { tcp_failures: 1 } } };
  await admin(gateway, 'POST', '/upstreams', { name: 'next.up', healthchecks });
  const target = `127.0.0.1:${next.port}`;
  await admin(gateway, 'POST', '/upstreams/next.up/targets', { target });
  await admin(gateway, 'POST', '/services', { name: 'v2', host: 'next.up' });
  const { id } = await admin(gateway, 'POST', '/services/s/plugins', {
    name: 'canary',
    instance_name: 'of-s',
    config: { percentage: 100, upstream_host: 'next.up', upstream_fallback: true },
  });
  const plugin = `/plugins/${String(id)}`;

  await using stack = new AsyncDisposableStack();
  const connections: RawConnection[] = [];
  for (let n = 0; n < CONNECTIONS; n++) connections.push(stack.use(await connectRaw(gateway.proxyPort)));

  const STEPS: ReadonlyArray<
    readonly [what: string, names: readonly string[], method: string, path: string, body?: Json]
  > = [
    ['as it was made', ['next'], 'GET', plugin],
    ['unhealthy', ['stable'], 'PUT', `/upstreams/next.up/targets/${target}/unhealthy`],
    ['healthy again', ['next'], 'PUT', `/upstreams/next.up/targets/${target}/healthy`],
    ['nobody', ['stable'], 'PATCH', plugin, { config: { percentage: 0 } }],
    ['everybody', ['next'], 'PATCH', plugin, { config: { percentage: 100 } }],
    ['disabled', ['stable'], 'PATCH', plugin, { enabled: false }],
    ['enabled', ['next'], 'PATCH', plugin, { enabled: true }],
    ['a service', ['next'], 'PATCH', plugin, { config: { upstream_host: null, service: 'v2' } }],
    ['that is disabled', ['stable'], 'PATCH', '/services/v2', { enabled: false }],
    ['that is back', ['next'], 'PATCH', '/services/v2', { enabled: true }],
    ['that has another name', ['stable'], 'PATCH', '/services/v2', { name: 'v3' }],
    ['without a fallback', ['503'], 'PATCH', plugin, { config: { upstream_fallback: false } }],
    ['deleted', ['stable'], 'DELETE', plugin],
  ];
  for (const [what, names, method, path, body] of STEPS) {
    await admin(gateway, method, path, body);
    assert.deepEqual(await namesOf(connections), names, what);
  }

  const metrics = await (await fetch(`${gateway.adminUrl}/metrics`)).text();
  const count = (version: string, status: string): number => {
    const line = metrics
      .split('\n')
      .find(
        (one) =>
          one.startsWith('sluice_plugin_canary_requests_total') &&
          one.includes(`version="${version}"`) &&
          one.includes(`status="${status}"`),
      );
    return Number(line?.split(' ').at(-1) ?? 0);
  };
  const times = (name: string): number => STEPS.filter(([, names]) => names[0] === name).length;
  assert.equal(count('canary', '2xx'), times('next') * CONNECTIONS);
  assert.equal(count('canary', '5xx'), CONNECTIONS);
  // Disabled and deleted, it counts nothing.
  assert.equal(count('stable', '2xx'), (times('stable') - 2) * CONNECTIONS);
});

test('targets that die are left for what was there before, with the requests that found out as the only ones to fail', async () => {
  await using stable = await startEcho({ name: 'stable' });
  const next = await startEcho({ name: 'next' });
  await using gateway = await startGateway({
    config: {
      _format_version: '3.0',
      upstreams: [
        {
          name: 'next.up',
          healthchecks: { passive: { unhealthy: { tcp_failures: 1 } } },
          targets: [{ target: `127.0.0.1:${next.port}` }],
        },
      ],
      services: [
        {
          name: 's',
          url: stable.url,
          retries: 0,
          routes: [{ paths: ['/r'] }],
          plugins: [
            {
              name: 'canary',
              config: { percentage: 100, upstream_host: 'next.up', upstream_fallback: true },
            },
          ],
        },
      ],
    },
  });
  await using client = await connectRaw(gateway.proxyPort);
  assert.deepEqual(await namesOf([client]), ['next']);
  await next[Symbol.asyncDispose]();
  const seen: string[] = [];
  await waitFor(async () => {
    seen.push(...(await namesOf([client])));
    return seen.at(-1) === 'stable';
  });
  assert.deepEqual(new Set(seen.slice(0, -1)), new Set(['502']));
});

test('without a database a release that grows has to say when it begins', async () => {
  const config = (fields: object): Json => ({
    _format_version: '3.0',
    services: [
      {
        name: 's',
        url: 'http://127.0.0.1:1',
        plugins: [{ name: 'canary', config: { upstream_port: 2, ...fields } }],
      },
    ],
  });
  await using gateway = await startGateway({ config: config({ start: 1 }) });
  await gateway.reload(config({ percentage: 5 }));
  await assert.rejects(gateway.reload(config({})), /canary without percentage and start needs a database/);
});
