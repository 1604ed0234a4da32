import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Route } from '../entities/route.ts';
import type { Service } from '../entities/service.ts';
import type { ImageRecord } from './image.ts';
import { diffImages, encodeImage, readImage } from './image.ts';

interface Config {
  readonly services: readonly Service[];
  readonly routes: readonly Route[];
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

const encode = (config: Config, revision = 1): SharedArrayBuffer =>
  encodeImage(config, { revision, hash: 'f'.repeat(32) });

const labels = (image: SharedArrayBuffer): string[] =>
  [...readImage(image).records()].map((record) =>
    record.op === 'remove' ? `-${record.id.slice(-4)}` : `+${record.entity.name}`,
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
      if (record.kind === 'route' && record.entity.service !== null) {
        assert.ok(state.has(`service ${record.entity.service.id}`), 'a service comes before its routes');
      }
      state.set(`${record.kind} ${record.entity.id}`, record.entity);
    }
  }
  return state;
}

const anyConfig: fc.Arbitrary<Config> = fc
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
