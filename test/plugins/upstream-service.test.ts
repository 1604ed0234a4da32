/** Where plugins send requests: to upstreams by name, and to whole other services. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HashSource } from '../../src/balancer/hash-source.ts';
import type { Service } from '../../src/entities/service.ts';
import type { Exchange } from '../../src/plugins/kit/exchange.ts';
import type { ServiceTarget } from '../../src/snapshot/snapshot.ts';
import { type PlaneOptions, startPlane } from '../support/data-plane.ts';
import { servicesOf, upstreamsOf } from '../support/other-services.ts';
import { freePort } from '../support/ports.ts';
import { connectRaw, rawRequest } from '../support/raw-client.ts';
import { type Echo, startEcho, startHttpUpstream } from '../support/upstream.ts';

type Access = (exchange: Exchange) => void;

async function echo(port: number, head = 'GET / HTTP/1.1\r\nHost: a\r\n'): Promise<Echo> {
  const { responses } = await rawRequest(port, `${head}\r\n`);
  const [response] = responses;
  assert.equal(response?.status, 200);
  return response.json() as Echo;
}

const plugins = (access: Access) => [{ name: 'p', priority: 1, filters: { access } }];

const HASH_ON_HEADER = new HashSource({
  hash_on: 'header',
  hash_fallback: 'none',
  hash_on_header: 'X-Key',
  hash_fallback_header: null,
  hash_on_cookie: null,
  hash_on_cookie_path: '/',
  hash_on_query_arg: null,
  hash_fallback_query_arg: null,
  hash_on_uri_capture: null,
  hash_fallback_uri_capture: null,
});

describe('a target that is an upstream', () => {
  test('is balanced: targets take turns, on their own ports, with their own Host', async () => {
    await using own = await startEcho({ name: 'own' });
    await using one = await startEcho({ name: 'one' });
    await using two = await startEcho({ name: 'two' });
    await using plane = await startPlane(own.port, {
      upstreams: upstreamsOf({ 'next.up': { ports: [one.port, two.port] } }),
      plugins: plugins(({ upstreamRequest }) => upstreamRequest.setTarget('next.up', 1)),
    });
    const seen = new Map<string, unknown>();
    for (let i = 0; i < 4; i++) {
      const { name, headers } = await echo(plane.port);
      seen.set(name, headers['host']);
    }
    assert.deepEqual(Object.fromEntries(seen), {
      one: `127.0.0.1:${one.port}`,
      two: `127.0.0.1:${two.port}`,
    });
    assert.deepEqual([one.requests, two.requests, own.requests], [2, 2, 0]);
  });

  test('is hashed on what the upstream says', async () => {
    await using own = await startEcho({ name: 'own' });
    await using one = await startEcho({ name: 'one' });
    await using two = await startEcho({ name: 'two' });
    await using plane = await startPlane(own.port, {
      upstreams: upstreamsOf({
        'next.up': {
          ports: [one.port, two.port],
          algorithm: 'consistent-hashing',
          slots: 1000,
          hashSource: HASH_ON_HEADER,
        },
      }),
      plugins: plugins(({ upstreamRequest }) => upstreamRequest.setTarget('next.up', 1)),
    });
    const homes = new Map<string, Set<string>>();
    for (let i = 0; i < 30; i++) {
      const key = `key ${i % 10}`;
      const { name } = await echo(plane.port, `GET / HTTP/1.1\r\nHost: a\r\nX-Key: ${key}\r\n`);
      homes.set(key, (homes.get(key) ?? new Set()).add(name));
    }
    assert.deepEqual(
      [...homes.values()].map(({ size }) => size),
      Array.from({ length: 10 }, () => 1),
    );
    const used = new Set([...homes.values()].map((names) => [...names].join(' ')));
    assert.deepEqual(used, new Set(['one', 'two']));
  });

  test('that refuses is left for the next one, with retries that were set', async () => {
    await using own = await startEcho({ name: 'own' });
    await using one = await startEcho({ name: 'one' });
    const closed = await freePort();
    await using plane = await startPlane(own.port, {
      upstreams: upstreamsOf({ 'next.up': { ports: [closed, one.port] } }),
      plugins: plugins(({ upstreamRequest }) => {
        upstreamRequest.setTarget('next.up', 1);
        upstreamRequest.setRetries(1);
      }),
    });
    for (let i = 0; i < 3; i++) {
      assert.equal((await echo(plane.port)).name, 'one');
    }
  });

  test('whether it is healthy is known: without targets it is not, and what is no upstream is', async () => {
    await using own = await startEcho();
    const seen: boolean[] = [];
    await using plane = await startPlane(own.port, {
      upstreams: upstreamsOf({ 'none.up': { ports: [] }, 'one.up': { ports: [1] } }),
      plugins: plugins(({ upstreamRequest }) => {
        for (const host of ['none.up', 'one.up', 'other.test']) seen.push(upstreamRequest.isHealthy(host));
      }),
    });
    await rawRequest(plane.port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.deepEqual(seen, [false, true, true]);
  });
});

const OWN: Partial<ServiceTarget> = { path: '/own', retries: 7 };

interface Case {
  readonly access: Access;
  readonly service?: Partial<Service>;
  readonly route?: PlaneOptions['route'];
  /** What the other service's upstream got of `GET /a?b=c`, and of the Host header: `HOST` for its own. */
  readonly url: string;
  readonly host?: string;
}

const CASES: Readonly<Record<string, Case>> = {
  'by name': { access: ({ upstreamRequest }) => upstreamRequest.setService('next'), url: '/a?b=c' },
  'by id': { access: ({ upstreamRequest }) => upstreamRequest.setService('id of next'), url: '/a?b=c' },
  'with its path': {
    access: ({ upstreamRequest }) => upstreamRequest.setService('next'),
    service: { path: '/v2' },
    url: '/v2/a?b=c',
  },
  'a path that was set stays': {
    access: ({ upstreamRequest }) => {
      upstreamRequest.path = '/set';
      upstreamRequest.setService('next');
    },
    service: { path: '/v2' },
    url: '/set?b=c',
  },
  'the path that is read is that of the new service': {
    access: ({ upstreamRequest }) => {
      upstreamRequest.setService('next');
      upstreamRequest.path += '/more';
    },
    service: { path: '/v2' },
    url: '/v2/a/more?b=c',
  },
  'in place of a target': {
    access: ({ upstreamRequest }) => {
      upstreamRequest.setTarget('nowhere.test', 1);
      upstreamRequest.setScheme('https');
      upstreamRequest.setService('next');
    },
    url: '/a?b=c',
  },
  'the Host of the client, when the route preserves it': {
    access: ({ upstreamRequest }) => upstreamRequest.setService('next'),
    route: { preserveHost: true },
    url: '/a?b=c',
    host: 'client.test',
  },
  'a route without a service': {
    access: ({ upstreamRequest }) => upstreamRequest.setService('next'),
    route: { service: null },
    url: '/a?b=c',
  },
};

describe('another service', () => {
  for (const [what, { access, service = {}, route, url, host }] of Object.entries(CASES)) {
    test(what, async () => {
      await using own = await startEcho({ name: 'own' });
      await using next = await startEcho({ name: 'next' });
      await using plane = await startPlane(own.port, {
        service: OWN,
        services: servicesOf({ next: { port: next.port, ...service } }),
        plugins: plugins(access),
        ...(route === undefined ? {} : { route }),
      });
      const { responses } = await rawRequest(plane.port, 'GET /a?b=c HTTP/1.1\r\nHost: client.test\r\n\r\n');
      const echo = responses[0]?.json() as Echo;
      assert.deepEqual(
        [echo.name, echo.url, echo.headers['host']],
        ['next', url, host ?? `127.0.0.1:${next.port}`],
      );
    });
  }

  test('that is balanced goes to the targets of its upstream', async () => {
    await using own = await startEcho({ name: 'own' });
    await using one = await startEcho({ name: 'one' });
    await using plane = await startPlane(own.port, {
      services: servicesOf({ next: { host: 'next.up' } }),
      upstreams: upstreamsOf({ 'next.up': { ports: [one.port] } }),
      plugins: plugins(({ upstreamRequest }) => upstreamRequest.setService('next')),
    });
    assert.equal((await echo(plane.port)).name, 'one');
  });

  test('with its retries', async () => {
    await using own = await startEcho();
    let tries = 0;
    await using next = await startHttpUpstream((request) => {
      tries++;
      request.socket.destroy();
    });
    await using plane = await startPlane(own.port, {
      services: servicesOf({ next: { port: next.port, retries: 2 } }),
      plugins: plugins(({ upstreamRequest }) => upstreamRequest.setService('next')),
    });
    const { responses } = await rawRequest(plane.port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.deepEqual([responses[0]?.status, tries], [502, 3]);
  });

  test('with its time-outs', async () => {
    await using own = await startEcho();
    await using next = await startHttpUpstream(() => {});
    await using plane = await startPlane(own.port, {
      services: servicesOf({ next: { port: next.port, read_timeout: 20 } }),
      service: { timeouts: { connect: 600_000, write: 600_000, read: 600_000 } },
      plugins: plugins(({ upstreamRequest }) => upstreamRequest.setService('next')),
    });
    const { responses } = await rawRequest(plane.port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.equal(responses[0]?.status, 504);
  });

  test('one connection asks both in turn', async () => {
    await using own = await startEcho({ name: 'own' });
    await using next = await startEcho({ name: 'next' });
    await using plane = await startPlane(own.port, {
      services: servicesOf({ next: { port: next.port } }),
      plugins: plugins(({ request, upstreamRequest }) => {
        if (request.path === '/next') upstreamRequest.setService('next');
      }),
    });
    await using client = await connectRaw(plane.port);
    const names: string[] = [];
    for (const path of ['/', '/next', '/', '/next']) {
      client.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
      names.push(((await client.readResponse()).json() as Echo).name);
    }
    assert.deepEqual(names, ['own', 'next', 'own', 'next']);
  });
});

const UNKNOWN: ReadonlyArray<readonly [name: string, fields: Partial<Service>, message: RegExp]> = [
  ['other', {}, /^there is no service 'other' that is enabled$/],
  ['next', { enabled: false }, /^there is no service 'next' that is enabled$/],
  ['next', { protocol: 'tcp' }, /^service 'next' has the protocol tcp, which takes no HTTP request$/],
];

test('a service that cannot be taken is a clear error, and the request goes where it went', async () => {
  for (const [name, fields, message] of UNKNOWN) {
    await using own = await startEcho({ name: 'own' });
    const errors: unknown[] = [];
    const found: unknown[] = [];
    await using plane = await startPlane(own.port, {
      services: servicesOf({ next: fields }),
      plugins: plugins(({ upstreamRequest }) => {
        found.push(upstreamRequest.findService(name)?.name);
        try {
          upstreamRequest.setService(name);
        } catch (error) {
          errors.push(error);
        }
      }),
    });
    assert.equal((await echo(plane.port)).name, 'own');
    const [error] = errors;
    assert.ok(error instanceof RangeError, name);
    assert.match(error.message, message);
    assert.deepEqual(found, [fields.protocol === 'tcp' ? 'next' : undefined]);
  }
});
