/** Connections to an address that has left its name: over HTTP/1.1, TLS and HTTP/2. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createServer as createHttp2, createSecureServer } from 'node:http2';
import { createServer as createTls } from 'node:https';
import type { AddressInfo, Server, Socket } from 'node:net';
import { test } from 'node:test';
import { AddressRing } from '../../src/balancer/resolver/address-ring.ts';
import type { LeaveListener } from '../../src/balancer/resolver/address-holds.ts';
import type { PlaneResolver, ResolvedName } from '../../src/balancer/resolver/resolver.ts';
import { selfSigned } from '../../src/lib/x509/self-signed.ts';
import type { ServiceTarget } from '../../src/snapshot/snapshot.ts';
import { CELL } from '../../src/zone/worker-zone.ts';
import { startPlane } from '../support/data-plane.ts';
import { waitFor } from '../support/wait.ts';

const own = selfSigned({
  names: ['localhost'],
  from: new Date(Date.now() - 1000),
  until: new Date(Date.now() + 3_600_000),
});

/** What it says is 127.0.0.1; the test says when that has left. */
class OneAddress implements PlaneResolver {
  leaving: LeaveListener = () => undefined;
  readonly #name: ResolvedName = new AddressRing([{ ip: '127.0.0.1', port: null, weight: 1 }], Infinity, 0);

  peek(): ResolvedName {
    return this.#name;
  }

  resolve(): Promise<ResolvedName> {
    return Promise.resolve(this.#name);
  }

  close(): void {}
}

interface Held {
  end(body: string): unknown;
}

class Upstream implements AsyncDisposable {
  connections = 0;
  readonly sockets = new Set<Socket>();
  /** Requests for /held, which wait. */
  readonly held: Held[] = [];
  readonly #server: Server;

  constructor(
    make: (answer: (request: { readonly url?: string | undefined }, response: Held) => void) => Server,
  ) {
    this.#server = make((request, response) => {
      if (request.url === '/held') this.held.push(response);
      else response.end('ok');
    });
    this.#server.on('connection', (socket: Socket) => {
      this.connections++;
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket)).on('error', () => undefined);
    });
  }

  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }
}

type Leg = readonly [name: string, service: Partial<ServiceTarget>, make: () => Upstream];
const LEGS: readonly Leg[] = [
  ['HTTP/1.1', {}, () => new Upstream((answer) => createServer({ keepAliveTimeout: 0 }, answer))],
  [
    'HTTP/1.1 over TLS',
    { tls: true },
    () => new Upstream((answer) => createTls({ ...own, keepAliveTimeout: 0 }, answer)),
  ],
  ['HTTP/2', { upstreamProtocol: 'h2' }, () => new Upstream((answer) => createHttp2(answer))],
  [
    'HTTP/2 over TLS',
    { upstreamProtocol: 'h2', tls: true },
    () => new Upstream((answer) => createSecureServer(own, answer)),
  ],
];

interface Pool {
  take(...args: never[]): unknown;
}

/** The address leaves in the moment in which a connection to it is begun. */
function leaveOnTake(pool: Pool, resolver: OneAddress): void {
  const take = pool.take.bind(pool);
  pool.take = (...args) => {
    const stream = take(...args);
    resolver.leaving('127.0.0.1', () => false);
    return stream;
  };
}

for (const [name, service, make] of LEGS) {
  test(`${name}: idle connections close, one in use after its exchange, and a port that stays stays`, async () => {
    await using upstream = make();
    const resolver = new OneAddress();
    await using plane = await startPlane(await upstream.listen(), {
      resolver,
      service: { ...service, host: 'name.test' },
    });
    const get = async (path: string): Promise<string> => {
      const response = await fetch(`http://127.0.0.1:${plane.port}${path}`);
      return `${response.status} ${await response.text()}`;
    };
    for (let n = 0; n < 3; n++) assert.equal(await get('/'), '200 ok');
    assert.equal(upstream.connections, 1, 'kept');

    resolver.leaving('127.0.0.9', () => false);
    resolver.leaving('127.0.0.1', () => true);
    assert.equal(await get('/'), '200 ok');
    assert.equal(upstream.connections, 1, 'not concerned');

    resolver.leaving('127.0.0.1', () => false);
    await waitFor(() => upstream.sockets.size === 0, { what: 'the idle connection to close' });
    assert.equal(plane.zone.get(CELL.upstreamIdle), 0);

    const held = get('/held');
    await waitFor(() => upstream.held.length === 1, { what: 'a request in flight' });
    resolver.leaving('127.0.0.1', () => false);
    assert.equal(await get('/'), '200 ok', 'the address has come back');
    assert.equal(upstream.connections, 3, 'on a connection of its own');
    upstream.held[0]?.end('held');
    assert.equal(await held, '200 held', 'what is in flight ends well');
    await waitFor(() => upstream.sockets.size === 1, { what: 'the connection that was in use to close' });
    assert.equal(plane.zone.get(CELL.upstreamIdle), 1);
    assert.equal(await get('/'), '200 ok');
    assert.equal(upstream.connections, 3, 'the new one is kept');
  });

  test(`${name}: one that is being made when its address leaves serves what waits for it, and closes`, async () => {
    await using upstream = make();
    const resolver = new OneAddress();
    await using plane = await startPlane(await upstream.listen(), {
      resolver,
      service: { ...service, host: 'name.test' },
    });
    for (const pool of [plane.plane.pool, plane.plane.http2Pool]) leaveOnTake(pool, resolver);
    const response = await fetch(`http://127.0.0.1:${plane.port}/`);
    assert.equal(await response.text(), 'ok');
    await waitFor(() => upstream.sockets.size === 0, { what: 'the connection to close' });
    assert.deepEqual([upstream.connections, plane.zone.get(CELL.upstreamIdle)], [1, 0]);
  });
}
