/** Slow hashes: the form, and what happens when many want one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HashQueue, HashQueueFull } from './hash-queue.ts';
import { hashSecret, isSecretHash, unknownSecretHash, verifySecret, verifySecretNow } from './secret-hash.ts';

/** Of the reference implementation's own tests; the password is `password`. */
const REFERENCE = '$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4';
const CHEAP = { nonce: Buffer.alloc(16), tagLength: 32, memory: 8, passes: 1, parallelism: 1 };

test('a hash is of its secret and of no other', async () => {
  const text = await hashSecret('pässword');
  assert.match(text, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  assert.equal(await verifySecret('pässword', text), true);
  assert.equal(await verifySecret(Buffer.from('pässword'), text), true);
  assert.equal(await verifySecret('password', text), false);
  assert.equal(await verifySecret('', text), false);
  assert.equal(verifySecretNow('pässword', text), true);
  assert.equal(verifySecretNow('password', text), false);
  assert.equal(await verifySecret('x', unknownSecretHash()), false);
  assert.notEqual(await hashSecret('pässword'), text);
  assert.equal(await verifySecret('password', REFERENCE), true);
});

test('texts that are no hash, or ask for too much, are of no secret', async () => {
  for (const text of [
    '',
    'x',
    '$argon2id$',
    '$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4',
    '$argon2id$v=19$m=9999999,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4',
    '$argon2id$v=19$m=262144,t=9999,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4',
    '$argon2id$v=19$m=256,t=0,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4',
  ]) {
    assert.equal(isSecretHash(text), false, text);
    assert.equal(await verifySecret('password', text), false, text);
  }
});

test('so many may wait and no more, and of one client a quarter; what waits is answered', async () => {
  const queue = new HashQueue({ max: 8 });
  const job = { ...CHEAP, message: Buffer.from('a') };
  const full = (error: unknown): boolean => error instanceof HashQueueFull;
  const first = [queue.run(job, 'a'), queue.run(job, 'a')];
  await assert.rejects(queue.run(job, 'a'), full);
  first.push(queue.run(job, 'b'), queue.run(job, 'b'));
  await assert.rejects(queue.run(job, 'b'), full);
  for (let n = 0; n < 4; n++) first.push(queue.run({ ...job, message: Buffer.from(String(n)) }));
  await assert.rejects(queue.run(job, 'c'), full);
  const hashes = await Promise.all(first);
  assert.deepEqual(hashes[0], hashes[3]);
  assert.notDeepEqual(hashes[0], hashes[4]);
  await queue.run(job, 'a');
});

test('a job that cannot be done is told, and the next is done; the thread comes back after it has rested', async () => {
  const queue = new HashQueue({ max: 8, idleMs: 0 });
  const bad = { ...CHEAP, message: Buffer.from('a'), memory: 0 };
  const good = { ...CHEAP, message: Buffer.from('a') };
  await assert.rejects(queue.run(bad));
  const hash = await queue.run(good);
  for (let round = 0; round < 3; round++) {
    await new Promise((resolve) => void setTimeout(resolve, 20));
    assert.deepEqual(await queue.run(good), hash);
  }
});
