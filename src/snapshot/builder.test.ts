import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Route } from '../entities/route.ts';
import type { Service } from '../entities/service.ts';
import type { RouterInput } from '../router/router.ts';
import { SnapshotBuilder, StaleBase } from './builder.ts';
import { diffImages } from './image-delta.ts';
import { encodeImage } from './image-encode.ts';
import type { RouteTarget, Snapshot } from './snapshot.ts';

const FLAVOR = 'traditional_compatible';

function service(name: string, fields: Partial<Service> = {}): Service {
  return {
    id: `service-${name}`,
    name,
    retries: 5,
    protocol: 'http',
    host: `${name}.test`,
    port: 80,
    path: null,
    connect_timeout: 60000,
    write_timeout: 60000,
    read_timeout: 60000,
    tags: null,
    client_certificate: null,
    tls_verify: null,
    tls_verify_depth: null,
    ca_certificates: null,
    enabled: true,
    created_at: 1,
    updated_at: 1,
    ...fields,
  };
}

function route(path: string, serviceName: string | null, fields: Partial<Route> = {}): Route {
  return {
    id: `route-${path}`,
    name: null,
    protocols: ['http', 'https'],
    methods: null,
    hosts: null,
    paths: [path],
    headers: null,
    snis: null,
    sources: null,
    destinations: null,
    regex_priority: 0,
    strip_path: true,
    path_handling: 'v0',
    preserve_host: false,
    https_redirect_status_code: 426,
    request_buffering: true,
    response_buffering: true,
    service: serviceName === null ? null : { id: `service-${serviceName}` },
    tags: null,
    created_at: 1,
    updated_at: 1,
    ...fields,
  };
}

interface Config {
  readonly services: readonly Service[];
  readonly routes: readonly Route[];
}

const image = (revision: number, config: Config): SharedArrayBuffer =>
  encodeImage(new Map(Object.entries(config)), { revision, hash: String(revision).padStart(32, '0') });

function find(snapshot: Snapshot, path: string): RouteTarget | null {
  const input: RouterInput = {
    method: 'GET',
    scheme: 'http',
    host: 'any',
    port: 80,
    path,
    query: '',
    sni: '',
    srcIp: '127.0.0.1',
    srcPort: 1,
    dstIp: '127.0.0.1',
    dstPort: 80,
    headerValues: () => [],
  };
  return snapshot.router.match(input)?.value ?? null;
}

async function serve(builder: SnapshotBuilder, bytes: SharedArrayBuffer): Promise<Snapshot> {
  const snapshot = await builder.prepare(bytes, FLAVOR);
  builder.commit(snapshot);
  return builder.current;
}

const ONE: Config = { services: [service('a')], routes: [route('/one', 'a')] };

test('a whole image becomes a snapshot, and nothing is served before the commit', async () => {
  const builder = new SnapshotBuilder(FLAVOR);
  const snapshot = await builder.prepare(image(1, ONE), FLAVOR);
  assert.equal(builder.current.revision, 0);
  assert.equal(find(builder.current, '/one'), null);
  builder.commit(snapshot);
  assert.equal(builder.current.revision, 1);
  assert.equal(find(builder.current, '/one')?.service?.host, 'a.test');
  assert.equal(find(builder.current, '/two'), null);
});

test('a delta changes what it names; the snapshot before it stays as it was', async () => {
  const builder = new SnapshotBuilder(FLAVOR);
  const first = image(1, { services: [service('a')], routes: [route('/one', 'a'), route('/two', 'a')] });
  const before = await serve(builder, first);
  const next = {
    services: [service('a', { host: 'moved.test' })],
    routes: [route('/one', 'a'), route('/three', 'a')],
  };
  const after = await serve(builder, diffImages(first, image(2, next)));
  assert.equal(after.revision, 2);
  assert.equal(find(after, '/one')?.service?.host, 'moved.test');
  assert.equal(find(after, '/two'), null);
  assert.equal(find(after, '/three')?.id, 'route-/three');
  assert.equal(find(before, '/one')?.service?.host, 'a.test');
  assert.equal(find(before, '/two')?.id, 'route-/two');
  assert.equal(find(before, '/three'), null);
});

test('routes of one service share its target', async () => {
  const builder = new SnapshotBuilder(FLAVOR);
  const config = { services: [service('a')], routes: [route('/one', 'a'), route('/two', 'a')] };
  const snapshot = await serve(builder, image(1, config));
  assert.equal(find(snapshot, '/one')?.service, find(snapshot, '/two')?.service);
});

test('routes of a disabled service are not in the router, and come back with it', async () => {
  const builder = new SnapshotBuilder(FLAVOR);
  const on = image(1, ONE);
  const off = image(2, { ...ONE, services: [service('a', { enabled: false })] });
  const again = image(3, ONE);
  assert.notEqual(find(await serve(builder, on), '/one'), null);
  assert.equal(find(await serve(builder, diffImages(on, off)), '/one'), null);
  assert.notEqual(find(await serve(builder, diffImages(off, again)), '/one'), null);
});

test('a delta is refused unless it starts from what is served', async () => {
  const builder = new SnapshotBuilder(FLAVOR);
  const first = image(1, ONE);
  const second = image(2, { ...ONE, routes: [route('/two', 'a')] });
  const delta = diffImages(first, second);
  await assert.rejects(builder.prepare(delta, FLAVOR), StaleBase);
  await serve(builder, first);
  await assert.rejects(builder.prepare(delta, 'traditional'), StaleBase);
  await builder.prepare(delta, FLAVOR);
  await assert.rejects(builder.prepare(delta, FLAVOR), StaleBase, 'a build that was not committed');
  assert.equal(builder.current.revision, 1);
  await serve(builder, second);
  assert.notEqual(find(builder.current, '/two'), null);
  assert.equal(find(builder.current, '/one'), null);
});

test('builds run one after the other and only the last can be committed', async () => {
  const builder = new SnapshotBuilder(FLAVOR);
  const [first, second] = await Promise.all([
    builder.prepare(image(1, ONE), FLAVOR),
    builder.prepare(image(2, { ...ONE, routes: [route('/two', 'a')] }), FLAVOR),
  ]);
  assert.throws(() => builder.commit(first), StaleBase);
  builder.commit(second);
  assert.notEqual(find(builder.current, '/two'), null);
});

test('a route that does not compile keeps its place and is named', async () => {
  const builder = new SnapshotBuilder(FLAVOR);
  const config = {
    services: [service('a')],
    routes: [route('/', 'a'), route('~/api/(', 'a'), route('~/ok/\\d+$', 'a')],
  };
  const snapshot = await serve(builder, image(1, config));
  assert.equal(find(snapshot, '/api/7')?.id, 'route-~/api/(');
  assert.notEqual(find(snapshot, '/api/7')?.broken, null);
  assert.equal(find(snapshot, '/other')?.broken, null);
  assert.deepEqual([...builder.broken.keys()], ['route-~/api/(']);
});

test('a route without a service is served as such', async () => {
  const builder = new SnapshotBuilder(FLAVOR);
  const snapshot = await serve(builder, image(1, { services: [], routes: [route('/one', null)] }));
  assert.equal(find(snapshot, '/one')?.service, null);
  assert.equal(find(snapshot, '/one')?.broken, null);
});

test('the event loop turns while a large image is applied', async () => {
  const builder = new SnapshotBuilder(FLAVOR, { sliceMs: 0 });
  const routes = Array.from({ length: 50 }, (_, n) => route(`/r${n}`, 'a'));
  let turns = 0;
  const count = (): void => {
    turns += 1;
    timer = setImmediate(count);
  };
  let timer = setImmediate(count);
  await serve(builder, image(1, { services: [service('a')], routes }));
  clearImmediate(timer);
  assert.ok(turns >= 50, `${turns} turns`);
});

test('bytes that are no image are refused and change nothing', async () => {
  const builder = new SnapshotBuilder(FLAVOR);
  await serve(builder, image(1, ONE));
  await assert.rejects(builder.prepare(new SharedArrayBuffer(100), FLAVOR));
  assert.notEqual(find(builder.current, '/one'), null);
});
