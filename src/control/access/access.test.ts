/** Tokens, what they may do, and how guessing is slowed: the parts without sockets. */
import assert from 'node:assert/strict';
import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { tempDir } from '../../../test/support/temp-dir.ts';
import { Authenticator } from './authenticator.ts';
import { FileTokens } from './file-tokens.ts';
import type { Peer } from './peer.ts';
import { type Action, NODE, type Principal, WHOLE, changeDenial, denial } from './principal.ts';
import { FailureThrottle } from './throttle.ts';
import type { Grant } from './token-store.ts';
import { hashToken, mintToken, tokenFault } from './token.ts';

function grant(name: string, token: string, more: Partial<Grant> = {}): Grant {
  const proof = { type: 'token', sha256: hashToken(token).toString('hex') } as const;
  return { name, role: 'read', kinds: null, tags: null, created: 1, expires: null, proof, ...more };
}

test('a token tells typing errors from unknown tokens', () => {
  const token = mintToken();
  assert.match(token, /^sluice_[0-9A-Za-z]{49}$/);
  assert.notEqual(token, mintToken());
  assert.equal(tokenFault(token), null);
  const other = token.at(20) === 'x' ? 'y' : 'x';
  assert.match(tokenFault(token.slice(0, 20) + other + token.slice(21)) ?? '', /typing error/);
  assert.match(tokenFault(token.slice(0, -1)) ?? '', /not complete/);
  assert.match(tokenFault('secret') ?? '', /begins with sluice_/);
});

test('grants are kept in a file of their owner and found at once', async () => {
  await using folder = await tempDir();
  const path = join(folder.path, 'new', 'admin-tokens.json');
  const [writer, reader] = [new FileTokens(path), new FileTokens(path)];
  const token = mintToken();
  assert.equal(await reader.findToken(hashToken(token)), null);
  assert.ok(await writer.create(grant('ci', token)));
  assert.equal(await writer.create(grant('ci', mintToken())), false);
  assert.equal((await reader.findToken(hashToken(token)))?.name, 'ci');
  assert.equal(await reader.findToken(hashToken(mintToken())), null);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.ok(!(await readFile(path, 'utf8')).includes(token));
  assert.equal(await writer.revoke('nobody'), false);
  assert.ok(await writer.revoke('ci'));
  assert.equal(await reader.findToken(hashToken(token)), null);
});

test('changes from many sides at a time are all kept', async () => {
  await using folder = await tempDir();
  const path = join(folder.path, 'tokens.json');
  const names = Array.from({ length: 12 }, (_, n) => `t${n}`);
  await Promise.all(names.map((name) => new FileTokens(path).create(grant(name, mintToken()))));
  const kept = (await new FileTokens(path).list()).map(({ name }) => name);
  assert.deepEqual(kept.toSorted(), names.toSorted());
});

test('a file that others may use, or that is damaged, lets nobody in', async () => {
  await using folder = await tempDir();
  const path = join(folder.path, 'tokens.json');
  const tokens = new FileTokens(path);
  const token = mintToken();
  await tokens.create(grant('ci', token));
  const good = await readFile(path, 'utf8');
  for (const mode of [0o644, 0o640, 0o602]) {
    await chmod(path, mode);
    await assert.rejects(tokens.findToken(hashToken(token)), /chmod 600/);
  }
  await chmod(path, 0o600);
  assert.equal((await tokens.findToken(hashToken(token)))?.name, 'ci');
  const widened = good.replace('"tags": null,', '');
  for (const text of ['', '{}', good.slice(0, -10), widened, good.replace('"read"', '"root"')]) {
    await writeFile(path, text);
    await assert.rejects(tokens.findToken(hashToken(token)), /is damaged/);
  }
});

const WHO: Readonly<Record<string, Principal | null>> = {
  open: null,
  read: { name: 'r', role: 'read', kinds: null, tags: null },
  write: { name: 'w', role: 'write', kinds: null, tags: null },
  kinds: { name: 'k', role: 'write', kinds: ['services', 'routes'], tags: null },
  tags: { name: 't', role: 'write', kinds: null, tags: ['team-a'] },
  admin: { name: 'a', role: 'admin', kinds: null, tags: null },
};

const ALLOWED: ReadonlyArray<readonly [action: Action, who: string]> = [
  [{ operation: 'read', kind: 'services' }, 'open read write kinds tags admin'],
  [{ operation: 'read', kind: WHOLE }, 'open read write kinds tags admin'],
  [{ operation: 'read', kind: 'certificates', secrets: true }, 'open write tags admin'],
  [{ operation: 'read', kind: WHOLE, secrets: true }, 'open write admin'],
  [{ operation: 'write', kind: 'services' }, 'open write kinds tags admin'],
  [{ operation: 'write', kind: 'services', tags: ['team-a', 'x'] }, 'open write kinds tags admin'],
  [{ operation: 'write', kind: 'services', tags: ['x'] }, 'open write kinds admin'],
  [{ operation: 'write', kind: 'plugins', tags: ['team-a'] }, 'open write tags admin'],
  [{ operation: 'write', kind: WHOLE }, 'open write admin'],
  [{ operation: 'write', kind: NODE }, 'open admin'],
];

test('roles, kinds and tags', () => {
  for (const [action, who] of ALLOWED) {
    const allowed = Object.keys(WHO).filter((name) => denial(WHO[name] ?? null, action) === null);
    assert.deepEqual(allowed, who.split(' '), JSON.stringify(action));
  }
  const { tags = null } = WHO;
  const [ours, theirs] = [{ tags: ['team-a'] }, { tags: null }];
  assert.equal(changeDenial(tags, 'routes', null, ours), null);
  assert.equal(changeDenial(tags, 'routes', ours, null), null);
  assert.equal(changeDenial(tags, 'routes', ours, ours), null);
  assert.match(changeDenial(tags, 'routes', theirs, ours) ?? '', /only entities with the tag team-a/);
  assert.match(changeDenial(tags, 'routes', ours, theirs) ?? '', /only entities with/);
  assert.match(changeDenial(tags, 'routes', theirs, null) ?? '', /only entities with/);
});

test('failures slow their own address, or network of IPv6, and memory is bounded', () => {
  let now = 0;
  const throttle = new FailureThrottle(() => now);
  const fail = (address: string): number | null => {
    const wait = throttle.begin(address);
    throttle.end(address, 'failed');
    return wait;
  };
  const waits = Array.from({ length: 9 }, () => fail('2001:db8::1'));
  assert.deepEqual(waits.slice(0, 5), [0, 0, 0, 0, 0]);
  assert.ok(
    waits.slice(5).every((wait, n) => (wait ?? 0) > (waits[4 + n] ?? 0)),
    String(waits),
  );
  assert.ok((throttle.begin('2001:db8::ffff') ?? 1) > 0);
  assert.equal(throttle.begin('2001:db8:0:1::1'), 0);
  throttle.end('2001:db8:0:1::1', 'passed');
  for (let n = 0; n < 10; n++) throttle.end('10.0.0.1', 'failed');
  assert.ok((throttle.begin('::ffff:10.0.0.1') ?? 0) > 0);
  for (let n = 0; throttle.begin('10.0.0.1') !== null; n++) assert.ok(n < 1000);
  now += 16 * 60_000;
  assert.equal(throttle.begin('10.0.0.1'), 0);
  const together = Array.from({ length: 40 }, () => throttle.begin('10.0.0.2'));
  assert.equal(together.filter((wait) => wait === 0).length, 33, String(together));
  assert.ok(together.at(-1) !== 0);
  for (let n = 0; n < 10_000; n++) fail(`10.1.${n >> 8}.${n & 255}`);
  assert.ok(throttle.size <= 4096);
});

test('a token that was good lately does not wait for the failures of others behind its address', async () => {
  await using folder = await tempDir();
  const store = new FileTokens(join(folder.path, 'tokens.json'));
  const [good, fresh] = [mintToken(), mintToken()];
  await store.create(grant('good', good));
  await store.create(grant('fresh', fresh));
  const lines: string[] = [];
  const slept: number[] = [];
  const authenticator = new Authenticator({
    store,
    throttle: new FailureThrottle(() => 0),
    log: (_level, line) => lines.push(line),
    sleep: (milliseconds) => Promise.resolve(void slept.push(milliseconds)),
  });
  const peer: Peer = { address: '10.0.0.1', localAddress: '', subjects: [] };
  const ask = async (token: string): Promise<string> => {
    const credentials = { authorization: `Bearer ${token}`, kongAdminToken: undefined };
    return (await authenticator.authenticate(credentials, peer, true)).type;
  };
  assert.equal(await ask(good), 'known');
  const answers = [];
  for (let n = 0; n < 100; n++) answers.push(await ask(mintToken()));
  assert.ok(answers.every((answer) => answer === 'refused'));
  assert.ok(slept.length > 2 && slept.length < 20, `${slept.length} tries were held`);
  assert.ok(lines.length < 8, lines.join('\n'));
  const before = slept.length;
  assert.equal(await ask(good), 'known');
  assert.equal(slept.length, before);
  await store.revoke('good');
  assert.equal(await ask(good), 'refused');
});
