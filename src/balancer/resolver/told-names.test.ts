import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NameState } from './name-state.ts';
import { DnsError, type ResolvedName } from './resolver.ts';
import { ToldNames } from './told-names.ts';

class Bench {
  now = 1000;
  readonly asked: string[] = [];
  readonly left: string[] = [];
  readonly uses = new Uint8Array(11);
  readonly names: ToldNames;

  constructor(size = 10, timeoutMs = 60_000) {
    this.names = new ToldNames({
      ask: (host) => this.asked.push(host),
      size,
      uses: this.uses,
      now: () => this.now,
      random: () => 0,
      timeoutMs,
    });
    this.names.leaving = (ip) => this.left.push(ip);
  }

  /** Told that a name has these addresses for a second, and may serve on for ten. */
  tell(host: string, ips: readonly string[], more: Partial<NameState> = {}): void {
    const addresses = ips.map((ip) => ({ ip, port: null, weight: 1 }));
    const { now } = this;
    const times = { expiresAt: now + 1000, peekUntil: now + 10_000, retryAt: 0 };
    this.names.hear([{ host, addresses, error: null, slot: 3, ...times, ...more }]);
  }

  tellGone(host: string, retryAt = this.now + 5000): void {
    const error = { code: 'name_error', message: 'gone' } as const;
    this.tell(host, [], { addresses: null, error, retryAt });
  }

  peek(host = 'a.b'): string {
    return ips(this.names.peek(host));
  }
}

function ips(name: ResolvedName | null): string {
  return name === null ? '-' : name.addresses.map(({ ip }) => ip).join(' ');
}

async function outcome(name: Promise<ResolvedName>): Promise<string> {
  return await name.then(ips, (error: unknown) => (error instanceof DnsError ? error.code : String(error)));
}

test('a name that was told is a hit, and notes that it is in use', () => {
  const bench = new Bench();
  bench.tell('a.b', ['1.1.1.1']);
  assert.equal(bench.uses[3], 0);
  assert.equal(bench.peek(), '1.1.1.1');
  assert.equal(bench.names.peek('a.b'), bench.names.peek('a.b'));
  assert.equal(bench.uses[3], 1);
  assert.deepEqual(bench.asked, []);
});

test('past its TTL it serves on, and the main thread is reminded once a second', () => {
  const bench = new Bench();
  bench.tell('a.b', ['1.1.1.1']);
  for (bench.now = 2000; bench.now < 5000; bench.now += 100) assert.equal(bench.peek(), '1.1.1.1');
  assert.deepEqual(bench.asked, ['a.b', 'a.b', 'a.b']);
  bench.now = 11_000;
  assert.equal(bench.peek(), '-', 'too stale');
});

test('who needs a name that is not known waits for what the main thread says', async () => {
  const bench = new Bench();
  const waiting = Array.from({ length: 5 }, () => outcome(bench.names.resolve('a.b')));
  assert.deepEqual(bench.asked, ['a.b'], 'asked once');
  bench.tell('other.b', ['9.9.9.9']);
  bench.tell('a.b', ['1.1.1.1', '1.1.1.2']);
  assert.deepEqual(new Set(await Promise.all(waiting)), new Set(['1.1.1.1 1.1.1.2']));
});

test('a failure is believed as long as it was said', async () => {
  const bench = new Bench();
  const waiting = outcome(bench.names.resolve('a.b'));
  bench.tellGone('a.b');
  assert.equal(await waiting, 'name_error');
  assert.equal(await outcome(bench.names.resolve('a.b')), 'name_error');
  assert.equal(bench.asked.length, 1);
  bench.now += 5000;
  const again = outcome(bench.names.resolve('a.b'));
  assert.equal(bench.asked.length, 2);
  bench.tell('a.b', ['1.1.1.1']);
  assert.equal(await again, '1.1.1.1');
});

test('a TTL of 0 is asked for by each request', async () => {
  const bench = new Bench();
  for (const ip of ['1.1.1.1', '2.2.2.2']) {
    const waiting = outcome(bench.names.resolve('a.b'));
    bench.tell('a.b', [ip], { expiresAt: bench.now, peekUntil: bench.now });
    assert.equal(await waiting, ip);
  }
  assert.equal(bench.asked.length, 2);
});

test('a main thread that does not answer is a time-out; closing ends the waiting', async () => {
  const late = new Bench(10, 1);
  assert.equal(await outcome(late.names.resolve('a.b')), 'timeout');
  late.tell('a.b', ['1.1.1.1']);
  assert.equal(late.peek(), '1.1.1.1', 'an answer that comes later counts');
  const bench = new Bench();
  const waiting = outcome(bench.names.resolve('a.b'));
  bench.names.close();
  assert.equal(await waiting, 'server_failure');
  assert.equal(await outcome(bench.names.resolve('c.d')), 'server_failure');
});

test('what is no name is not asked for, and an address stands for itself', async () => {
  const bench = new Bench();
  for (const host of ['', 'a b', '1.2.3', 'x'.repeat(300)]) {
    assert.equal(await outcome(bench.names.resolve(host)), 'name_error');
  }
  assert.equal(bench.peek('[::1]'), '::1');
  assert.equal(bench.peek('127.0.0.1'), '127.0.0.1');
  assert.deepEqual(bench.asked, []);
});

test('names that are kept and names that are waited for are bounded; those in use stay', async () => {
  const bench = new Bench(3);
  for (const [n, host] of ['a.b', 'b.b', 'c.b', 'd.b', 'e.b', 'f.b'].entries()) {
    bench.tell(host, [`1.1.1.${n}`]);
    assert.equal(bench.peek('a.b'), '1.1.1.0', host);
  }
  const shown = ['b.b', 'c.b', 'd.b', 'e.b', 'f.b'].filter((host) => bench.peek(host) !== '-');
  assert.equal(shown.length, 2);
  const waiting = ['v.b', 'x.b', 'y.b', 'z.b'].map((host) => outcome(bench.names.resolve(host)));
  bench.names.close();
  assert.equal(await waiting[3], 'server_failure');
  assert.deepEqual(bench.asked, ['v.b', 'x.b', 'y.b']);
});

test('an address that leaves its last name is told of', () => {
  const bench = new Bench();
  bench.tell('a.b', ['1.1.1.1', '2.2.2.2']);
  bench.tell('c.d', ['1.1.1.1']);
  bench.tell('a.b', ['3.3.3.3']);
  assert.deepEqual(bench.left, ['2.2.2.2'], 'another name has the other');
  bench.peek('3.3.3.3');
  bench.tellGone('a.b');
  assert.deepEqual(bench.left, ['2.2.2.2'], 'a configured address stays');
  bench.tellGone('c.d');
  assert.deepEqual(bench.left, ['2.2.2.2', '1.1.1.1']);
});
