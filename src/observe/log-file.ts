/**
 * An append-only log that never makes a request wait.
 *
 * Lines are encoded into a chunk of memory; a chunk goes to the file in one asynchronous write, when it holds
 * `flushBytes` or after `flushMs`. The file is opened with O_APPEND, so that many threads and processes append whole
 * batches without tearing each other's lines. A pipe promises that only up to PIPE_BUF (4096 bytes on Linux), so what is
 * no regular file is written in slices of whole lines below it; and it is opened again as non-blocking, because a reader
 * that stalls would otherwise hold one of the four threads that file system calls share.
 *
 * Memory is bounded: while the disk stalls, chunks queue up to `maxPendingBytes`, then lines are dropped and counted,
 * and one message says how many once it is over; a log that has another to report to says it when it begins, too.
 * Nothing here throws after `open`.
 */
import { writeSync } from '../lib/node-fs.ts';
import { isRegularFile, systemIo, type LogIo } from './log-io.ts';

/** Room that one line may ask for at most; the access log's longest line fits. */
export const CHUNK_BYTES = 256 * 1024;
/** POSIX's PIPE_BUF on Linux: largest write to a pipe that is never interleaved with another's. */
const PIPE_BUF = 4096;
const RETRY_MS = 20;
/** Chunks kept for reuse. */
const SPARE_CHUNKS = 2;
const NEWLINE = 10;

export interface LogFileOptions {
  /** Absolute path, `/dev/stdout` or `/dev/stderr`. Missing folders are made. */
  readonly path: string;
  /** Bytes that start a write at once. */
  readonly flushBytes?: number;
  /** Milliseconds that a line waits at most before its write starts. */
  readonly flushMs?: number;
  /** Milliseconds that a close waits for the disk or reader. */
  readonly closeMs?: number;
  /** Bytes that may wait for the disk. */
  readonly maxPendingBytes?: number;
  /**
   * Told when lines begin to be dropped, how many were once it is over, and of a failed reopening, one sentence each.
   * Unless given, the log tells itself what it can: the last two.
   */
  readonly report?: ((message: string) => void) | undefined;
  readonly io?: LogIo;
}

interface Batch {
  readonly bytes: Buffer;
  readonly end: number;
}

/** Where a `*_log` setting points: null for `off`, else an absolute path or a device. */
export function logPath(prefix: string, value: string): string | null {
  if (value === 'off') return null;
  return value.startsWith('/') ? value : `${prefix}/${value}`;
}

export class LogFile {
  readonly path: string;
  /** The chunk being filled. Encoders write at `used` after `reserve`, then `commit`. */
  chunk: Buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  used = 0;
  /** Lines dropped since the start, for metrics. */
  dropped = 0;

  readonly #io: LogIo;
  readonly #flushBytes: number;
  readonly #flushMs: number;
  readonly #closeMs: number;
  readonly #maxQueue: number;
  readonly #report: ((message: string) => void) | undefined;
  readonly #queue: Batch[] = [];
  readonly #spare: Buffer[] = [];
  #fd: number;
  #sliced: boolean;
  #offset = 0;
  #writing = false;
  #timer: NodeJS.Timeout | undefined;
  #unreported = 0;
  #dropReason = '';
  #reopening: { readonly fd: number; readonly done: () => void } | undefined;
  #closing: (() => void) | undefined;
  #closed = false;

  /** Throws what opening the file throws: a log that cannot be written is an error of the start. */
  constructor(options: LogFileOptions) {
    this.path = options.path;
    this.#io = options.io ?? systemIo;
    this.#flushBytes = Math.min(options.flushBytes ?? 64 * 1024, CHUNK_BYTES);
    this.#flushMs = options.flushMs ?? 200;
    this.#closeMs = options.closeMs ?? 2000;
    this.#maxQueue = Math.max(1, Math.floor((options.maxPendingBytes ?? 4 * 1024 * 1024) / CHUNK_BYTES));
    this.#report = options.report;
    this.#fd = this.#io.open(this.path);
    this.#sliced = !isRegularFile(this.#fd);
  }

  /** Makes room for `bytes` (at most CHUNK_BYTES) in `chunk`; false when the line must be dropped, which is counted. */
  reserve(bytes: number): boolean {
    if (CHUNK_BYTES - this.used >= bytes && !this.#closed) return true;
    if (this.#closed || bytes > CHUNK_BYTES || this.#queue.length >= this.#maxQueue) {
      this.#drop(1, this.#closed ? 'the log is closed' : 'the disk is too slow');
      return false;
    }
    this.#enqueue();
    return true;
  }

  /** Takes what the encoder wrote from `used` up to `end`: whole lines. */
  commit(end: number): void {
    this.used = end;
    if (end >= this.#flushBytes) this.flush();
    else this.#timer ??= setTimeout(() => this.#onTimer(), this.#flushMs).unref();
  }

  /** Appends one line of text. */
  writeLine(line: string): void {
    if (!this.reserve(Math.min(line.length * 3 + 1, CHUNK_BYTES))) return;
    const end = this.used + this.chunk.write(line, this.used, CHUNK_BYTES - this.used - 1, 'utf8');
    this.chunk[end] = NEWLINE;
    this.commit(end + 1);
  }

  /** Starts writing what is there, unless a write is under way (its end starts the next). */
  flush(): void {
    if (this.#writing || this.used === 0) return;
    this.#enqueue();
  }

  /** Opens the path anew (after a rotation). Settles when all further lines go to the new file and the old is closed. */
  reopen(): Promise<void> {
    if (this.#closed || this.path.startsWith('/dev/')) return Promise.resolve();
    let fd: number;
    try {
      fd = this.#io.open(this.path);
    } catch (error) {
      this.#tell(`cannot reopen ${this.path}: ${error instanceof Error ? error.message : String(error)}`);
      return Promise.resolve();
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    const earlier = this.#reopening;
    if (earlier !== undefined) this.#io.close(earlier.fd, earlier.done);
    this.#reopening = { fd, done: resolve };
    if (!this.#writing) this.#swap();
    return promise;
  }

  /**
   * Writes what is left and closes the file. Lines that come later are dropped, and so are those that the disk or reader
   * does not take within `closeMs`: neither may keep the process from ending.
   */
  close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (this.#closed) return Promise.resolve();
    if (this.#unreported > 0) this.#reportDrops();
    this.#closed = true;
    const patience = setTimeout(resolve, this.#closeMs);
    this.#closing = () => {
      clearTimeout(patience);
      resolve();
    };
    clearTimeout(this.#timer);
    if (this.used > 0) this.#enqueue();
    else if (!this.#writing) this.#finishClose();
    return promise;
  }

  /** For a process that is about to die: writes what has not been handed to the system yet, at once. */
  flushSync(): void {
    try {
      for (const { bytes, end } of this.#queue.slice(this.#writing ? 1 : 0))
        writeSync(this.#fd, bytes, 0, end);
      if (this.used > 0) writeSync(this.#fd, this.chunk, 0, this.used);
    } catch {
      // Nobody is left to be told.
    }
    this.#queue.length = this.#writing ? 1 : 0;
    this.used = 0;
  }

  #onTimer(): void {
    this.#timer = undefined;
    this.flush();
  }

  #enqueue(): void {
    this.#queue.push({ bytes: this.chunk, end: this.used });
    this.chunk = this.#spare.pop() ?? Buffer.allocUnsafeSlow(CHUNK_BYTES);
    this.used = 0;
    if (!this.#writing) this.#pump();
  }

  #pump(): void {
    const batch = this.#queue[0];
    if (batch === undefined) {
      this.#idle();
      return;
    }
    this.#writing = true;
    const length = this.#sliced ? sliceOfLines(batch, this.#offset) : batch.end - this.#offset;
    this.#io.write(this.#fd, batch.bytes, this.#offset, length, (error, written) => {
      this.#onWritten(batch, error, written);
    });
  }

  #onWritten(batch: Batch, error: NodeJS.ErrnoException | null, written: number): void {
    if (error?.code === 'EAGAIN') {
      setTimeout(() => this.#pump(), RETRY_MS).unref();
      return;
    }
    if (error !== null) this.#drop(countLines(batch, this.#offset), error.message);
    this.#offset = error === null ? this.#offset + written : batch.end;
    if (this.#offset >= batch.end) {
      this.#queue.shift();
      this.#offset = 0;
      if (this.#spare.length < SPARE_CHUNKS) this.#spare.push(batch.bytes);
      if (error === null && this.#unreported > 0 && !this.#closed) this.#reportDrops();
      // Between two batches, so that the lines of one batch stay together.
      if (this.#reopening !== undefined) this.#swap();
    }
    this.#pump();
  }

  /** All batches are written. */
  #idle(): void {
    this.#writing = false;
    if (this.#closing !== undefined) this.#finishClose();
    else if (this.used >= this.#flushBytes) this.flush();
    else if (this.used > 0) this.#timer ??= setTimeout(() => this.#onTimer(), this.#flushMs).unref();
  }

  #swap(): void {
    const next = this.#reopening;
    if (next === undefined) return;
    this.#reopening = undefined;
    const old = this.#fd;
    this.#fd = next.fd;
    this.#sliced = !isRegularFile(next.fd);
    this.#io.close(old, next.done);
  }

  #finishClose(): void {
    this.#swap();
    const done = this.#closing;
    this.#closing = undefined;
    if (done === undefined) return;
    if (this.#fd <= 2) done();
    else this.#io.close(this.#fd, done);
  }

  #drop(lines: number, reason: string): void {
    if (this.#unreported === 0 && !this.#closed)
      this.#report?.(`log lines for ${this.path} are dropped: ${reason}`);
    this.dropped += lines;
    this.#unreported += lines;
    this.#dropReason = reason;
  }

  #reportDrops(): void {
    const message = `${this.#unreported} log lines for ${this.path} were dropped: ${this.#dropReason}`;
    this.#unreported = 0;
    this.#tell(message);
  }

  #tell(message: string): void {
    if (this.#report === undefined) this.writeLine(message);
    else this.#report(message);
  }
}

/** Bytes of the next slice: whole lines up to PIPE_BUF, or one longer line. */
function sliceOfLines(batch: Batch, offset: number): number {
  if (batch.end - offset <= PIPE_BUF) return batch.end - offset;
  const last = batch.bytes.lastIndexOf(NEWLINE, offset + PIPE_BUF - 1);
  if (last >= offset) return last + 1 - offset;
  const next = batch.bytes.indexOf(NEWLINE, offset);
  return (next === -1 || next >= batch.end ? batch.end : next + 1) - offset;
}

function countLines(batch: Batch, offset: number): number {
  let lines = 0;
  for (let i = offset; i < batch.end; i++) if (batch.bytes[i] === NEWLINE) lines++;
  return lines;
}
