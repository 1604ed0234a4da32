/** Grants on several nodes: made on one, they hold on the other, and so does taking them back. */
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { StoreTokens } from '../../src/control/access/store-tokens.ts';
import { hashToken, mintToken } from '../../src/control/access/token.ts';
import type { Grant } from '../../src/control/access/token-store.ts';
import { logOptions, startPostgres } from '../support/postgres.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait.ts';
import { prepare } from './support/log.ts';
import { startNode } from './support/node.ts';

function grant(name: string, token: string): Grant {
  const proof = { type: 'token', sha256: hashToken(token).toString('hex') } as const;
  return { name, role: 'write', kinds: null, tags: ['a'], created: Date.now(), expires: null, proof };
}

test('a token of one node holds on all, once, until any of them revokes it', async () => {
  await using postgres = await startPostgres();
  await using folder = await tempDir();
  const options = logOptions(postgres);
  await prepare(options);
  for (const name of ['one', 'two']) await mkdir(join(folder.path, name));
  await using one = await startNode(options, join(folder.path, 'one'));
  await using two = await startNode(options, join(folder.path, 'two'));
  const [here, there] = [new StoreTokens(one.store), new StoreTokens(two.store)];
  const token = mintToken();
  const made = grant('ops', token);
  assert.equal(await here.create(made), true);
  await waitFor(async () => (await there.findToken(hashToken(token))) !== null);
  assert.deepEqual(await there.findToken(hashToken(token)), made);
  assert.equal(await there.findToken(hashToken(mintToken())), null);
  const both = await Promise.all([
    here.create(grant('x', mintToken())),
    there.create(grant('x', mintToken())),
  ]);
  assert.deepEqual(both.toSorted(), [false, true]);
  assert.equal(await there.revoke('ops'), true);
  assert.equal(await there.revoke('ops'), false);
  await waitFor(async () => (await here.findToken(hashToken(token))) === null);
  assert.deepEqual(
    (await here.list()).map(({ name }) => name),
    ['x'],
  );
});
