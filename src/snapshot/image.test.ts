import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import * as fc from 'fast-check';
import type { Route } from '../entities/route.ts';
import type { Service } from '../entities/service.ts';
import type { Target } from '../entities/target.ts';
import type { Upstream } from '../entities/upstream.ts';
import type { ImageRecord } from './image.ts';
import { diffImages, encodeDelta } from './image-delta.ts';
import { encodeImage } from './image-encode.ts';
import { readImage } from './image.ts';
import '../../test/support/fixed-seed.ts';

/** Entities by kind. */
interface Config {
  readonly services: readonly Service[];
  readonly routes: readonly Route[];
  readonly upstreams?: ReadonlyArray<Pick<Upstream, 'id' | 'name' | 'created_at' | 'updated_at'>>;
  readonly targets?: readonly Target[];
  readonly consumers?: readonly object[];
  readonly keyauth_credentials?: readonly object[];
}

const uuid = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;

function service(n: number, over: Partial<Service> = {}): Service {
  return {
    id: uuid(n),
    name: `s${n}`,
    retries: 5,
    protocol: 'http',
    host: 'example.com',
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
    created_at: 10,
    updated_at: 10,
    ...over,
  };
}

function route(n: number, serviceNumber: number | null, over: Partial<Route> = {}): Route {
  return {
    id: uuid(1000 + n),
    name: `r${n}`,
    protocols: ['http', 'https'],
    methods: null,
    hosts: null,
    paths: [`/${n}`],
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
    service: serviceNumber === null ? null : { id: uuid(serviceNumber) },
    tags: null,
    created_at: 10,
    updated_at: 10,
    ...over,
  };
}

const upstream = (n: number, over: object = {}) => ({
  id: uuid(2000 + n),
  name: `u${n}`,
  created_at: 10,
  updated_at: 10,
  ...over,
});

const target = (n: number, upstreamNumber: number, over: Partial<Target> = {}): Target => ({
  id: uuid(3000 + n),
  upstream: { id: uuid(2000 + upstreamNumber) },
  target: `t${n}:80`,
  weight: 100,
  tags: null,
  created_at: 10.123,
  updated_at: 10.123,
  ...over,
});

const consumer = (n: number) => ({ id: uuid(4000 + n), username: `c${n}`, created_at: 10, updated_at: 10 });

const encode = (config: Config, revision = 1): SharedArrayBuffer =>
  encodeImage(new Map(Object.entries(config)), { revision, hash: 'f'.repeat(32) });

const label = (entity: object): string =>
  'target' in entity ? String(entity.target) : String(Object(entity).name);

const labels = (image: SharedArrayBuffer): string[] =>
  [...readImage(image).records()].map((record) =>
    record.op === 'remove' ? `-${record.id.slice(-4)}` : `+${label(record.entity)}`,
  );

test('a configuration reads back as it was written', () => {
  const config = {
    services: [service(1, { name: 'é "quoted" \u{1f600}' })],
    routes: [route(1, 1, { headers: JSON.parse('{"__proto__":["x"]}') }), route(2, null, { created_at: 3 })],
  };
  const image = readImage(encode(config, 7));
  assert.equal(image.revision, 7);
  assert.equal(image.baseRevision, null);
  assert.equal(image.hash, 'f'.repeat(32));
  assert.equal(image.length, 3);
  assert.deepEqual(
    [...image.records()].map((record) => record.op === 'put' && record.entity),
    [...config.services, ...config.routes],
  );
});

test('an image carries all kinds, and workers are given those that they need', () => {
  const config = {
    targets: [target(1, 1), target(2, 1)],
    routes: [route(1, 1)],
    consumers: [consumer(1)],
    // No updated_at, and the id not first.
    keyauth_credentials: [{ key: 'k', id: uuid(5000), consumer: { id: uuid(4001) }, created_at: 7 }],
    upstreams: [upstream(1)],
    services: [service(1)],
  };
  const image = readImage(encode(config));
  assert.equal(image.length, 7);
  const all = [...image.entities()];
  assert.deepEqual(
    all.map(({ kind }) => kind),
    ['consumers', 'services', 'upstreams', 'routes', 'targets', 'targets', 'keyauth_credentials'],
  );
  const byKind = Object.entries(config).flatMap(([kind, list]) => list.map((entity) => ({ kind, entity })));
  for (const one of byKind) assert.ok(all.some((found) => isDeepStrictEqual(found, one)));
  assert.deepEqual(labels(encode(config)), ['+s1', '+u1', '+r1', '+t1:80', '+t2:80']);
});

test('an empty configuration is an image without records', () => {
  assert.deepEqual([...readImage(encode({ services: [], routes: [] })).records()], []);
});

test('bytes that are no image are refused', () => {
  assert.throws(() => readImage(new SharedArrayBuffer(4)), /not a configuration image/);
  assert.throws(() => readImage(new SharedArrayBuffer(64)), /not a configuration image/);
});

test('a route to a service that is not there is refused', () => {
  assert.throws(() => encode({ services: [], routes: [route(1, 1)] }), /refers to a service/);
});

test('a delta names its base and removes before it puts', () => {
  const old = encode({ services: [service(1), service(2)], routes: [route(1, 1), route(2, 2)] }, 4);
  const next = encode({ services: [service(1), service(3)], routes: [route(1, 1), route(3, 3)] }, 5);
  const delta = diffImages(old, next);
  assert.equal(readImage(delta).baseRevision, 4);
  assert.equal(readImage(delta).revision, 5);
  assert.deepEqual(labels(delta), ['-1002', '-0002', '+s3', '+r3']);
});

test('a changed service puts its routes again, and only those', () => {
  const routes = [route(1, 1), route(2, 2), route(3, 1), route(4, null)];
  const old = encode({ services: [service(1), service(2)], routes });
  const next = encode({ services: [service(1, { port: 81 }), service(2)], routes }, 2);
  assert.deepEqual(labels(diffImages(old, next)), ['+s1', '+r1', '+r3']);
});

test('services keep their routes whatever kinds stand before them', () => {
  const before = { consumers: [consumer(1), consumer(2), consumer(3)], routes: [route(1, 1), route(2, 2)] };
  const old = encode({ ...before, services: [service(1), service(2)] });
  const next = encode({ ...before, services: [service(1), service(2, { port: 81 })] }, 2);
  assert.deepEqual(labels(diffImages(old, next)), ['+s2', '+r2']);
});

test('changed upstreams and targets put no route again, and other kinds nothing at all', () => {
  const plain = { services: [service(1, { host: 'u1' })], routes: [route(1, 1)] };
  const old = encode({
    ...plain,
    upstreams: [upstream(1), upstream(2)],
    targets: [target(1, 1), target(2, 2)],
  });
  const next = encode(
    {
      ...plain,
      upstreams: [upstream(1, { name: 'u1b' }), upstream(3)],
      targets: [target(1, 1, { weight: 1 }), target(3, 3)],
      consumers: [consumer(1)],
    },
    2,
  );
  assert.deepEqual(labels(diffImages(old, next)), ['-3002', '-2002', '+u1b', '+u3', '+t1:80', '+t3:80']);
});

test('a delta from lists is in order and holds what workers need', () => {
  const delta = encodeDelta(
    {
      put: [
        { kind: 'targets', entity: target(1, 1) },
        { kind: 'consumers', entity: consumer(1) },
        { kind: 'routes', entity: route(1, 1) },
        { kind: 'services', entity: service(1) },
        { kind: 'upstreams', entity: upstream(1) },
      ],
      removed: [
        { kind: 'services', id: uuid(2) },
        { kind: 'acls', id: uuid(6000) },
        { kind: 'targets', id: uuid(3002) },
        { kind: 'routes', id: uuid(1002) },
      ],
    },
    { revision: 8, hash: 'a'.repeat(32), baseRevision: 7 },
  );
  const image = readImage(delta);
  assert.deepEqual([image.revision, image.baseRevision, image.hash, image.length], [8, 7, 'a'.repeat(32), 7]);
  assert.deepEqual(labels(delta), ['-3002', '-1002', '-0002', '+s1', '+u1', '+r1', '+t1:80']);
  const put = [...image.records()].find(({ kind, op }) => kind === 'targets' && op === 'put');
  assert.deepEqual(put, { op: 'put', kind: 'targets', entity: target(1, 1) });
});

test('a new load time is no change, a created_at that the file says is one', () => {
  const old = encode({ services: [service(1)], routes: [route(1, 1)] });
  const later = { created_at: 20, updated_at: 20 };
  const next = encode({ services: [service(1, later)], routes: [route(1, 1, later)] }, 2);
  assert.deepEqual(labels(diffImages(old, next)), []);
  const said = encode({ services: [service(1)], routes: [route(1, 1, { created_at: 5 })] }, 2);
  assert.deepEqual(labels(diffImages(old, said)), ['+r1']);
});

test('without a base the delta is the configuration itself, and deltas are not compared', () => {
  const image = encode({ services: [service(1)], routes: [] });
  assert.equal(diffImages(null, image), image);
  assert.throws(() => diffImages(diffImages(image, image), image), /delta/);
});

/** What a worker does with an image, on plain maps. */
function apply(base: Map<string, unknown>, records: Iterable<ImageRecord>): Map<string, unknown> {
  const state = new Map(base);
  for (const record of records) {
    if (record.op === 'remove') {
      assert.ok(state.delete(`${record.kind} ${record.id}`), 'removes only what is there');
    } else {
      if (record.kind === 'routes' && record.entity.service !== null) {
        assert.ok(state.has(`services ${record.entity.service.id}`), 'a service comes before its routes');
      }
      if (record.kind === 'targets') {
        assert.ok(
          state.has(`upstreams ${record.entity.upstream.id}`),
          'an upstream comes before its targets',
        );
      }
      state.set(`${record.kind} ${record.entity.id}`, record.entity);
    }
  }
  return state;
}

const anyUpstreams = fc.uniqueArray(fc.integer({ min: 1, max: 5 })).chain((upstreams) =>
  fc
    .uniqueArray(
      fc.record({
        n: fc.integer({ min: 1, max: 8 }),
        weight: fc.integer({ min: 0, max: 2 }),
        upstream: fc.constantFrom(0, ...upstreams),
      }),
      { selector: (one) => one.n },
    )
    .map((targets) => ({
      upstreams: upstreams.map((n) => upstream(n)),
      targets: targets.flatMap((one) =>
        one.upstream === 0 ? [] : [target(one.n, one.upstream, { weight: one.weight })],
      ),
    })),
);

const anyServices: fc.Arbitrary<Pick<Config, 'services' | 'routes'>> = fc
  .uniqueArray(fc.record({ n: fc.integer({ min: 1, max: 8 }), port: fc.integer({ min: 1, max: 3 }) }), {
    selector: (one) => one.n,
  })
  .chain((services) =>
    fc
      .uniqueArray(
        fc.record({
          n: fc.integer({ min: 1, max: 12 }),
          name: fc.string({ minLength: 1, maxLength: 3, unit: 'binary' }),
          service: fc.constantFrom(null, ...services.map((one) => one.n)),
        }),
        { selector: (one) => one.n },
      )
      .map((routes) => ({
        services: services.map((one) => service(one.n, { port: one.port })),
        routes: routes.map((one) => route(one.n, one.service, { name: one.name })),
      })),
  );

const anyConfig: fc.Arbitrary<Config> = fc
  .tuple(anyServices, anyUpstreams, fc.boolean())
  .map(([services, upstreams, more]) =>
    Object.assign({}, services, upstreams, more ? { consumers: [consumer(1)] } : null),
  );

test('property: old state and delta give the new configuration', () => {
  fc.assert(
    fc.property(anyConfig, anyConfig, (before, after) => {
      const old = encode(before);
      const next = encode(after, 2);
      const start = apply(new Map(), readImage(old).records());
      const expected = apply(new Map(), readImage(next).records());
      assert.deepEqual(apply(start, readImage(diffImages(old, next)).records()), expected);
    }),
  );
});
