/** SQLite on a disk that is full, damaged or not ours: it is said which file and why, and what can go on goes on. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { copyFile, mkdir, open, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { sluice, startGateway, type Gateway } from '../support/gateway.ts';
import { tempDir } from '../support/temp-dir.ts';

const sqlite = { database: 'sqlite' };
/** Files of the process may have 200 KiB, which is what a full disk is to whoever writes. */
const LIMITED = ['sh', '-c', `trap '' XFSZ; ulimit -S -f 400; exec "$@"`, 'sh'];

interface Answer {
  readonly status: number;
  readonly message: unknown;
}

async function create(gateway: Gateway, name: string): Promise<Answer> {
  const response = await fetch(`${gateway.adminUrl}/services`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name, host: `${'x'.repeat(200)}.test` }),
  });
  const { message } = (await response.json()) as { message?: unknown };
  return { status: response.status, message };
}

test('on a full disk writes get 503 with the reason, reads go on, and so do writes when there is room', async () => {
  await using gateway = await startGateway({ settings: sqlite, wrapper: LIMITED });
  let made = 0;
  let answer = await create(gateway, 's0');
  for (; answer.status === 201 && made < 200; made++) answer = await create(gateway, `s${made + 1}`);
  assert.equal(answer.status, 503, String(answer.message));
  assert.match(
    String(answer.message),
    /^the store is not available: .*store\.db.*: (?:disk I\/O error|.* full)/,
  );
  const list = await fetch(`${gateway.adminUrl}/services?size=1000`);
  assert.equal(((await list.json()) as { data: unknown[] }).data.length, made);
  execFileSync('prlimit', ['--pid', String(gateway.pid), '--fsize=unlimited']);
  assert.equal((await create(gateway, 'later')).status, 201);
  await gateway.stop('SIGQUIT');
  const lines = (await gateway.logFile('error.log')).split('\n').filter((line) => line.includes('[error]'));
  assert.ok(lines.length > 0 && lines.every((line) => !/ {4}at /.test(line)), lines.join('\n'));
});

async function overwrite(path: string, position: number): Promise<void> {
  await using file = await open(path, 'r+');
  await file.write(Buffer.alloc(20_000, 'x'), 0, 20_000, position);
}

type Damage = (path: string) => Promise<void>;
const DAMAGE: ReadonlyArray<readonly [name: string, damage: Damage, said: RegExp]> = [
  ['another file', (path) => writeFile(path, 'x'.repeat(10_000)), /not a database/],
  ['cut off', (path) => truncate(path, 20_000), /malformed/],
  ['overwritten in the middle', (path) => overwrite(path, 8192), /malformed/],
  ['a folder', (path) => mkdir(path), /EISDIR/],
  [
    'made by a newer version',
    async (path) => {
      using database = new DatabaseSync(path);
      database.exec('PRAGMA user_version = 7');
    },
    /version 7, made by a newer Sluice/,
  ],
];

test('a store that cannot be used keeps the gateway from starting, and is named with what is wrong', async (t) => {
  await using folder = await tempDir();
  const good = join(folder.path, 'good.db');
  {
    await using gateway = await startGateway({ settings: sqlite });
    await create(gateway, 's');
    await gateway.stop('SIGQUIT');
    await copyFile(join(gateway.prefix, 'store.db'), good);
  }
  for (const [name, damage, said] of DAMAGE) {
    await t.test(name, async () => {
      const prefix = join(folder.path, name.replaceAll(' ', '-'));
      const path = join(prefix, 'store.db');
      await mkdir(prefix);
      if (name !== 'a folder') await copyFile(good, path);
      await damage(path);
      const { code, stderr } = await sluice(['start', '-p', prefix], {
        SLUICE_DATABASE: 'sqlite',
        SLUICE_PROXY_LISTEN: 'off',
        SLUICE_ADMIN_LISTEN: 'off',
        SLUICE_STATUS_LISTEN: 'off',
      });
      assert.equal(code, 1, stderr);
      assert.ok(stderr.startsWith(`sluice: cannot use the store ${path}: `), stderr);
      assert.match(stderr, said);
    });
  }
});

test('a copy of a store without its write-ahead log is taken for a new one, with a warning', async () => {
  await using gateway = await startGateway({ settings: sqlite });
  await create(gateway, 's');
  await using folder = await tempDir();
  const prefix = join(folder.path, 'copy');
  await mkdir(prefix);
  await copyFile(join(gateway.prefix, 'store.db'), join(prefix, 'store.db'));
  await using copy = await startGateway({ settings: { ...sqlite, prefix } });
  assert.match(
    await readFile(join(prefix, 'logs', 'error.log'), 'utf8'),
    /\[warn\] .*its store\.db-wal was left behind/,
  );
  await copy.stop();
  await using again = await startGateway({ settings: { ...sqlite, prefix } });
  const log = await readFile(join(prefix, 'logs', 'error.log'), 'utf8');
  assert.equal(log.split('left behind').length, 2);
  await again.stop();
});
