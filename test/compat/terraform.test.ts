/** Terraform's provider for Kong against the real gateway, by a stand-in (`support/terraform.ts`). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { SQLITE } from './support/cases.ts';
import { Terraform, type Values } from './support/terraform.ts';

/** A plan after an apply is empty: what was said is read back as it was said. */
function assertRead(read: Values | null, said: Values): void {
  const back = Object.fromEntries(Object.keys(said).map((name) => [name, read?.[name]]));
  assert.deepEqual(back, said);
}

async function start(): Promise<{ gateway: Gateway; terraform: Terraform }> {
  const gateway = await startGateway(SQLITE);
  return { gateway, terraform: new Terraform(gateway.adminUrl) };
}

test('create, read, update and delete of services, routes, consumers and upstreams', async () => {
  const { gateway, terraform } = await start();
  await using _gateway = gateway;
  const service = await terraform.create('services', { name: 'for-routes', host: 'h' });
  const resources: ReadonlyArray<[kind: string, first: Values, then: Values]> = [
    [
      'services',
      {
        name: 's',
        protocol: 'http',
        host: 'a.test',
        port: 8080,
        path: '/m',
        retries: 5,
        connect_timeout: 1000,
        write_timeout: 2000,
        read_timeout: 3000,
        tags: ['foo', 'bar'],
      },
      {
        name: 's2',
        protocol: 'http',
        host: 'b.test',
        port: 8081,
        path: '/',
        retries: 0,
        connect_timeout: 6000,
        write_timeout: 5000,
        read_timeout: 4000,
        tags: ['foo'],
      },
    ],
    [
      'routes',
      {
        name: 'r',
        protocols: ['http', 'https'],
        methods: ['GET', 'POST'],
        hosts: ['x.test'],
        paths: ['/test'],
        strip_path: false,
        preserve_host: true,
        regex_priority: 1,
        service: { id: service },
        headers: { x: ['1', '2'] },
        tags: ['a'],
      },
      {
        name: 'r',
        protocols: ['http'],
        methods: ['GET'],
        hosts: ['y.test'],
        paths: ['/a', '/b'],
        strip_path: true,
        preserve_host: false,
        regex_priority: 2,
        service: { id: service },
        headers: { y: ['3'] },
        path_handling: 'v1',
      },
    ],
    [
      'consumers',
      { username: 'u', custom_id: '123', tags: ['a'] },
      { username: 'v', custom_id: '456', tags: ['b'] },
    ],
    [
      'upstreams',
      {
        name: 'up',
        slots: 10,
        hash_on: 'none',
        hash_fallback: 'none',
        hash_on_cookie_path: '/',
        host_header: 'a.test',
        tags: ['a'],
      },
      {
        name: 'up',
        slots: 20,
        hash_on: 'none',
        hash_fallback: 'none',
        hash_on_cookie_path: '/',
        host_header: 'b.test',
        tags: ['a', 'b'],
      },
    ],
  ];
  for (const [kind, first, then] of resources) {
    const id = await terraform.create(kind, first);
    assertRead(await terraform.read(kind, id), first);
    await terraform.update(kind, id, then);
    assertRead(await terraform.read(kind, id), then);
    await terraform.remove(kind, id);
    assert.equal(await terraform.read(kind, id), null, kind);
    // Somebody else removed it meanwhile.
    await terraform.remove(kind, id);
  }
});

test('targets', async () => {
  const { gateway, terraform } = await start();
  await using _gateway = gateway;
  const upstream = await terraform.create('upstreams', { name: 'u' });
  const said = { target: 'a.test:80', weight: 10, tags: ['a'] };
  const kind = `upstreams/${upstream}/targets`;
  const id = await terraform.create(kind, { ...said, upstream: { id: upstream } });
  assertRead(await terraform.readTarget(upstream, id), { ...said, upstream: { id: upstream } });
  await terraform.remove(kind, id);
  assert.equal(await terraform.readTarget(upstream, id), null);
  await terraform.remove('upstreams', upstream);
  assert.equal(await terraform.readTarget(upstream, id), null);
});

test("what is refused is told in Kong's words", async () => {
  const { gateway, terraform } = await start();
  await using _gateway = gateway;
  await terraform.create('consumers', { username: 'u' });
  const cases: ReadonlyArray<[kind: string, values: Values, status: number, message: string]> = [
    ['consumers', { username: 'u' }, 409, 'UNIQUE violation detected on \'{username="u"}\''],
    ['services', { name: 's' }, 400, 'schema violation (host: required field missing)'],
    // A route without a service.
    ['routes', { paths: ['/'], service: {} }, 400, 'schema violation (service.id: missing primary key)'],
    [
      'plugins',
      { name: 'nothing', config: {} },
      400,
      "schema violation (name: plugin 'nothing' not enabled; add it to the 'plugins' configuration property)",
    ],
  ];
  for (const [kind, values, status, message] of cases) {
    assert.deepEqual(await terraform.refusal(kind, values), { status, message });
  }
  assert.equal(await terraform.read('plugins', '00000000-0000-0000-0000-00000000dead'), null);
});
