import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AddressRecord, DnsBackend, ServiceRecord } from './dns-backend.ts';
import { Lookup, type LookupOptions, type RecordType } from './lookup.ts';
import { DnsError, type DnsErrorCode } from './resolver.ts';

type Answer = readonly AddressRecord[] | readonly ServiceRecord[] | readonly string[] | DnsErrorCode;
/** `TYPE name` to what a name server says; anything else is NXDOMAIN. */
type Zone = Readonly<Record<string, Answer>>;

const a = (address: string, ttl = 60): AddressRecord => ({ address, ttl });
const srv = (name: string, port: number, priority = 0, weight = 1, ttl = 30): ServiceRecord => ({
  name,
  port,
  priority,
  weight,
  ttl,
});

const OPTIONS: LookupOptions = { order: ['LAST', 'SRV', 'A', 'CNAME'], search: [], ndots: 1, validTtl: null };

/** What was found (`ip[:port][*weight]`, ttl, type) or the error's code, and the queries in order. */
async function look(
  zone: Zone,
  name: string,
  options: Partial<LookupOptions> = {},
  last: RecordType | null = null,
): Promise<[string, string[]]> {
  const asked: string[] = [];
  const ask = async <T>(type: string, asks: string): Promise<T> => {
    asked.push(`${type} ${asks}`);
    await Promise.resolve();
    const answer = zone[`${type} ${asks}`] ?? 'name_error';
    if (typeof answer === 'string') throw new DnsError(answer, 'scripted');
    return answer as T;
  };
  const backend: DnsBackend = {
    addresses: (asks, family) => ask(family === 4 ? 'A' : 'AAAA', asks),
    services: (asks) => ask('SRV', asks),
    aliases: async (asks) => {
      const names: readonly string[] = await ask('CNAME', asks);
      return names.map((alias) => ({ name: alias, ttl: 60 }));
    },
    close: () => {},
  };
  const lookup = new Lookup(backend, { ...OPTIONS, ...options });
  try {
    const { addresses, ttl, type } = await lookup.run(name, last);
    const shown = addresses.map(
      ({ ip, port, weight }) => ip + (port === null ? '' : `:${port}`) + (weight === 1 ? '' : `*${weight}`),
    );
    return [`${shown.join(' ')} ttl ${ttl} ${type}`, asked];
  } catch (error) {
    assert.ok(error instanceof DnsError);
    return [error.code, asked];
  }
}

test('the order of types, and LAST', async () => {
  const zone: Zone = { 'SRV x.y': 'empty', 'A x.y': [a('1.1.1.1', 30), a('1.1.1.0', 20)] };
  assert.deepEqual(await look(zone, 'x.y'), ['1.1.1.0 1.1.1.1 ttl 20 A', ['SRV x.y', 'A x.y']]);
  assert.deepEqual((await look(zone, 'x.y', {}, 'A'))[1], ['A x.y']);
  assert.deepEqual(
    (await look(zone, 'x.y', { order: ['SRV', 'A'] }, 'A'))[1],
    ['SRV x.y', 'A x.y'],
    'no LAST',
  );
  assert.deepEqual((await look(zone, 'x.y', {}, 'CNAME'))[1], ['CNAME x.y', 'SRV x.y', 'A x.y']);
  assert.deepEqual((await look(zone, 'x.y', { order: ['LAST'] }))[1], ['A x.y']);
  const six: Zone = { 'AAAA x.y': [a('2001:db8::1')], 'A x.y': [a('1.1.1.1')] };
  assert.equal((await look(six, 'x.y', { order: ['AAAA', 'A'] }))[0], '2001:db8::1 ttl 60 AAAA');
  assert.equal((await look(six, 'x.y'))[0], '1.1.1.1 ttl 60 A');
});

test('search domains', async () => {
  const search = ['ns.svc', 'svc'];
  const zone: Zone = { 'A x.svc': [a('1.1.1.1')] };
  const only = { order: ['A'], search };
  assert.deepEqual((await look(zone, 'x', only))[1], ['A x.ns.svc', 'A x.svc']);
  assert.deepEqual((await look(zone, 'x.y', only))[1], ['A x.y', 'A x.y.ns.svc', 'A x.y.svc']);
  assert.deepEqual((await look(zone, 'x.y', { ...only, ndots: 2 }))[1], [
    'A x.y.ns.svc',
    'A x.y.svc',
    'A x.y',
  ]);
  assert.deepEqual((await look(zone, 'x.svc.', only))[1], ['A x.svc']);
  const long = `${'a'.repeat(60)}.`.repeat(4) + 'bcd';
  assert.deepEqual((await look(zone, long, { order: ['A'], search: ['too.long'] }))[1], [`A ${long}`]);
  // The first candidate with any type wins; an unknown name is not asked for with CNAME.
  const both: Zone = { 'A x.ns.svc': [a('1.1.1.1')], 'SRV x.svc': [srv('t', 1)], 'A t': [a('2.2.2.2')] };
  assert.deepEqual(await look(both, 'x', { search }), ['1.1.1.1 ttl 60 A', ['SRV x.ns.svc', 'A x.ns.svc']]);
  assert.deepEqual((await look({}, 'x', { search: ['s'] }))[1], ['SRV x.s', 'A x.s', 'SRV x', 'A x']);
});

const SERVICES: ReadonlyArray<readonly [records: readonly ServiceRecord[], expected: string]> = [
  [[srv('t1', 80)], '1.0.0.1:80 ttl 20 SRV'],
  [[srv('t1.', 80)], '1.0.0.1:80 ttl 20 SRV'],
  [[srv('t1', 0)], '1.0.0.1 ttl 20 SRV'],
  [[srv('t1', 80, 0, 0), srv('t2', 81, 0, 3)], '1.0.0.1:80 2.0.0.2:81*3 ttl 20 SRV'],
  [[srv('t1', 80, 2), srv('t2', 81, 1), srv('t2', 82, 1)], '2.0.0.2:81 2.0.0.2:82 ttl 30 SRV'],
  [[srv('9.9.9.9', 80)], '9.9.9.9:80 ttl 30 SRV'],
  [[srv('2001:db8::9', 80)], '2001:db8::9:80 ttl 30 SRV'],
  // Two addresses share the weight of their target.
  [[srv('t1', 80, 0, 10), srv('two', 81, 0, 10)], '1.0.0.1:80*600 3.0.0.1:81*300 3.0.0.2:81*300 ttl 20 SRV'],
  [[srv('gone', 80), srv('t1', 80)], '1.0.0.1:80 ttl 20 SRV'],
  // What could not be told now is asked for again soon.
  [[srv('broken', 80), srv('t1', 80)], '1.0.0.1:80 ttl 5 SRV'],
  [[srv('silent', 80), srv('t1', 80, 0, 1, 2)], '1.0.0.1:80 ttl 2 SRV'],
  [[srv('', 0)], 'empty'],
  [[srv('.', 0)], 'empty'],
  [[], 'empty'],
  [[srv('gone', 80)], 'name_error'],
  [[srv('down', 80)], 'server_failure'],
  [[srv('gone', 80), srv('down', 80)], 'server_failure'],
];

test('SRV records', async () => {
  for (const [records, expected] of SERVICES) {
    const zone: Zone = {
      'SRV s': records,
      'A t1': [a('1.0.0.1', 20)],
      'A t2': [a('2.0.0.2', 90)],
      'A two': [a('3.0.0.1'), a('3.0.0.2')],
      'A down': 'server_failure',
      'A broken': 'server_failure',
      'A silent': 'timeout',
    };
    assert.equal((await look(zone, 's', { order: ['SRV'] }))[0], expected, JSON.stringify(records));
  }
});

test('the targets of one answer are bounded', async () => {
  const records = Array.from({ length: 500 }, (_, i) => srv(`10.0.${i >> 8}.${i & 255}`, 80));
  const [found] = await look({ 'SRV s': records }, 's');
  assert.equal(found.match(/:80/g)?.length, 64);
});

test('aliases', async () => {
  const only = { order: ['CNAME'] };
  const chain: Zone = { 'CNAME x': ['y.'], 'A y': 'empty', 'CNAME y': ['z'], 'A z': [a('1.1.1.1', 7)] };
  assert.equal((await look(chain, 'x', only))[0], '1.1.1.1 ttl 7 CNAME');
  const [outcome, asked] = await look({ 'CNAME x': ['x'], 'A x': 'empty' }, 'x', only);
  assert.equal(outcome, 'server_failure');
  assert.equal(asked.length, 16);
  assert.equal((await look({ 'CNAME x': ['y'] }, 'x', only))[0], 'name_error');
  assert.equal((await look({ 'CNAME x': [] }, 'x', only))[0], 'empty');
});

test('TTLs', async () => {
  const zone: Zone = { 'A x': [a('1.1.1.1', 0)], 'SRV s': [srv('x', 1)] };
  assert.equal((await look(zone, 'x'))[0], '1.1.1.1 ttl 0 A');
  assert.equal((await look(zone, 's'))[0], '1.1.1.1:1 ttl 0 SRV');
  assert.equal((await look(zone, 'x', { validTtl: 99 }))[0], '1.1.1.1 ttl 99 A');
  assert.equal((await look(zone, 's', { validTtl: 99 }))[0], '1.1.1.1:1 ttl 99 SRV');
});

const FAILURES: ReadonlyArray<readonly [zone: Zone, outcome: string, queries: number]> = [
  [{}, 'name_error', 4],
  [{ 'A x.s': 'empty' }, 'empty', 5],
  [{ 'A x.s': [] }, 'empty', 5],
  // SRV and CNAME are not decisive while there are address queries.
  [{ 'SRV x.s': 'server_failure', 'SRV x': 'server_failure' }, 'name_error', 4],
  [{ 'A x.s': 'server_failure' }, 'server_failure', 5],
  [{ 'A x.s': 'server_failure', 'A x': [a('1.1.1.1')] }, '1.1.1.1 ttl 60 A', 5],
  // A firewall that swallows SRV.
  [{ 'SRV x.s': 'timeout', 'A x': [a('1.1.1.1')] }, '1.1.1.1 ttl 60 A', 3],
  // A server that is down.
  [{ 'SRV x.s': 'timeout', 'A x.s': 'timeout' }, 'timeout', 2],
  [{ 'A x.s': 'timeout', 'CNAME x.s': 'empty' }, 'timeout', 5],
];

test('what a failed lookup means', async () => {
  for (const [zone, outcome, queries] of FAILURES) {
    const [found, asked] = await look(zone, 'x', { search: ['s'] });
    assert.equal(found, outcome, JSON.stringify(zone));
    assert.equal(asked.length, queries, asked.join());
  }
});

test('the hosts file as an answer', () => {
  const backend = {} as DnsBackend;
  const ips = (order: string[], v4: string[], v6: string[]): string =>
    new Lookup(backend, { ...OPTIONS, order })
      .fromHosts({ v4, v6 })
      .addresses.map((address) => address.ip)
      .join();
  assert.equal(ips(['A'], ['1.1.1.1'], ['::1']), '1.1.1.1');
  assert.equal(ips(['A'], [], ['::1']), '::1');
  assert.equal(ips(['AAAA', 'A'], ['1.1.1.1'], ['::1']), '::1');
  assert.equal(ips(['SRV', 'AAAA'], ['1.1.1.1'], []), '1.1.1.1');
});
