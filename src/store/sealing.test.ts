import assert from 'node:assert/strict';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { tempDir } from '../../test/support/temp-dir.ts';
import { DEFINITIONS } from '../entities/registry.ts';
import { MASK, maskSecrets, secretFields } from '../entities/secrets.ts';
import type { Values } from '../entities/schema/field.ts';
import { type SealKey, loadSealKeys } from './seal-keys.ts';
import { NO_SEALING, createSealer } from './sealing.ts';
import '../../test/support/fixed-seed.ts';

const OLD = Buffer.alloc(32, 1).toString('base64');
const NEW = Buffer.alloc(32, 2).toString('hex');

function keys(...secret_keys: readonly string[]): readonly SealKey[] {
  return loadSealKeys({ secret_key_file: null, secret_keys });
}

const ID = 'a1b2c3d4-0000-4000-8000-000000000001';
const OTHER = 'a1b2c3d4-0000-4000-8000-000000000002';
const credential = { id: ID, key: 'open sesame', tags: null, consumer: { id: OTHER } };

test('which fields are secrets', () => {
  const all = DEFINITIONS.flatMap((definition) =>
    secretFields(definition).map((path) => [definition.name, ...path].join('.')),
  );
  assert.deepEqual(all.toSorted(), [
    'basicauth_credentials.password',
    'certificates.key',
    'certificates.key_alt',
    'hmacauth_credentials.secret',
    'jwt_secrets.secret',
    'keyauth_credentials.key',
    'keys.jwk',
    'keys.pem.private_key',
    'oauth2_credentials.client_secret',
    'oauth2_tokens.access_token',
    'oauth2_tokens.refresh_token',
  ]);
});

test('what is sealed opens in its own place and nowhere else', () => {
  const sealer = createSealer(keys(OLD));
  const sealed = sealer.seal('keyauth_credentials', ID, credential);
  assert.ok(!JSON.stringify(sealed).includes('sesame'));
  assert.deepEqual({ ...sealed, key: null }, { ...credential, key: null });
  assert.deepEqual(sealer.open('keyauth_credentials', ID, sealed), credential);
  const again = sealer.seal('keyauth_credentials', ID, credential);
  assert.notEqual(again['key'], sealed['key']);
  const misplaced: ReadonlyArray<() => unknown> = [
    () => sealer.open('keyauth_credentials', OTHER, sealed),
    () => sealer.open('hmacauth_credentials', ID, { secret: sealed['key'] }),
    () => sealer.open('certificates', ID, { key: sealed['key'] }),
  ];
  for (const open of misplaced) assert.throws(open, /cannot be opened: .* sealed for another place/);
  const text = String(sealed['key']);
  for (const at of [text.length - 1, 25, 40]) {
    const wrong = text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);
    assert.throws(() => sealer.open('keyauth_credentials', ID, { key: wrong }), /cannot be opened/);
  }
  assert.throws(() => sealer.open('keyauth_credentials', ID, { key: text.slice(0, 30) }), /cannot be opened/);
});

test('fields within records, and what is not set', () => {
  const sealer = createSealer(keys(OLD));
  const key = { id: ID, jwk: null, pem: { private_key: 'PRIVATE', public_key: 'PUBLIC' } };
  const sealed = sealer.seal('keys', ID, key) as { jwk: null; pem: Record<string, string> };
  assert.equal(sealed.pem['public_key'], 'PUBLIC');
  assert.match(sealed.pem['private_key'] ?? '', /^\$sluice\$1\$[0-9a-f]{8}\$/);
  assert.equal(sealed.jwk, null);
  assert.deepEqual(sealer.open('keys', ID, sealed as Values), key);
  assert.deepEqual(sealer.seal('services', ID, { name: 'x' }), { name: 'x' });
});

test('any text survives', () => {
  const sealer = createSealer(keys(OLD));
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), fc.uuid(), (key, id) => {
      const sealed = sealer.seal('keyauth_credentials', id, { key });
      assert.equal(sealer.open('keyauth_credentials', id, sealed)['key'], key);
    }),
  );
});

test('rotation: a new key first, the old one as long as something needs it', () => {
  const [before, during, after] = [keys(OLD), keys(NEW, OLD), keys(NEW)].map(createSealer) as [
    ReturnType<typeof createSealer>,
    ReturnType<typeof createSealer>,
    ReturnType<typeof createSealer>,
  ];
  const kind = 'keyauth_credentials';
  const sealed = before.seal(kind, ID, credential);
  assert.ok(before.isCurrent(kind, sealed));
  assert.ok(!during.isCurrent(kind, sealed));
  assert.ok(!before.isCurrent(kind, credential));
  const opened = during.open(kind, ID, sealed);
  assert.deepEqual(opened, credential);
  assert.throws(
    () => after.open(kind, ID, sealed),
    /sealed with the key [0-9a-f]{8}, which is not there: add/,
  );
  assert.throws(() => NO_SEALING.open(kind, ID, sealed), /key of keyauth_credentials .* secret_key_file/);
  assert.deepEqual(after.open(kind, ID, during.seal(kind, ID, opened)), credential);
  const mark = before.uniqueValue(kind, 'key', 'open sesame');
  assert.equal(mark, before.uniqueValue(kind, 'key', 'open sesame'));
  assert.notEqual(mark, before.uniqueValue('jwt_secrets', 'secret', 'open sesame'));
  assert.ok(during.uniqueValues(kind, 'key', 'open sesame').includes(mark));
  assert.ok(during.uniqueValues(kind, 'key', 'open sesame').includes('open sesame'));
  assert.notEqual(during.uniqueValue(kind, 'key', 'open sesame'), mark);
  assert.equal(before.uniqueValue('services', 'name', 'x'), 'x');
  assert.deepEqual(before.uniqueValues('services', 'name', 'x'), ['x']);
});

test('without keys everything stays as it is, and what looks sealed is refused', () => {
  assert.equal(createSealer([]), NO_SEALING);
  assert.equal(NO_SEALING.seal('keyauth_credentials', ID, credential), credential);
  assert.equal(NO_SEALING.open('keyauth_credentials', ID, credential), credential);
  const forged = createSealer(keys(OLD)).seal('keyauth_credentials', ID, credential);
  assert.throws(() => NO_SEALING.seal('keyauth_credentials', ID, forged), /must not begin with/);
});

test('masked for logs and diffs; vault references and what is not set are shown', () => {
  const certificates = DEFINITIONS.find(({ name }) => name === 'certificates');
  assert.ok(certificates !== undefined);
  const entity = { cert: 'C', key: 'K', key_alt: '{vault://env/k}', cert_alt: null };
  assert.deepEqual(maskSecrets(certificates, entity), { ...entity, key: MASK });
  assert.deepEqual(maskSecrets(certificates, { cert: 'C', key: null }), { cert: 'C', key: null });
});

test('files of keys: what is wrong is told without the key', async () => {
  await using folder = await tempDir();
  const file = join(folder.path, 'keys');
  const load = (): readonly SealKey[] => loadSealKeys({ secret_key_file: file, secret_keys: [] });
  await writeFile(file, `# rotated in May\n\n${NEW}\n${OLD}\n`, { mode: 0o640 });
  assert.deepEqual(
    load().map(({ id }) => id),
    keys(NEW, OLD).map(({ id }) => id),
  );
  await chmod(file, 0o644);
  assert.throws(load, /everybody may use .*: chmod o=/);
  await chmod(file, 0o600);
  const cases: ReadonlyArray<readonly [text: string, expected: RegExp]> = [
    ['', /has no key in it: make one with/],
    [`${NEW}\nhunter2\n`, /^secret_key_file: line 2 of .* is not 32 octets/],
    [`${NEW}\n${NEW}\n`, /is there twice/],
  ];
  for (const [text, expected] of cases) {
    await writeFile(file, text);
    assert.throws(load, (error: Error) => expected.test(error.message) && !error.message.includes('hunter2'));
  }
  assert.throws(() => keys('short'), /secret_keys: key 1 is not 32 octets/);
});
