/** Mutants of a real OCSP response and a real list: read as what they were, or refused with a reason; never an exception. */
import assert from 'node:assert/strict';
import { sign } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { readLink } from '../../src/lib/x509/chain.ts';
import * as der from '../../src/lib/x509/der.ts';
import { readOcspAnswer } from '../../src/lib/x509/ocsp-answer.ts';
import { requestFor } from '../../src/lib/x509/ocsp.ts';
import { readRevocationList, serialOf } from '../../src/lib/x509/revocation-list.ts';
import { listUrls, ocspUrls, partsOf } from '../../src/lib/x509/tbs.ts';
import { makeAuthority } from '../support/authority.ts';
import { tempDir } from '../support/temp-dir.ts';
import { startRevocation } from './support/revocation.ts';

const RUNS = 2000;

/** Numbers that look random, and are the same each time (a linear congruential generator). */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function* mutants(whole: Buffer): Generator<Buffer> {
  const next = numbers(7);
  for (let run = 0; run < RUNS; run++) {
    const copy = Buffer.from(whole);
    const kind = next(4);
    if (kind === 0) yield copy.subarray(0, next(copy.length));
    else if (kind === 1) {
      const at = next(copy.length);
      yield Buffer.concat([copy.subarray(0, at), Buffer.alloc(next(8), next(256)), copy.subarray(at)]);
    } else {
      for (let changes = 1 + next(3); changes > 0; changes--) copy[next(copy.length)] = next(256);
      yield copy;
    }
  }
}

test('mutants of responses and lists', async () => {
  await using stage = await startRevocation();
  stage.revoked = ['both-bad'];
  const issuer = readLink(await readFile(stage.root.cert));
  const issuerParts = partsOf(issuer.certificate.raw);
  const { serial, ...rest } = partsOf(
    readLink(await readFile(stage.holders['both-bad'].cert)).certificate.raw,
  );
  const [responder = '', listUrl = ''] = [ocspUrls({ serial, ...rest })[0], listUrls({ serial, ...rest })[0]];
  const body = new Uint8Array(requestFor(serial, rest.issuer, issuerParts.key));
  const response = Buffer.from(await (await fetch(responder, { method: 'POST', body })).arrayBuffer());
  const list = Buffer.from(await (await fetch(listUrl)).arrayBuffer());
  const now = Date.now();
  const answerOf = (bytes: Buffer): ReturnType<typeof readOcspAnswer> =>
    readOcspAnswer(bytes, { serial, issuer, issuerParts }, now);
  const listOf = (bytes: Buffer): ReturnType<typeof readRevocationList> =>
    readRevocationList(bytes, issuer, rest.issuer, now);
  assert.ok(typeof (await answerOf(response)) === 'object');
  assert.ok(typeof (await listOf(list)) === 'object');
  let refused = 0;
  for (const mutant of mutants(response)) {
    const answer = await answerOf(mutant);
    if (typeof answer === 'string') refused++;
    else assert.equal(answer.status, 'revoked', mutant.toString('hex'));
  }
  for (const mutant of mutants(list)) {
    const found = await listOf(mutant);
    if (typeof found === 'string') refused++;
    else assert.ok(found.revoked.has(serialOf(serial)), mutant.toString('hex'));
  }
  assert.ok(refused > RUNS, `${refused}`);
});

/** A list of so many, as its authority signs it. */
function listOf(many: number, issuerName: Buffer, key: string): Buffer {
  const algorithm = der.sequence(der.oid('1.2.840.10045.4.3.2'));
  const [from, until] = [-1, 1].map((hours) => der.time(new Date(Date.now() + hours * 3_600_000)));
  const entries = Array.from({ length: many }, (_, at) => {
    const serial = Buffer.alloc(16, 1);
    serial.writeUInt32BE(at, 12);
    return der.sequence(der.integer(serial), from ?? assert.fail());
  });
  const times = [from ?? assert.fail(), until ?? assert.fail()];
  const content = der.sequence(algorithm, issuerName, ...times, der.sequence(...entries));
  return der.sequence(content, algorithm, der.bitString(sign('sha256', content, key)));
}

test('a long list is read with room for requests in between', async (t) => {
  await using folder = await tempDir();
  const root = await makeAuthority(folder.path, 'root');
  const issuer = readLink(await readFile(root.cert));
  const name = partsOf(issuer.certificate.raw).subject;
  const list = listOf(10_000, name, await readFile(root.key, 'utf8'));
  let turn = 0;
  let timer = setImmediate(function next() {
    turn++;
    timer = setImmediate(next);
  });
  const turns = new Set<number>();
  const add = Reflect.get(Set.prototype, 'add') as (this: Set<unknown>, value: unknown) => Set<unknown>;
  t.mock.method(Set.prototype, 'add', function (this: Set<unknown>, value: unknown) {
    if (this !== turns && this.size > 1000) add.call(turns, turn);
    return add.call(this, value);
  });
  const read = await readRevocationList(list, issuer, name, Date.now());
  clearImmediate(timer);
  t.mock.restoreAll();
  if (typeof read === 'string') assert.fail(read);
  assert.equal(read.revoked.size, 10_000);
  assert.ok(turns.size >= 4, `${turns.size} turns`);
});
