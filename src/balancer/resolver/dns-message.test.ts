import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Answer, encode } from 'dns-packet';
import * as fc from 'fast-check';
import '../../../test/support/fixed-seed.ts';
import { dnsQuery, readReply } from './dns-message.ts';

const query = dnsQuery('a.example.test', 'A', true);

function answer(answers: Answer[]): Buffer {
  return encode({
    type: 'response',
    id: query.bytes.readUInt16BE(0),
    questions: [{ type: 'A', name: 'a.example.test' }],
    answers,
    authorities: [{ type: 'NS', name: 'test', data: 'ns.test' }],
  });
}

const RECORDS: Answer[] = [
  { type: 'A', name: 'a.example.test', ttl: 1, data: '10.0.0.1' },
  { type: 'CNAME', name: 'a.example.test', ttl: 1, data: 'b.test' },
  {
    type: 'SRV',
    name: 'a.example.test',
    ttl: 1,
    data: { target: 'b.test', port: 1, priority: 1, weight: 1 },
  },
  { type: 'TXT', name: 'a.example.test', ttl: 1, data: ['x', 'y'] },
  { type: 'NSEC', name: 'a.example.test', ttl: 1, data: { nextDomain: 'b.test', rrtypes: ['A', 'TXT'] } },
];
const GOOD = answer(RECORDS);

test('an answer as it should be', () => {
  const reply = readReply(Buffer.from(GOOD), query);
  assert.equal(reply.kind, 'answer');
  assert.deepEqual('answers' in reply && reply.answers.map(({ type }) => type), [
    'A',
    'CNAME',
    'SRV',
    'TXT',
    'NSEC',
  ]);
});

test('no bytes make it throw', () => {
  const kinds = new Set<string>();
  const change = fc.record({ at: fc.nat(GOOD.length - 1), to: fc.integer({ min: 0, max: 255 }) });
  const check = fc.property(
    fc.array(change, { minLength: 1, maxLength: 12 }),
    fc.nat(GOOD.length),
    (edits, cut) => {
      const message = Buffer.from(GOOD);
      for (const { at, to } of edits) message[at] = to;
      kinds.add(readReply(message, query).kind);
      const end = readReply(Buffer.from(GOOD.subarray(0, cut)), query);
      if (cut === GOOD.length) assert.equal(end.kind, 'answer');
    },
  );
  fc.assert(check, { numRuns: Number(process.env['DNS_RUNS'] ?? 3000) });
  assert.deepEqual([...kinds].sort(), ['answer', 'foreign', 'garbage', 'refused', 'truncated']);
  const noise = fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
    const head = Buffer.from(GOOD.subarray(0, 12 + 20));
    readReply(Buffer.concat([head, bytes]), query);
    readReply(Buffer.from(bytes), query);
  });
  fc.assert(noise, { numRuns: Number(process.env['DNS_RUNS'] ?? 3000) });
});

test('a message full of chains of pointers is read, and not for long: the work is bounded by its records', () => {
  const question = GOOD.subarray(0, 12 + 20);
  const chain = Buffer.alloc(0x3f00);
  // Each pointer to the one before; the first to the question.
  for (let i = 0; i < chain.length; i += 2) {
    const to = i === 0 ? 12 : question.length + i - 2;
    chain.writeUInt16BE(0xc000 | to, i);
  }
  const last = question.length + chain.length - 2;
  const record = Buffer.from([0xc0 | (last >> 8), last & 255, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 10, 0, 0, 1]);
  const records = Buffer.concat(Array.from({ length: 2000 }, () => record));
  const message = Buffer.concat([question, chain, records]);
  message.writeUInt16BE(2000, 6);
  message.writeUInt16BE(0, 8);
  assert.ok(['answer', 'garbage'].includes(readReply(message, query).kind));
});
