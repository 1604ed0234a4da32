import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { once } from 'node:events';
import { after, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { CHUNK_BYTES, LogFile, logPath } from './log-file.ts';
import type { LogIo } from './log-io.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-log-'));
after(() => rmSync(folder, { recursive: true }));

let files = 0;
const freshPath = (): string => join(folder, `deep/${++files}.log`);
const read = (path: string): string => readFileSync(path, 'utf8');

type Done = (error: NodeJS.ErrnoException | null, written: number) => void;

/** A disk whose writes end when the test says so. */
class SlowDisk implements LogIo {
  readonly opened: string[] = [];
  readonly closed: number[] = [];
  readonly written = new Map<number, string>();
  readonly #waiting: { fd: number; bytes: Buffer; done: Done }[] = [];
  openError: Error | undefined;

  open(path: string): number {
    if (this.openError !== undefined) throw this.openError;
    this.opened.push(path);
    return 1000 + this.opened.length;
  }

  write(fd: number, bytes: Buffer, offset: number, length: number, done: Done): void {
    this.#waiting.push({ fd, bytes: bytes.subarray(offset, offset + length), done });
  }

  close(fd: number, done: () => void): void {
    this.closed.push(fd);
    done();
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Ends the oldest write, in full or after `bytes`. */
  succeed(bytes?: number): void {
    const next = this.#waiting.shift();
    assert.ok(next, 'no write is waiting');
    const part = next.bytes.subarray(0, bytes);
    this.written.set(next.fd, (this.written.get(next.fd) ?? '') + part.toString('latin1'));
    next.done(null, part.length);
  }

  fail(code: string): void {
    const next = this.#waiting.shift();
    assert.ok(next, 'no write is waiting');
    next.done(Object.assign(new Error(`${code}: failed`), { code }), 0);
  }
}

test('where a setting points', () => {
  assert.equal(logPath('/p', 'off'), null);
  assert.equal(logPath('/p', 'logs/a.log'), '/p/logs/a.log');
  assert.equal(logPath('/p', '/var/a.log'), '/var/a.log');
  assert.equal(logPath('/p', '/dev/stdout'), '/dev/stdout');
});

test('lines reach the file after flushMs, in order, appended', async () => {
  const path = freshPath();
  const log = new LogFile({ path, flushMs: 5 });
  for (const line of ['one', 'zwei äöü', 'three']) log.writeLine(line);
  assert.equal(read(path), '', 'nothing is written while a request runs');
  while (read(path) === '') await new Promise((resolve) => setTimeout(resolve, 2));
  assert.equal(read(path), 'one\nzwei äöü\nthree\n');
  await log.close();
  const again = new LogFile({ path });
  again.writeLine('four');
  await again.close();
  assert.equal(read(path), 'one\nzwei äöü\nthree\nfour\n');
});

test('a file that cannot be opened is an error of the start', () => {
  assert.throws(() => new LogFile({ path: folder }), /EISDIR/);
  assert.throws(() => new LogFile({ path: '/proc/nonexistent/x.log' }), /ENOENT|EACCES/);
});

test('flushBytes starts one write for the whole batch', () => {
  const disk = new SlowDisk();
  const log = new LogFile({ path: '/x', flushBytes: 20, io: disk });
  log.writeLine('123456789');
  assert.equal(disk.waiting, 0);
  log.writeLine('123456789');
  assert.equal(disk.waiting, 1);
  log.writeLine('later');
  log.flush();
  assert.equal(disk.waiting, 1, 'one write at a time');
  disk.succeed();
  assert.equal(disk.written.get(1001), '123456789\n123456789\n');
});

test('while the disk stalls lines are kept up to the bound, then dropped, counted and reported once', async () => {
  const disk = new SlowDisk();
  const log = new LogFile({ path: '/x', flushBytes: 1, maxPendingBytes: 2 * CHUNK_BYTES, io: disk });
  const line = 'x'.repeat(1023);
  const total = 2000;
  for (let i = 0; i < total; i++) log.writeLine(line);
  const dropped = log.dropped;
  assert.ok(dropped > 0 && dropped < total);
  assert.equal(disk.waiting, 1);
  const closed = log.close();
  while (disk.waiting > 0) disk.succeed();
  await closed;
  const lines = (disk.written.get(1001) ?? '').trimEnd().split('\n');
  assert.equal(lines.filter((text) => text === line).length, total - dropped);
  assert.deepEqual(
    lines.filter((text) => text !== line),
    [`${dropped} log lines for /x were dropped: the disk is too slow`],
  );
});

test('drops are reported to whom the owner says, when they begin and once it is over', () => {
  const disk = new SlowDisk();
  const reports: string[] = [];
  const log = new LogFile({
    path: '/x',
    flushBytes: 1,
    io: disk,
    report: (message) => reports.push(message),
  });
  log.writeLine('a');
  log.writeLine('b');
  disk.fail('ENOSPC');
  const begin = 'log lines for /x are dropped: ENOSPC: failed';
  assert.deepEqual(reports, [begin]);
  disk.fail('ENOSPC');
  assert.deepEqual(reports, [begin], 'not while it goes on');
  log.writeLine('c');
  disk.succeed();
  assert.deepEqual(reports, [begin, '2 log lines for /x were dropped: ENOSPC: failed']);
  assert.equal(disk.written.get(1001), 'c\n');
});

test('a write that ends early goes on where it stopped', () => {
  const disk = new SlowDisk();
  const log = new LogFile({ path: '/x', flushBytes: 1, io: disk });
  log.writeLine('abcdef');
  disk.succeed(3);
  disk.succeed();
  assert.equal(disk.written.get(1001), 'abcdef\n');
  assert.equal(log.dropped, 0);
});

test('EAGAIN of a pipe is tried again', async () => {
  const disk = new SlowDisk();
  const log = new LogFile({ path: '/x', flushBytes: 1, io: disk });
  log.writeLine('abc');
  disk.fail('EAGAIN');
  assert.equal(disk.waiting, 0);
  while (disk.waiting === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  disk.succeed();
  assert.equal(disk.written.get(1001), 'abc\n');
});

test('what is no regular file is written in slices of whole lines below PIPE_BUF', () => {
  // The stand-in's descriptors do not exist, which counts as "no regular file".
  const disk = new SlowDisk();
  const log = new LogFile({ path: '/x', io: disk });
  const lines = Array.from({ length: 30 }, (_, i) => String(i).padEnd(999, '.'));
  lines.push('y'.repeat(9999), 'end');
  for (const line of lines) log.writeLine(line);
  log.flush();
  const sizes: number[] = [];
  let before = 0;
  while (disk.waiting > 0) {
    disk.succeed();
    const all = disk.written.get(1001) ?? '';
    assert.ok(all.endsWith('\n'));
    sizes.push(all.length - before);
    before = all.length;
  }
  assert.equal(disk.written.get(1001), `${lines.join('\n')}\n`);
  assert.deepEqual(
    sizes.filter((size) => size > 4096),
    [10_000],
  );
  assert.ok(sizes.length <= 10);
});

test('reopen: after a rotation further lines go to the new file, none is lost', async () => {
  const path = freshPath();
  const log = new LogFile({ path });
  log.writeLine('before');
  log.flush();
  log.writeLine('meanwhile');
  renameSync(path, `${path}.1`);
  await log.reopen();
  log.writeLine('after');
  await log.close();
  assert.ok(existsSync(path));
  assert.deepEqual((read(`${path}.1`) + read(path)).trimEnd().split('\n'), ['before', 'meanwhile', 'after']);
  assert.match(read(`${path}.1`), /^before\n/);
  assert.match(read(path), /after\n$/);
});

test('reopen waits for the write under way, and closes every descriptor it replaced', async () => {
  const disk = new SlowDisk();
  const log = new LogFile({ path: '/x', flushBytes: 1, io: disk });
  log.writeLine('a');
  let settled = 0;
  const first = log.reopen().then(() => settled++);
  const second = log.reopen().then(() => settled++);
  log.writeLine('b');
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(settled, 1, 'the replaced reopening is over, the last one waits');
  disk.succeed();
  await Promise.all([first, second]);
  assert.deepEqual(disk.closed, [1002, 1001]);
  disk.succeed();
  assert.deepEqual(
    [...disk.written],
    [
      [1001, 'a\n'],
      [1003, 'b\n'],
    ],
  );
});

test('reopen that fails keeps the old file and says so', async () => {
  const disk = new SlowDisk();
  const reports: string[] = [];
  const log = new LogFile({
    path: '/x',
    flushBytes: 1,
    io: disk,
    report: (message) => reports.push(message),
  });
  disk.openError = new Error('EACCES: denied');
  await log.reopen();
  assert.deepEqual(reports, ['cannot reopen /x: EACCES: denied']);
  log.writeLine('a');
  disk.succeed();
  assert.equal(disk.written.get(1001), 'a\n');
});

test('after close lines are dropped without an error, and a second close is harmless', async () => {
  const path = freshPath();
  const log = new LogFile({ path });
  log.writeLine('a');
  await log.close();
  log.writeLine('b');
  await log.close();
  await log.reopen();
  assert.equal(read(path), 'a\n');
  assert.equal(log.dropped, 1);
});

test('flushSync writes what is left at once', () => {
  const path = freshPath();
  const log = new LogFile({ path });
  log.writeLine('a');
  log.flushSync();
  assert.equal(read(path), 'a\n');
});

test('a line longer than a chunk is cut, not refused', async () => {
  const path = freshPath();
  const log = new LogFile({ path });
  log.writeLine('z'.repeat(3 * CHUNK_BYTES));
  log.writeLine('next');
  await log.close();
  assert.match(read(path), /^z+\nnext\n$/);
});

const WRITER = `
import { workerData, parentPort } from 'node:worker_threads';
const { LogFile } = await import(workerData.module);
const log = new LogFile({ path: workerData.path, flushBytes: 8192 });
for (let i = 0; i < 5000; i++) {
  log.writeLine(workerData.id + ' ' + String(i) + ' ' + 'x'.repeat(i % 300) + ' end');
  if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
}
await log.close();
`;

test('threads that share a file tear no line of each other', async () => {
  const path = freshPath();
  const module = new URL('log-file.ts', import.meta.url).href;
  const url = new URL(`data:text/javascript,${encodeURIComponent(WRITER)}`);
  const workers = [0, 1, 2, 3].map((id) => new Worker(url, { workerData: { id, path, module } }));
  await Promise.all(workers.map((worker) => once(worker, 'exit')));
  const next = [0, 0, 0, 0];
  for (const line of read(path).trimEnd().split('\n')) {
    const match = /^([0-3]) (\d+) (x*) end$/.exec(line);
    assert.ok(match, line);
    const id = Number(match[1]);
    assert.equal(Number(match[2]), next[id]);
    assert.equal(match[3]?.length, (next[id] ?? 0) % 300);
    next[id] = (next[id] ?? 0) + 1;
  }
  assert.deepEqual(next, [5000, 5000, 5000, 5000]);
});

const PRINTER = `
const { LogFile } = await import(process.argv[1]);
const log = new LogFile({ path: '/dev/stdout' });
for (let i = 0; i < 3000; i++) log.writeLine('line ' + i);
await log.close();
`;

test('/dev/stdout: a pipe, and a pipe whose reader stalls', async () => {
  const module = new URL('log-file.ts', import.meta.url).href;
  const args = ['--input-type=module', '-e', PRINTER, module];
  const expected = Array.from({ length: 3000 }, (_, i) => `line ${i}\n`).join('');
  assert.equal(execFileSync(process.execPath, args, { encoding: 'utf8' }), expected);
  const slow = spawn('sh', ['-c', '"$0" "$@" | { sleep 0.3; cat; }', process.execPath, ...args]);
  let text = '';
  slow.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await once(slow, 'close');
  assert.equal(text, expected);
});

test('pipes by their paths, whose readers stall, hold none of the threads of file operations', async () => {
  const pipes = Array.from({ length: 4 }, freshPath);
  mkdirSync(dirname(pipes[0]!), { recursive: true });
  execFileSync('mkfifo', pipes);
  const readers = pipes.map((path) => openSync(path, constants.O_RDONLY | constants.O_NONBLOCK));
  const logs = pipes.map((path) => new LogFile({ path, flushBytes: 1 }));
  for (const log of logs) for (let i = 0; i < 200; i++) log.writeLine('x'.repeat(1000));
  // Until the pipes are full.
  await delay(200);
  const free = await Promise.race([stat(folder).then(() => 'free'), delay(5000, 'held')]);
  for (const reader of readers) closeSync(reader);
  await Promise.all(logs.map(async (log) => log.close()));
  assert.equal(free, 'free');
});

test('close waits for a reader that stalls, but not for ever', async () => {
  const path = freshPath();
  mkdirSync(dirname(path), { recursive: true });
  execFileSync('mkfifo', [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const log = new LogFile({ path, closeMs: 100 });
  for (let i = 0; i < 200; i++) log.writeLine('x'.repeat(1000));
  log.flush();
  await delay(100);
  await log.close();
  closeSync(reader);
});

test('a pipe that nobody reads is an error of the start', () => {
  const path = freshPath();
  mkdirSync(dirname(path), { recursive: true });
  execFileSync('mkfifo', [path]);
  assert.throws(() => new LogFile({ path }), /ENXIO/);
});
