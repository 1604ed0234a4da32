/** Which passwords cost a slow hash: every one that is wrong, whoever it is said to be of, and no other twice. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { unknownSecretHash } from '../../lib/secret-hash.ts';
import { Passwords } from './passwords.ts';

const consumer = { id: 'c-1' };
const strong = { id: '1', consumer, password: unknownSecretHash() };
const old = { id: '2', consumer, password: createHash('sha1').update('right').update('c-1').digest('hex') };
const broken = { id: '3', consumer, password: 'right' };

/** The password `right` is that of any hash but of the one that stands for nobody's. */
function counted(): { passwords: Passwords; hashed: string[] } {
  const hashed: string[] = [];
  const passwords = new Passwords((password, text) => {
    hashed.push(text);
    return Promise.resolve(String(password) === 'right' && text.endsWith(strong.password.slice(-40)));
  });
  return { passwords, hashed };
}

const CASES = [
  ['nobody', null, 'right', false, 1],
  ['wrong, argon2id', strong, 'wrong', false, 1],
  ['wrong, SHA-1', old, 'wrong', false, 1],
  ['wrong, SHA-1 of another consumer', { ...old, consumer: { id: 'c-2' } }, 'right', false, 1],
  ['wrong, another form', broken, 'right', false, 1],
  ['right, argon2id', strong, 'right', true, 1],
  ['right, SHA-1', old, 'right', true, 0],
] as const;

test('who fails has waited for one slow hash, whatever is stored', async () => {
  for (const [what, credential, password, right, hashes] of CASES) {
    const { passwords, hashed } = counted();
    assert.equal(await passwords.verify(credential, Buffer.from(password), 'a'), right, what);
    assert.equal(hashed.length, hashes, what);
    // The same again is remembered.
    assert.equal(await passwords.verify(credential, Buffer.from(password), 'b'), right, what);
    assert.equal(hashed.length, hashes, what);
  }
});

test('one at a time of the same; another row, stored text or password is another', async () => {
  const { passwords, hashed } = counted();
  const right = Buffer.from('right');
  const all = await Promise.all([1, 2, 3].map(async () => passwords.verify(strong, right, 'a')));
  assert.deepEqual(all, [true, true, true]);
  assert.equal(hashed.length, 1);
  await passwords.verify({ ...strong, id: '9' }, right, 'a');
  assert.equal(hashed.length, 2);
  const changed = { ...strong, password: unknownSecretHash() };
  assert.equal(await passwords.verify(changed, right, 'a'), false);
  assert.equal(hashed.length, 3);
  assert.equal(passwords.verify(strong, right, 'a'), true);
});

test('a failure of ours is not remembered', async () => {
  let failing = true;
  const passwords = new Passwords(() =>
    failing ? Promise.reject(new Error('full')) : Promise.resolve(true),
  );
  await assert.rejects(Promise.resolve(passwords.verify(strong, Buffer.from('right'), 'a')), /full/);
  failing = false;
  assert.equal(await passwords.verify(strong, Buffer.from('right'), 'a'), true);
});

test('guesses do not push out who knows the password', async () => {
  const { passwords, hashed } = counted();
  const right = Buffer.from('right');
  await passwords.verify(strong, right, 'a');
  for (let n = 0; n < 11_000; n++) await passwords.verify(strong, Buffer.from(`guess ${n}`), 'b');
  const before = hashed.length;
  assert.equal(passwords.verify(strong, right, 'a'), true);
  assert.equal(hashed.length, before);
});
