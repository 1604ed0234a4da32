/** Mutants of a real OCSP response and a real list: read as what they were, or refused with a reason; never an exception. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { readLink } from '../../src/lib/x509/chain.ts';
import { readOcspAnswer } from '../../src/lib/x509/ocsp-answer.ts';
import { requestFor } from '../../src/lib/x509/ocsp.ts';
import { readRevocationList, serialOf } from '../../src/lib/x509/revocation-list.ts';
import { listUrls, ocspUrls, partsOf } from '../../src/lib/x509/tbs.ts';
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
