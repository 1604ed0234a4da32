/** What the main thread tells its workers of names. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NameState } from '../../src/balancer/resolver/name-state.ts';
import { NameDesk } from '../../src/control/names/name-desk.ts';
import { loadSettings } from '../../src/settings/load.ts';
import { type DnsServer, startDnsServer } from '../support/dns-server.ts';
import { waitFor } from '../support/wait.ts';

function deskOn(dns: DnsServer, settings: Readonly<Record<string, string>> = {}): NameDesk & Disposable {
  const own = { dns_resolver: dns.address, dns_hostsfile: '/dev/null', dns_order: 'A' };
  const loaded = loadSettings({ file: '/dev/null', env: {}, overrides: { ...own, ...settings } });
  const desk = new NameDesk(loaded.settings, () => undefined);
  return Object.assign(desk, { [Symbol.dispose]: () => desk.close() });
}

class Worker {
  readonly told: string[] = [];
  readonly post = ({ names }: { readonly names: readonly NameState[] }): void => {
    for (const { host, addresses, error } of names) {
      this.told.push(`${host} ${addresses?.map(({ ip }) => ip).join() ?? error?.code}`);
    }
  };
}

const ZONE = {
  'A a.test': [{ type: 'A', ip: '10.0.0.1' }],
  'A b.test': [{ type: 'A', ip: '10.0.0.2' }],
} as const;

test('who asks is answered, all others are told, and a worker that comes later is told all', async () => {
  await using dns = await startDnsServer({ ...ZONE });
  using desk = deskOn(dns);
  const [one, two, late] = [new Worker(), new Worker(), new Worker()];
  using _one = desk.admit(one.post);
  using _two = desk.admit(two.post);
  await desk.answer('a.test', one.post);
  assert.equal(one.told[0], 'a.test 10.0.0.1');
  await waitFor(() => two.told.length > 0, { what: 'the other to be told' });
  assert.deepEqual(two.told, ['a.test 10.0.0.1']);
  await Promise.all([desk.answer('b.test', one.post), desk.answer('b.test', two.post)]);
  assert.deepEqual(dns.asked, ['A a.test', 'A b.test'], 'asked once');
  using _late = desk.admit(late.post);
  assert.deepEqual(late.told, ['a.test 10.0.0.1', 'b.test 10.0.0.2']);
});

test('failures: of a name, of what is none, and when there are too many', async () => {
  await using dns = await startDnsServer({ ...ZONE, 'A slow.test': 'drop' });
  using desk = deskOn(dns, { dns_cache_size: '1' });
  const worker = new Worker();
  await desk.answer('gone.test', worker.post);
  await desk.answer('not a name', worker.post);
  const slow = desk.answer('slow.test', worker.post);
  await waitFor(() => dns.asked.includes('A slow.test'), { what: 'the slow question' });
  await desk.answer('a.test', worker.post);
  assert.deepEqual(worker.told, ['gone.test name_error', 'not a name name_error', 'a.test server_failure']);
  desk.close();
  await slow;
  assert.equal(worker.told.at(-1), 'slow.test server_failure');
});

test('a TTL of 0 is told to who asks, and to nobody else', async () => {
  await using dns = await startDnsServer({ 'A zero.test': [{ type: 'A', ip: '10.0.0.1', ttl: 0 }], ...ZONE });
  using desk = deskOn(dns);
  const [one, two] = [new Worker(), new Worker()];
  using _two = desk.admit(two.post);
  await desk.answer('zero.test', one.post);
  await desk.answer('zero.test', one.post);
  await desk.answer('a.test', one.post);
  await waitFor(() => two.told.length > 0, { what: 'the other to be told' });
  assert.deepEqual(two.told, ['a.test 10.0.0.1']);
  assert.equal(dns.asked.filter((query) => query === 'A zero.test').length, 2);
});
