/** Our DNS client against name servers that answer badly, slowly, wrongly or not at all. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode, encode } from 'dns-packet';
import { DnsClient, type DnsClientOptions } from '../../src/balancer/resolver/dns-client.ts';
import { DnsError } from '../../src/balancer/resolver/resolver.ts';
import { type DnsAnswer, type DnsServer, encodedRecord, startDnsServer } from '../support/dns-server.ts';
import { freePort } from '../support/ports.ts';
import { waitFor } from '../support/wait.ts';

function clientOf(ports: readonly number[], options: Partial<DnsClientOptions> = {}): DnsClient & Disposable {
  const client = new DnsClient({
    servers: ports.map((port) => ({ address: '127.0.0.1', port })),
    timeout: 300,
    attempts: 1,
    rotate: false,
    now: () => 0,
    ...options,
  });
  return Object.assign(client, { [Symbol.dispose]: () => client.close() });
}

async function outcome(question: Promise<unknown>): Promise<unknown> {
  try {
    return await question;
  } catch (error) {
    assert.ok(error instanceof DnsError, String(error));
    return error.ttl === null ? error.code : `${error.code} ${error.ttl}`;
  }
}

const A = [{ type: 'A', ip: '10.0.0.1', ttl: 9 }] as const;
const FOUND = [{ address: '10.0.0.1', ttl: 9 }];

/** The right answer, changed by the test. */
function answerTo(query: Buffer, change: (message: Buffer) => void = () => undefined): Buffer {
  const { questions = [] } = decode(query);
  const message = encode({
    type: 'response',
    id: query.readUInt16BE(0),
    flags: 0x0180,
    questions,
    answers: A.map((record) => encodedRecord(record, questions[0]!.name)),
  });
  change(message);
  return message;
}

const raw = (make: (query: Buffer, tcp: boolean) => Buffer[]): DnsAnswer => ({ raw: make });
const wrong = (change: (message: Buffer) => void): DnsAnswer =>
  raw((query) => [answerTo(query, change), answerTo(query)]);

const loop = encode({ type: 'query', questions: [{ type: 'A', name: 'x' }] });
/** The name of the first answer points at itself. */
const pointer = (query: Buffer): Buffer => {
  const message = answerTo(query);
  const at = 12 + (query.indexOf(0, 12) - 12) + 5;
  message.writeUInt16BE(0xc000 | at, at);
  return message;
};
const many = (count: number): DnsAnswer => ({
  truncate: Array.from({ length: count }, (_, i) => ({ type: 'A', ip: `10.1.${i >> 8}.${i & 255}` })),
});

/** The question, NOERROR, no records; neither authoritative nor recursive. */
function referral(query: Buffer): Buffer {
  const message = Buffer.from(query);
  message.writeUInt16BE(0x8100, 2);
  return message;
}

const CASES: ReadonlyArray<readonly [what: string, answer: DnsAnswer, expected: unknown]> = [
  ['an answer', A, FOUND],
  ['another id first', wrong((message) => message.writeUInt16BE(message.readUInt16BE(0) ^ 1, 0)), FOUND],
  ['another question first', wrong((message) => message.write('z', 13)), FOUND],
  ['a query instead of an answer first', wrong((message) => message.writeUInt16BE(0x0100, 2)), FOUND],
  ['the question in other letters', raw((query) => [answerTo(query, (m) => m.write('A', 13))]), FOUND],
  ['bytes that are no message first', raw((query) => [Buffer.from('xx'), answerTo(query)]), FOUND],
  ['nothing', 'drop', 'timeout'],
  ['nothing but foreign messages', raw(() => Array.from({ length: 70 }, () => loop)), 'server_failure'],
  ['a head without what it announces', raw((query) => [answerTo(query).subarray(0, -6)]), 'server_failure'],
  [
    'more records than there are',
    raw((q) => [answerTo(q, (m) => m.writeUInt16BE(65_535, 6))]),
    'server_failure',
  ],
  ['a name that points at itself', raw((query) => [pointer(query)]), 'server_failure'],
  ['an option behind it that is none', raw((q) => [answerTo(q, (m) => m.writeUInt16BE(9, 10))]), FOUND],
  ['SERVFAIL', 'servfail', 'server_failure'],
  ['REFUSED', 'refused', 'server_failure'],
  ['FORMERR to EDNS0', { withoutEdns: A }, FOUND],
  ['no such name', { nothing: 'no name', soa: 17 }, 'name_error 17'],
  ['no such records', { nothing: 'no records', soa: 3 }, 'empty 3'],
  ['no records and no SOA', [], 'empty'],
  ['a referral: nothing is known here, nor looked up', raw((query) => [referral(query)]), 'server_failure'],
  ['truncated over TCP, too', raw((q) => [answerTo(q, (m) => m.writeUInt16BE(0x8380, 2))]), 'server_failure'],
  ['another name than was asked for', [{ type: 'A', ip: '10.0.0.1', name: 'other.test' }], 'empty'],
  ['an address of the other family', [{ type: 'AAAA', ip: '::1' }], 'empty'],
  [
    'an alias',
    [
      { type: 'CNAME', target: 'b.test', ttl: 5 },
      { ...A[0], name: 'B.test' },
    ],
    [{ ...FOUND[0], ttl: 5 }],
  ],
  ['an alias of itself', [{ type: 'CNAME', target: 'a.test' }], 'server_failure'],
  ['an alias that is no host name', [{ type: 'CNAME', target: 'a b' }], 'name_error'],
  ['an alias of what the server does not know', [{ type: 'CNAME', target: 'gone.test' }], 'name_error'],
  [
    'an alias that has to be asked for',
    [{ type: 'CNAME', target: 'end.test', ttl: 3 }],
    [{ ...FOUND[0], ttl: 3 }],
  ],
  ['a TTL with its first bit set', [{ ...A[0], ttl: 2 ** 31 + 5 }], [{ ...FOUND[0], ttl: 0 }]],
  ['a TTL of years', [{ ...A[0], ttl: 2 ** 31 - 1 }], [{ ...FOUND[0], ttl: 604_800 }]],
  ['loopback', [{ type: 'A', ip: '127.0.0.1', ttl: 9 }], [{ address: '127.0.0.1', ttl: 9 }]],
];

for (const [what, answer, expected] of CASES) {
  test(`what an answer comes to: ${what}`, async () => {
    await using server = await startDnsServer({ 'A a.test': answer, 'A end.test': A });
    using client = clientOf([server.port]);
    assert.deepEqual(await outcome(client.addresses('a.test', 4)), expected);
  });
}

for (const [count, kept] of [
  [200, 200],
  [2000, 1024],
] as const) {
  test(`${count} addresses over TCP`, async () => {
    await using server = await startDnsServer({ 'A a.test': many(count) });
    using client = clientOf([server.port]);
    assert.equal((await client.addresses('a.test', 4)).length, kept);
    assert.deepEqual(server.asked, ['A a.test', 'A a.test tcp']);
  });
}

test('SRV and CNAME records tell their own TTLs', async () => {
  await using server = await startDnsServer({
    'SRV s.test': [
      { type: 'CNAME', target: 't.test', ttl: 70 },
      { type: 'SRV', name: 't.test', target: 'h.test', port: 80, priority: 1, weight: 2, ttl: 90 },
      { type: 'SRV', name: 't.test', target: '', port: 0, ttl: 20 },
    ],
    'CNAME c.test': [{ type: 'CNAME', target: 'd.test', ttl: 11 }],
  });
  using client = clientOf([server.port]);
  assert.deepEqual(await client.services('s.test'), [
    { name: 'h.test', port: 80, priority: 1, weight: 2, ttl: 70 },
    { name: '', port: 0, priority: 0, weight: 1, ttl: 20 },
  ]);
  assert.deepEqual(await client.aliases('c.test'), [{ name: 'd.test', ttl: 11 }]);
});

const askedFor = (server: DnsServer): string => server.asked.map((query) => query.split(' ')[1]).join(' ');

test('a server that fails is passed over, and asked last for a while', async () => {
  await using bad = await startDnsServer({ 'A a.test': 'servfail', 'A b.test': A, 'A c.test': A });
  await using good = await startDnsServer({ 'A a.test': A, 'A b.test': A, 'A c.test': A });
  const refusing = await freePort();
  let now = 0;
  using client = clientOf([refusing, bad.port, good.port], { now: () => now });
  for (const name of ['a.test', 'b.test']) assert.deepEqual(await client.addresses(name, 4), FOUND);
  assert.equal(askedFor(bad), 'a.test');
  assert.equal(askedFor(good), 'a.test b.test');
  now = 31_000;
  await client.addresses('c.test', 4);
  assert.equal(askedFor(bad), 'a.test c.test', 'it has been forgiven');
});

test('what no server knows is a failure of the last, after as many tries as there may be', async () => {
  await using one = await startDnsServer({ 'A a.test': 'servfail' });
  await using two = await startDnsServer({ 'A a.test': 'refused' });
  using client = clientOf([one.port, two.port], { attempts: 3 });
  assert.equal(await outcome(client.addresses('a.test', 4)), 'server_failure');
  assert.deepEqual([one.asked.length, two.asked.length], [3, 3]);
});

test('with rotation each server in turn is asked first', async () => {
  const zone = { 'A a.test': A };
  await using one = await startDnsServer(zone);
  await using two = await startDnsServer(zone);
  using client = clientOf([one.port, two.port], { rotate: true });
  for (let n = 0; n < 10; n++) await client.addresses('a.test', 4);
  assert.deepEqual([one.asked.length, two.asked.length], [5, 5]);
});

test('ids and ports are another one for each question', async () => {
  const ids = new Set<number>();
  const answer = raw((query) => {
    ids.add(query.readUInt16BE(0));
    return [answerTo(query)];
  });
  await using server = await startDnsServer({ 'A a.test': answer });
  using client = clientOf([server.port]);
  await Promise.all(Array.from({ length: 64 }, () => client.addresses('a.test', 4)));
  assert.ok(ids.size > 32, `${ids.size} ids of 64`);
});

test('questions under way are bounded; the others wait their turn', async () => {
  await using server = await startDnsServer({ 'A a.test': 'drop' });
  using client = clientOf([server.port], { timeout: 10_000 });
  const all = Promise.all(Array.from({ length: 300 }, () => outcome(client.addresses('a.test', 4))));
  await waitFor(() => server.asked.length >= 128, { what: 'as many questions as may be' });
  assert.equal(server.asked.length, 128);
  client.close();
  assert.deepEqual(new Set(await all), new Set(['server_failure']));
  assert.equal(await outcome(client.addresses('a.test', 4)), 'server_failure');
});
