import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { CachingResolver } from './caching-resolver.ts';
import { createResolver } from './create-resolver.ts';
import type { AddressRecord } from './dns-backend.ts';
import { RefreshAhead, type RefreshAheadOptions } from './refresh-ahead.ts';
import { DnsError, type DnsErrorCode } from './resolver.ts';

class Bench implements Disposable {
  now = 0;
  answer: readonly AddressRecord[] | DnsErrorCode = [{ address: '1.1.1.1', ttl: 10 }];
  readonly asked: string[] = [];
  readonly uses: Uint8Array;
  readonly resolver: CachingResolver;
  readonly ahead: RefreshAhead;
  /** While set, answers wait. */
  gate: Promise<void> | null = null;
  readonly #t: TestContext;

  constructor(t: TestContext, size = 100, options: Partial<RefreshAheadOptions> = {}) {
    this.#t = t;
    t.mock.timers.enable({ apis: ['setTimeout'] });
    this.uses = new Uint8Array(size + 1);
    const none = (): Promise<never> => Promise.reject(new DnsError('empty', 'scripted'));
    this.resolver = createResolver(
      {
        dns_resolver: [],
        dns_hostsfile: '',
        dns_order: ['A'],
        dns_valid_ttl: null,
        dns_stale_ttl: 3600,
        dns_cache_size: size,
        dns_not_found_ttl: 30,
        dns_error_ttl: 1,
        dns_refresh_ahead: true,
      },
      () => undefined,
      {
        now: () => this.now,
        random: () => 0,
        hosts: { find: () => undefined, refresh: () => undefined },
        backend: {
          addresses: (name) => this.#addresses(name),
          services: none,
          aliases: none,
          close: () => {},
        },
        resolvConf: { servers: [], rotate: false, search: [], ndots: 1, timeout: 1000, attempts: 1 },
      },
    );
    this.ahead = new RefreshAhead({
      resolver: this.resolver,
      uses: this.uses,
      now: () => this.now,
      ahead: true,
      staleMs: 3_600_000,
      onSettled: () => undefined,
      ...options,
    });
  }

  async #addresses(name: string): Promise<readonly AddressRecord[]> {
    this.asked.push(name);
    const { answer } = this;
    await this.gate;
    if (typeof answer === 'string') throw new DnsError(answer, 'scripted');
    return answer;
  }

  /** Seconds go by; each with what `during` does. */
  async pass(seconds: number, during: () => void = () => undefined): Promise<void> {
    for (let second = 0; second < seconds; second++) {
      during();
      this.now += 1000;
      this.#t.mock.timers.tick(1000);
      await turn();
      await turn();
    }
  }

  /** A worker uses the name. */
  use(host: string): void {
    this.uses[this.resolver.find(host)?.slot ?? 0] = 1;
  }

  [Symbol.dispose](): void {
    this.ahead.close();
    this.resolver.close();
  }
}

test('a name in use is refreshed before its TTL ends, again and again', async (t) => {
  using bench = new Bench(t);
  await bench.resolver.resolve('a.b');
  await bench.pass(41, () => {
    bench.use('a.b');
    const { ring } = bench.resolver.find('a.b')!;
    assert.ok(ring !== null && bench.now < ring.expiresAt, `at ${bench.now}`);
  });
  assert.equal(bench.asked.length, 6, 'each 8 of 10 seconds');
});

test('a name that nobody uses any more is let go, and comes back with its use', async (t) => {
  using bench = new Bench(t, 100, { idleMs: 60_000 });
  await bench.resolver.resolve('a.b');
  await bench.pass(300);
  const asked = bench.asked.length;
  assert.ok(asked > 5 && asked < 12, `${asked} questions in five minutes`);
  assert.notEqual(bench.resolver.peek('a.b'), null, 'it serves, stale');
  await bench.pass(20);
  assert.ok(bench.asked.length > asked);
});

test('names of the configuration are looked up, and never become too stale to serve', async (t) => {
  using bench = new Bench(t, 100, { idleMs: 60_000 });
  bench.ahead.configure(new Set(['a.b', 'c.d', 'gone.b']));
  await bench.pass(1);
  assert.deepEqual(bench.asked.toSorted(), ['a.b', 'c.d', 'gone.b']);
  let least = Infinity;
  await bench.pass(10_000, () => {
    const { staleUntil } = bench.resolver.find('a.b')!;
    least = Math.min(least, staleUntil - bench.now);
  });
  assert.ok(least > 1_700_000, `${least} ms were left`);
  assert.ok(bench.asked.length < 60, `${bench.asked.length} questions in three hours`);
});

test('a name that leaves the configuration is like any other', async (t) => {
  using bench = new Bench(t, 100, { idleMs: 60_000 });
  bench.ahead.configure(new Set(['a.b']));
  await bench.pass(1);
  bench.ahead.configure(new Set());
  await bench.pass(200);
  const asked = bench.asked.length;
  await bench.pass(8000);
  assert.equal(bench.asked.length, asked);
});

test('the lookups of a start go through a narrow gate, and drive nothing out', async (t) => {
  using bench = new Bench(t, 50);
  await bench.resolver.resolve('used.b');
  const gate = Promise.withResolvers<void>();
  bench.gate = gate.promise;
  bench.ahead.configure(new Set(Array.from({ length: 80 }, (_, n) => `n${n}.b`)));
  await turn();
  assert.equal(bench.asked.length, 1 + 16);
  gate.resolve();
  for (let n = 0; n < 50; n++) await turn();
  assert.equal(bench.asked.length, 50);
  assert.notEqual(bench.resolver.find('used.b'), undefined);
});

test('failures are tried again with growing pauses, and the addresses stay', async (t) => {
  using bench = new Bench(t);
  await bench.resolver.resolve('a.b');
  bench.answer = 'timeout';
  await bench.pass(300, () => bench.use('a.b'));
  const asked = bench.asked.length;
  assert.ok(asked > 10 && asked < 40, `${asked} questions in five minutes`);
  assert.notEqual(bench.resolver.peek('a.b'), null);
  bench.answer = [{ address: '2.2.2.2', ttl: 10 }];
  await bench.pass(31, () => bench.use('a.b'));
  assert.equal(bench.resolver.peek('a.b')?.next().ip, '2.2.2.2');
});

test('a TTL of 0 has no timer, and what is not there neither', async (t) => {
  using bench = new Bench(t);
  bench.answer = [{ address: '1.1.1.1', ttl: 0 }];
  await bench.resolver.resolve('zero.b');
  bench.answer = 'name_error';
  await bench.resolver.resolve('gone.b').catch(() => undefined);
  await bench.pass(100);
  assert.equal(bench.asked.length, 2);
});

test('a name of the configuration that is not there is known when it comes, without anybody asking', async (t) => {
  for (const failure of ['name_error', 'timeout'] as const) {
    using bench = new Bench(t);
    bench.answer = failure;
    bench.ahead.configure(new Set(['late.b']));
    await bench.pass(100);
    assert.ok(
      bench.asked.length > 3 && bench.asked.length < 20,
      `${failure}: ${bench.asked.length} questions`,
    );
    bench.answer = [{ address: '1.1.1.1', ttl: 10 }];
    await bench.pass(31);
    assert.equal(bench.resolver.peek('late.b')?.next().ip, '1.1.1.1');
    t.mock.timers.reset();
  }
});

test('without refreshing ahead nothing is asked that nobody uses', async (t) => {
  using bench = new Bench(t, 100, { ahead: false });
  bench.ahead.configure(new Set(['c.d']));
  await bench.resolver.resolve('a.b');
  await bench.pass(100, () => bench.use('a.b'));
  assert.deepEqual(bench.asked, ['a.b']);
});

test('slots are given again', async (t) => {
  using bench = new Bench(t, 3);
  for (let n = 0; n < 50; n++) await bench.resolver.resolve(`n${n}.b`);
  const slots = [...bench.resolver.entries()].map(({ slot }) => slot);
  assert.deepEqual(
    slots.toSorted((one, other) => one - other),
    [1, 2, 3],
  );
});
