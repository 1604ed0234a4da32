import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { utimesSync } from 'node:fs';
import { test } from 'node:test';
import { openControlSocket } from './control-socket.ts';
import { PrefixInUse, controlSocketPath, lockPrefix, pidFilePath } from './prefix-lock.ts';

function prefix(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), 'sluice-lock-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

/** Leaves a pid file as another process would have, some time ago by default (seconds since 1970). */
function leave(path: string, text: string, at = 1): void {
  mkdirSync(join(path, 'pids'), { recursive: true });
  writeFileSync(pidFilePath(path), text);
  utimesSync(pidFilePath(path), at, at);
}

/** The pid of a process that has ended. */
async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
  await once(child, 'exit');
  return child.pid ?? 0;
}

test('the lock writes the pid, leaves nothing else behind, and goes with its release', async () => {
  using folder = prefix();
  const lock = await lockPrefix(folder.path);
  assert.equal(readFileSync(pidFilePath(folder.path), 'utf8'), `${process.pid}\n`);
  assert.deepEqual(readdirSync(join(folder.path, 'pids')), ['sluice.pid']);
  lock.release();
  assert.equal(existsSync(pidFilePath(folder.path)), false);
});

test('a release leaves the file of another process', async () => {
  using folder = prefix();
  const lock = await lockPrefix(folder.path);
  writeFileSync(pidFilePath(folder.path), '1\n');
  lock.release();
  assert.equal(readFileSync(pidFilePath(folder.path), 'utf8'), '1\n');
});

test('a gateway that answers on the control socket keeps its prefix', async () => {
  using folder = prefix();
  leave(folder.path, `${process.ppid}\n`);
  const server = await openControlSocket(controlSocketPath(folder.path), {
    'GET /health': () => ({ status: 200, body: {} }),
  });
  try {
    await assert.rejects(lockPrefix(folder.path), (error: Error) => {
      return error instanceof PrefixInUse && error.message.includes(`pid ${process.ppid}`);
    });
    assert.equal(readFileSync(pidFilePath(folder.path), 'utf8'), `${process.ppid}\n`);
  } finally {
    server.close();
  }
});

test('a gateway that listens on the control socket and is too busy to answer keeps its prefix', async () => {
  using folder = prefix();
  leave(folder.path, `${process.ppid}\n`);
  const server = await openControlSocket(controlSocketPath(folder.path), {
    'GET /health': () => new Promise(() => {}),
  });
  try {
    await assert.rejects(lockPrefix(folder.path), PrefixInUse);
    assert.equal(readFileSync(pidFilePath(folder.path), 'utf8'), `${process.ppid}\n`);
  } finally {
    server.close();
    server.closeAllConnections();
  }
});

test('stale pid files are taken over', async () => {
  const cases: ReadonlyArray<[why: string, text: string]> = [
    ['a process that has ended', `${await deadPid()}\n`],
    ['our own pid: the container was restarted', `${process.pid}\n`],
    ['a stranger that does not answer', `${process.ppid}\n`],
    ['no number', 'what\n'],
    ['empty', ''],
    ['zero, which would mean our process group', '0\n'],
    ['negative, likewise', '-1\n'],
  ];
  for (const [why, text] of cases) {
    using folder = prefix();
    leave(folder.path, text);
    const lock = await lockPrefix(folder.path);
    assert.equal(readFileSync(pidFilePath(folder.path), 'utf8'), `${process.pid}\n`, why);
    assert.deepEqual(readdirSync(join(folder.path, 'pids')), ['sluice.pid'], why);
    lock.release();
  }
});

test('a stale pid file that a clock since put right dated into the future is taken over, too', async () => {
  using folder = prefix();
  leave(folder.path, `${process.ppid}\n`, Date.now() / 1000 + 3600);
  const lock = await lockPrefix(folder.path);
  assert.equal(readFileSync(pidFilePath(folder.path), 'utf8'), `${process.pid}\n`);
  lock.release();
});
