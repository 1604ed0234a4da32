import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { createResolver, type DnsSettings } from './create-resolver.ts';
import type { AddressRecord } from './dns-backend.ts';
import { HOSTS_TTL, HostsFile } from './hosts-file.ts';
import { DnsError, type DnsErrorCode, type ResolvedName, type Resolver } from './resolver.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-resolver-'));
after(() => rmSync(folder, { recursive: true }));

const SETTINGS: DnsSettings = {
  dns_resolver: [],
  dns_hostsfile: '',
  dns_order: ['LAST', 'A'],
  dns_valid_ttl: null,
  dns_stale_ttl: 3600,
  dns_cache_size: 100,
  dns_not_found_ttl: 30,
  dns_error_ttl: 1,
  dns_refresh_ahead: true,
};

const NO_CONF = { servers: [], rotate: false, search: [], ndots: 1 };

/** A resolver on a scripted server and a clock that stands still. */
class Bench {
  /** Seconds. */
  now = 1000;
  answer: ((name: string) => readonly AddressRecord[]) | DnsErrorCode = 'name_error';
  readonly asked: string[] = [];
  readonly warnings: string[] = [];
  readonly resolver: Resolver;
  /** While set, answers wait. */
  gate: Promise<void> | null = null;
  closed = false;

  constructor(settings: Partial<DnsSettings> = {}) {
    const { dns_hostsfile } = settings;
    const addresses = async (name: string): Promise<readonly AddressRecord[]> => {
      this.asked.push(name);
      const { answer } = this;
      await this.gate;
      if (this.closed) throw new DnsError('server_failure', 'cancelled');
      if (typeof answer === 'string') throw new DnsError(answer, `scripted ${answer}`);
      return answer(name);
    };
    const none = (): Promise<never> => Promise.reject(new DnsError('empty', 'scripted'));
    const now = (): number => this.now * 1000;
    const close = (): void => void (this.closed = true);
    this.resolver = createResolver({ ...SETTINGS, ...settings }, (line) => this.warnings.push(line), {
      now,
      // The real one asks the file system, which takes its own time.
      hosts:
        dns_hostsfile === undefined
          ? { find: () => undefined, refresh: () => undefined }
          : new HostsFile(dns_hostsfile, now, assert.fail),
      random: () => 0,
      backend: { addresses, services: none, aliases: none, close },
      resolvConf: { ...NO_CONF, timeout: 1000, attempts: 1 },
    });
  }

  is(ttl: number, ...ips: string[]): void {
    this.answer = () => ips.map((address) => ({ address, ttl }));
  }

  /** Addresses of a hit, `-` for none; a refresh that it began is through afterwards. */
  async peek(name = 'a.b'): Promise<string> {
    const shown = ips(this.resolver.peek(name));
    await setImmediate();
    return shown;
  }

  /** Addresses, or the code of the error. */
  async resolve(name = 'a.b'): Promise<string> {
    try {
      return ips(await this.resolver.resolve(name));
    } catch (error) {
      assert.ok(error instanceof DnsError);
      return error.code;
    }
  }
}

function ips(name: ResolvedName | null): string {
  return name === null ? '-' : name.addresses.map((address) => address.ip).join(' ');
}

test('a name is asked for once and served until its TTL', async () => {
  const bench = new Bench();
  bench.is(10, '2.2.2.2', '1.1.1.1');
  assert.equal(await bench.peek(), '-');
  assert.equal(await bench.resolve(), '1.1.1.1 2.2.2.2');
  bench.now += 7.9;
  assert.equal(await bench.peek(), '1.1.1.1 2.2.2.2');
  assert.equal(await bench.resolve(), '1.1.1.1 2.2.2.2');
  assert.equal(bench.asked.length, 1);
  assert.equal(bench.resolver.peek('a.b')?.expiresAt, 1_010_000);
});

test('a name in use is refreshed before its TTL ends, without anybody waiting', async () => {
  const bench = new Bench();
  bench.is(10, '1.1.1.1');
  await bench.resolve();
  bench.is(10, '2.2.2.2');
  bench.now += 8;
  assert.equal(await bench.peek(), '1.1.1.1', 'the use that starts the refresh has the old address');
  assert.equal(await bench.peek(), '2.2.2.2');
  assert.equal(bench.asked.length, 2);
  assert.equal(bench.resolver.peek('a.b')?.expiresAt, 1_018_000);
});

test('a refresh with the same addresses keeps the turn', async () => {
  const bench = new Bench();
  bench.is(10, '1.1.1.1', '2.2.2.2');
  const name = await bench.resolver.resolve('a.b');
  assert.equal(name.next().ip, '1.1.1.1');
  bench.is(10, '2.2.2.2', '1.1.1.1');
  bench.now += 8;
  await bench.peek();
  assert.equal(bench.asked.length, 2);
  assert.equal(bench.resolver.peek('a.b')?.next().ip, '2.2.2.2');
});

test('a stale name serves on while it is refreshed, but not for ever', async () => {
  const bench = new Bench({ dns_stale_ttl: 100 });
  bench.is(10, '1.1.1.1');
  await bench.resolve();
  bench.is(10, '2.2.2.2');
  bench.now += 109;
  assert.equal(await bench.peek(), '1.1.1.1');
  assert.equal(await bench.peek(), '2.2.2.2');
  bench.now += 111;
  assert.equal(await bench.peek(), '-');
  assert.equal(await bench.resolve(), '2.2.2.2');
});

test('without stale time the TTL is the end', async () => {
  const bench = new Bench({ dns_stale_ttl: 0 });
  bench.is(10, '1.1.1.1');
  await bench.resolve();
  bench.now += 10;
  assert.equal(await bench.peek(), '-');
});

test('when name servers are down the last addresses serve on', async () => {
  for (const code of ['timeout', 'server_failure'] as const) {
    const bench = new Bench({ dns_stale_ttl: 100 });
    bench.is(10, '1.1.1.1');
    await bench.resolve();
    bench.answer = code;
    for (bench.now += 9; bench.now < 1109; bench.now += 10) assert.equal(await bench.peek(), '1.1.1.1');
    assert.equal(bench.asked.length, 11, 'one refresh for each use');
    bench.now = 1108.5;
    assert.deepEqual(bench.warnings, [`dns: a.b could not be refreshed: scripted ${code}`], 'said once');
    assert.equal(await bench.peek(), '1.1.1.1');
    assert.equal(await bench.peek(), '1.1.1.1');
    assert.equal(bench.asked.length, 12, 'dns_error_ttl between two tries');
    bench.now += 5;
    assert.equal(await bench.resolve(), code, 'past the stale time');
    bench.is(10, '2.2.2.2');
    bench.now += 1;
    assert.equal(await bench.resolve(), '2.2.2.2');
  }
});

test('an answer that there is no such name is believed and kept', async () => {
  for (const code of ['name_error', 'empty'] as const) {
    const bench = new Bench();
    bench.is(10, '1.1.1.1');
    await bench.resolve();
    bench.answer = code;
    bench.now += 9;
    await bench.peek();
    assert.equal(await bench.peek(), '-');
    bench.is(10, '2.2.2.2');
    bench.now += 29;
    assert.equal(await bench.resolve(), code);
    assert.equal(bench.asked.length, 2);
    bench.now += 1;
    assert.equal(await bench.resolve(), '2.2.2.2');
  }
});

test('other errors of an unknown name are kept for a second', async () => {
  const bench = new Bench();
  bench.answer = 'timeout';
  assert.equal(await bench.resolve(), 'timeout');
  bench.is(10, '1.1.1.1');
  bench.now += 0.9;
  assert.equal(await bench.resolve(), 'timeout');
  bench.now += 0.1;
  assert.equal(await bench.resolve(), '1.1.1.1');
});

test('one lookup at a time for a name', async () => {
  const bench = new Bench();
  const gate = Promise.withResolvers<void>();
  bench.gate = gate.promise;
  bench.is(10, '1.1.1.1');
  const waiting = Promise.all(Array.from({ length: 50 }, () => bench.resolve()));
  await setImmediate();
  assert.equal(bench.resolver.peek('a.b'), null);
  gate.resolve();
  assert.deepEqual(new Set(await waiting), new Set(['1.1.1.1']));
  assert.equal(bench.asked.length, 1);
});

test('one refresh at a time for a name', async () => {
  const bench = new Bench();
  bench.is(10, '1.1.1.1');
  await bench.resolve();
  const gate = Promise.withResolvers<void>();
  bench.gate = gate.promise;
  bench.now += 11;
  for (let i = 0; i < 5; i++) assert.equal(await bench.peek(), '1.1.1.1');
  assert.equal(bench.asked.length, 2);
  gate.resolve();
});

test('TTL 0: every request asks, concurrent ones share, the last addresses are the fallback', async () => {
  const bench = new Bench({ dns_stale_ttl: 100 });
  bench.is(0, '1.1.1.1');
  assert.deepEqual(await Promise.all([bench.resolve(), bench.resolve()]), ['1.1.1.1', '1.1.1.1']);
  assert.equal(bench.asked.length, 1);
  assert.equal(await bench.peek(), '-');
  bench.is(0, '2.2.2.2');
  assert.equal(await bench.resolve(), '2.2.2.2');
  bench.answer = 'timeout';
  assert.equal(await bench.resolve(), '2.2.2.2');
  assert.equal(await bench.resolve(), '2.2.2.2');
  assert.equal(bench.asked.length, 3, 'no server is asked again within dns_error_ttl');
  bench.now += 100;
  assert.equal(await bench.resolve(), 'timeout');
});

test('dns_valid_ttl stands in place of the TTL', async () => {
  const bench = new Bench({ dns_valid_ttl: 50 });
  bench.is(0, '1.1.1.1');
  await bench.resolve();
  bench.now += 39;
  assert.equal(await bench.peek(), '1.1.1.1');
  assert.equal(bench.asked.length, 1);
});

test('addresses never go to a server', async () => {
  const bench = new Bench();
  for (const [host, ip] of [
    ['127.0.0.1', '127.0.0.1'],
    ['::1', '::1'],
    ['[::1]', '::1'],
  ] as const) {
    assert.equal(await bench.peek(host), ip);
    assert.equal(await bench.resolve(host), ip);
    assert.equal(bench.resolver.peek(host), bench.resolver.peek(host), 'a second look makes nothing new');
  }
  bench.now += 1e9;
  assert.equal(await bench.peek('127.0.0.1'), '127.0.0.1');
  assert.equal(bench.asked.length, 0);
});

test('what is no host name never goes to a server', async () => {
  const bench = new Bench();
  for (const host of ['', 'a b', 'a\r\nb', '1.2.3', 'ä.com', 'x'.repeat(300)]) {
    assert.equal(await bench.resolve(host), 'name_error');
  }
  assert.equal(bench.asked.length, 0);
});

test('names are asked for in lower case', async () => {
  const bench = new Bench();
  bench.is(10, '1.1.1.1');
  assert.equal(await bench.resolve('A.B'), '1.1.1.1');
  assert.deepEqual(bench.asked, ['a.b']);
});

test('the hosts file comes first and may change', async () => {
  const path = join(folder, 'hosts');
  writeFileSync(path, '10.0.0.1 a.b');
  const bench = new Bench({ dns_hostsfile: path });
  bench.is(1000, '1.1.1.1');
  assert.equal(await bench.resolve('A.b.'), '10.0.0.1');
  assert.equal(await bench.resolve('localhost'), '127.0.0.1');
  assert.equal(await bench.resolve('x.localhost'), '127.0.0.1');
  writeFileSync(path, '10.0.0.2 a.b localhost');
  bench.now += HOSTS_TTL + 3600;
  assert.equal(await bench.resolve('A.b.'), '10.0.0.2');
  assert.equal(await bench.resolve('localhost'), '10.0.0.2');
  rmSync(path);
  bench.now += HOSTS_TTL + 3600;
  assert.equal(await bench.resolve('A.b.'), '1.1.1.1');
  assert.deepEqual(bench.asked, ['a.b']);
});

test('the cache is bounded; names in use stay', async () => {
  const bench = new Bench({ dns_cache_size: 10 });
  bench.is(1000, '1.1.1.1');
  await bench.resolve('used.x');
  for (let i = 0; i < 100; i++) {
    await bench.resolve(`n${i}.x`);
    assert.equal(await bench.peek('used.x'), '1.1.1.1', `after ${i}`);
  }
  let kept = 0;
  for (let i = 0; i < 100; i++) kept += bench.resolver.peek(`n${i}.x`) === null ? 0 : 1;
  assert.equal(kept, 9);
  for (let i = 0; i < 50; i++) bench.resolver.peek(`10.0.0.${i}`);
  assert.equal(bench.asked.length, 101);
});

test('lookups under way are bounded', async () => {
  const bench = new Bench({ dns_cache_size: 3 });
  const gate = Promise.withResolvers<void>();
  bench.gate = gate.promise;
  bench.is(10, '1.1.1.1');
  const outcomes = Promise.all(['a', 'b', 'c', 'd'].map((name) => bench.resolve(name)));
  await setImmediate();
  gate.resolve();
  assert.deepEqual(await outcomes, ['1.1.1.1', '1.1.1.1', '1.1.1.1', 'server_failure']);
  assert.equal(await bench.resolve('d'), '1.1.1.1');
});

test('close ends what is under way and begins nothing new', async () => {
  const bench = new Bench();
  bench.is(10, '1.1.1.1');
  await bench.resolve('known.x');
  const gate = Promise.withResolvers<void>();
  bench.gate = gate.promise;
  const waiting = bench.resolve('a.b');
  await setImmediate();
  bench.resolver.close();
  gate.resolve();
  assert.equal(await waiting, 'server_failure');
  assert.equal(await bench.resolve('c.d'), 'server_failure');
  bench.now += 9;
  assert.equal(await bench.peek('known.x'), '1.1.1.1');
  assert.deepEqual(bench.asked, ['known.x', 'a.b']);
});
