/** The connection to Redis that plugins share, against a real server: what is answered while it is away, and when it is back. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { RedisError, type RedisTarget } from '../../src/plugins/kit/redis.ts';
import { RedisPool } from '../../src/plugins/services/redis/redis-pool.ts';
import { makeCertificate } from '../support/certificate.ts';
import { freePort } from '../support/ports.ts';
import { startRedis } from '../support/redis.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait.ts';

interface Pool extends Disposable {
  readonly pool: RedisPool;
  readonly lines: string[];
}

/** @param portOf what the name of the server leads to; null: to the target's own port. */
function makePool(trust: () => void = () => {}, portOf: () => number | null = () => null): Pool {
  const lines: string[] = [];
  const log = {
    error: (line: string) => void lines.push(line),
    notice: (line: string) => void lines.push(line),
  };
  const named = {
    host: '127.0.0.1',
    addresses: [{ ip: '127.0.0.1', port: null, weight: 1 }],
    next: () => ({ ip: '127.0.0.1', port: portOf(), weight: 1 }),
  };
  const resolver = { peek: () => null, resolve: () => Promise.resolve(named) };
  const pool = new RedisPool({ resolver: resolver as never, trust, log });
  return { pool, lines, [Symbol.dispose]: () => pool.close() };
}

function target(port: number, more: Partial<RedisTarget> = {}): RedisTarget {
  return {
    host: '127.0.0.1',
    port,
    username: null,
    password: null,
    database: 0,
    timeout: 30_000,
    ssl: false,
    ssl_verify: false,
    server_name: null,
    ...more,
  };
}

const failure = (code: string, text?: RegExp) => (error: unknown) => {
  assert.ok(error instanceof RedisError, String(error));
  assert.equal(error.code, code, error.message);
  if (text !== undefined) assert.match(error.message, text);
  return true;
};

test('commands and scripts; one connection for all who name the same server', async () => {
  await using server = await startRedis();
  using made = makePool();
  const a = made.pool.hold(target(server.port));
  const b = made.pool.hold(target(server.port));
  const other = made.pool.hold(target(server.port, { database: 3 }));
  assert.equal(await a.redis.get('k'), null);
  assert.equal(await a.redis.set('k', 'ä\r\n', { ttlMs: 60_000 }), true);
  assert.equal(await b.redis.get('k'), 'ä\r\n');
  assert.equal(await b.redis.set('k', 'x', { only: 'new' }), false);
  assert.equal(await b.redis.set('other', 'x', { only: 'existing' }), false);
  assert.equal(await other.redis.get('k'), null, 'another database');
  assert.match(await server.ask('PTTL', 'k'), /^:[1-5]\d{4}\r\n$/);
  const script = { source: "return { KEYS[1], ARGV[1], redis.call('GET', KEYS[1]), 7, false }" };
  for (let round = 0; round < 2; round++) {
    assert.deepEqual(await a.redis.run(script, ['k'], [5]), ['k', '5', 'ä\r\n', 7, null]);
    await server.ask('SCRIPT', 'FLUSH');
  }
  assert.deepEqual(await Promise.all([a.redis.delete('k'), b.redis.delete('k')]), [true, false]);
  await assert.rejects(a.redis.run({ source: 'return redis.call("NO")' }, [], []), failure('refused'));
  assert.match(
    await server.ask('INFO', 'clients'),
    /connected_clients:3\r\n/,
    'two of ours, and the one that asks',
  );
  a.release();
  assert.equal(await b.redis.get('k'), null, 'it stays for those who still hold it');
  b.release();
  await assert.rejects(b.redis.get('k'), failure('away', /closed/));
});

test('a server that ends and comes back, and one that was not there to begin with', async () => {
  const port = await freePort();
  using made = makePool();
  const { redis } = made.pool.hold(target(port));
  await assert.rejects(redis.get('k'), failure('away', /ECONNREFUSED/));
  await assert.rejects(redis.get('k'), failure('away', /ECONNREFUSED/));
  await using server = await startRedis({ port });
  const works = async (): Promise<boolean> => (await redis.get('k').catch(() => 'x')) === null;
  await waitFor(works, { what: 'a connection to the new server' });
  await server.kill();
  await waitFor(async () => !(await works()), { what: 'the end to be noticed' });
  await server.start();
  await waitFor(works, { what: 'a connection to the server that is back' });
  assert.ok(
    made.lines.some((line) => line.endsWith('there again')),
    made.lines.join('\n'),
  );
  const told = made.lines.filter((line) => line.includes('ECONNREFUSED'));
  assert.ok(told.length <= 2, `told once for each time: ${made.lines.join('\n')}`);
});

test('a primary that became a replica: its name is looked up again', async () => {
  await using old = await startRedis();
  await using other = await startRedis();
  let primary = old.port;
  using made = makePool(undefined, () => primary);
  const { redis } = made.pool.hold(target(1));
  const scripted = { source: "return redis.call('SET', KEYS[1], ARGV[1])" };
  assert.equal(await redis.set('k', 'before'), true);
  await old.ask('REPLICAOF', '127.0.0.1', String(other.port));
  primary = other.port;
  await assert.rejects(redis.run(scripted, ['k'], ['x']), failure('refused', /READONLY/));
  await waitFor(async () => await redis.set('k', 'after').catch(() => false), { what: 'the new primary' });
  assert.match(await other.ask('GET', 'k'), /after/);
});

test('a server that answers nothing: an error in time, for all that wait, and a new connection', async () => {
  await using server = await startRedis();
  using made = makePool();
  const { redis } = made.pool.hold(target(server.port, { timeout: 1000 }));
  assert.equal(await redis.get('k'), null);
  server.hold();
  const results = await Promise.allSettled([redis.get('a'), redis.get('b'), redis.get('c')]);
  for (const result of results) {
    assert.equal(result.status, 'rejected');
    assert.ok(result.reason instanceof RedisError && /timeout|away/.test(result.reason.code));
  }
  await assert.rejects(redis.get('d'), RedisError, 'while it cannot be connected');
  server.go();
  await waitFor(async () => (await redis.get('k').catch(() => 'x')) === null, {
    what: 'it to be used again',
  });
});

test('a connection that goes silent while commands keep coming holds a bounded number of them', async () => {
  await using server = await startRedis();
  await using relay = await startTcpProxy(server.port);
  using made = makePool();
  const { redis } = made.pool.hold(target(relay.port));
  assert.equal(await redis.get('k'), null);
  relay.cut();
  const waiting = Array.from({ length: 4096 }, () => redis.get('k').catch((error: unknown) => error));
  await assert.rejects(redis.get('k'), failure('busy'));
  relay.reset();
  for (const error of await Promise.all(waiting)) failure('away')(error);
});

test('passwords, users and databases', async () => {
  await using server = await startRedis({ password: 'let-me-in' });
  await server.ask('ACL', 'SETUSER', 'gate', 'on', '>s3cret', '~*', '+@all');
  const open: Array<Partial<RedisTarget>> = [
    { password: 'let-me-in' },
    { username: 'default', password: 'let-me-in' },
    { username: 'gate', password: 's3cret', database: 2 },
  ];
  for (const more of open) {
    using made = makePool();
    assert.equal(await made.pool.hold(target(server.port, more)).redis.get('k'), null);
  }
  const shut: Array<readonly [more: Partial<RedisTarget>, text: RegExp]> = [
    [{}, /NOAUTH/],
    [{ password: 'wrong-one' }, /WRONGPASS/],
    [{ username: 'gate', password: 'let-me-in' }, /WRONGPASS/],
    [{ password: 'let-me-in', database: 999 }, /DB index is out of range/],
  ];
  for (const [more, text] of shut) {
    using made = makePool();
    const { redis } = made.pool.hold(target(server.port, more));
    await assert.rejects(redis.get('k'), (error: unknown) => {
      assert.ok(error instanceof RedisError);
      assert.match(error.message, text);
      return true;
    });
    const told = made.lines.join('\n');
    assert.ok(!told.includes('wrong-one') && !told.includes('let-me-in'), 'no password in a log');
  }
});

test('TLS: verified by name and authority, or not at all', async () => {
  await using folder = await tempDir();
  const certificate = makeCertificate(folder.path, 'DNS:redis.test');
  await using server = await startRedis({ tls: certificate });
  const tls = process.getBuiltinModule('node:tls');
  const before = tls.getCACertificates('default');
  const own = readFileSync(certificate.cert, 'utf8');
  const trusting = (authorities: readonly string[]) => () => tls.setDefaultCACertificates([...authorities]);
  const cases: Array<
    readonly [more: Partial<RedisTarget>, authorities: readonly string[], text: RegExp | null]
  > = [
    [{ ssl: true }, before, null],
    [{ ssl: true, ssl_verify: true, server_name: 'redis.test' }, [own], null],
    [{ ssl: true, ssl_verify: true, host: 'redis.test' }, [own], null],
    [{ ssl: true, ssl_verify: true, server_name: 'other.test' }, [own], /altnames/],
    [{ ssl: true, ssl_verify: true }, [own], /altnames/],
    [{ ssl: true, ssl_verify: true, server_name: 'redis.test' }, before, /self-signed|unable to/],
    [{}, before, /redis/],
  ];
  try {
    for (const [more, authorities, text] of cases) {
      using made = makePool(trusting(authorities));
      const { redis } = made.pool.hold(target(server.port, more));
      if (text === null) assert.equal(await redis.get('k'), null, JSON.stringify(more));
      else await assert.rejects(redis.get('k'), failure('away', text), JSON.stringify(more));
    }
  } finally {
    tls.setDefaultCACertificates(before);
  }
});
