import assert from 'node:assert/strict';
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { tempDir } from '../../../test/support/temp-dir.ts';
import { VaultResolver } from './resolver.ts';

const env = {
  DB_PASSWORD: ' pw ',
  APP_TOKEN: 'tok',
  BLOB: '{"user":"ann","port":5,"deep":{"x":1},"__proto__":"own"}',
  SECRET: 'hunter2 is not json',
  SLUICE_SECRET_KEYS: 'k',
};

const ENV: ReadonlyArray<readonly [reference: string, expected: string | RegExp]> = [
  ['{vault://env/db-password}', 'pw'],
  ['{vault://env/DB_PASSWORD}', 'pw'],
  ['{vault://env/db-password?ttl=5&neg_ttl=1}', 'pw'],
  ['{vault://env/blob/user}', 'ann'],
  ['{vault://env/blob/port}', '5'],
  ['{vault://env/blob/__proto__}', 'own'],
  ['{vault://app/token}', 'tok'],
  ['{vault://env/blob/deep}', /BLOB has no text or number named 'deep'/],
  ['{vault://env/blob/toString}', /has no text or number/],
  ['{vault://env/secret/key}', /SECRET is not JSON$/],
  ['{vault://env/nope}', /the environment has no NOPE$/],
  ['{vault://env/toString}', /the environment has no TOSTRING$/],
  ['{vault://env/a/b/c}', /is not of the form/],
  ['{vault://env/}', /is not of the form/],
  ['{vault://env}', /is not of the form/],
  ['{vault://env/%zz}', /two hexadecimal digits/],
  ['{vault://env/db-password?x=1}', /unknown option/],
  ['{vault://env/db-password?ttl=soon}', /number of seconds/],
  ['{vault://env/db-password#2}', /versions/],
  ['{vault://aws/x}', /there is no vault 'aws' \(known: env, file, app\)/],
  ['{vault://env/sluice-secret-keys}', /not for references/],
  ['{vault://file/x}', /set vault_file_base/],
];

test('references to the environment, by kind and by the prefix of a configured vault', () => {
  const resolver = new VaultResolver({
    env,
    vaults: [{ prefix: 'app', name: 'env', config: { prefix: 'app-' } }],
  });
  for (const [reference, expected] of ENV) {
    if (typeof expected === 'string') assert.equal(resolver.resolve(reference), expected, reference);
    else assert.throws(() => resolver.resolve(reference), expected, reference);
  }
  assert.equal(new VaultResolver({ env, envPrefix: 'db-' }).resolve('{vault://env/password}'), 'pw');
});

test('references to files stay within their folder', async () => {
  await using folder = await tempDir();
  const base = join(folder.path, 'secrets');
  await mkdir(join(base, 'db'), { recursive: true });
  await writeFile(join(folder.path, 'outside'), 'no');
  await writeFile(join(base, 'db', 'password'), 'pw\n');
  await writeFile(join(base, 'blob.json'), '{"user":"ann"}');
  await writeFile(join(base, 'binary'), Buffer.from([0xff, 0xfe]));
  await symlink(join(base, 'db'), join(base, 'link'));
  await symlink(join(folder.path, 'outside'), join(base, 'escape'));
  const vaults = [{ prefix: 'db', name: 'file', config: { prefix: 'db' } }];
  const resolver = new VaultResolver({ env, fileBase: base, vaults });
  const cases: ReadonlyArray<readonly [string, string | RegExp]> = [
    ['{vault://file/db/password}', 'pw'],
    ['{vault://file/db/password/}', 'pw'],
    ['{vault://file/link/password}', 'pw'],
    ['{vault://db/password}', 'pw'],
    ['{vault://file/blob.json/user}', 'ann'],
    ['{vault://file/blob.json/user/}', /there is no file/],
    ['{vault://file/db}', /there is no file/],
    ['{vault://file/nope}', /there is no file nope/],
    ['{vault://file/escape}', /leads out of/],
    ['{vault://file/../outside}', /may not have/],
    ['{vault://file/%2e%2e/outside}', /may not have/],
    ['{vault://file/%2e%2e%2foutside}', /may not have/],
    ['{vault://file/a%00b}', /may not have/],
    ['{vault://file/binary}', /is not UTF-8/],
  ];
  for (const [reference, expected] of cases) {
    if (typeof expected === 'string') assert.equal(resolver.resolve(reference), expected, reference);
    else assert.throws(() => resolver.resolve(reference), expected, reference);
  }
});

test('values and failures are kept for their time, and a lost value serves on when asked to', async () => {
  await using folder = await tempDir();
  const file = join(folder.path, 'a');
  let now = 0;
  const resolver = new VaultResolver({ env, fileBase: folder.path, now: () => now });
  const plain = '{vault://file/a?ttl=10&neg_ttl=2}';
  const lasting = '{vault://file/a?ttl=10&neg_ttl=2&resurrect_ttl=100}';
  assert.throws(() => resolver.resolve(plain), /there is no file/);
  await writeFile(file, 'one');
  assert.throws(() => resolver.resolve(plain), /there is no file/);
  now = 2000;
  assert.equal(resolver.resolve(plain), 'one');
  assert.equal(resolver.resolve(lasting), 'one');
  await writeFile(file, 'two');
  assert.equal(resolver.resolve(plain), 'one');
  now = 12_000;
  assert.equal(resolver.resolve(plain), 'two');
  assert.equal(resolver.resolve(lasting), 'two');
  await rm(file);
  now = 30_000;
  assert.throws(() => resolver.resolve(plain));
  assert.equal(resolver.resolve(lasting), 'two');
  now = 200_000;
  assert.throws(() => resolver.resolve(lasting));
});
