/**
 * The writing side of a connection: heads, chunk framing and small chunks are put together in one scratch buffer that
 * all connections of a worker share, and leave in one write.
 *
 * The scratch has one owner at a time; whoever takes it flushes the one before. After a write on plain TCP with
 * nothing left waiting (`writableLength` 0) the kernel has copied all bytes and the scratch may be written again at
 * once. Otherwise it now belongs to the stream, and a new one takes its place. While a socket connects, and behind bytes
 * that wait already, that is never so: an exact-size copy is written there. Without it a slow reader of many small
 * events would keep a whole scratch for each.
 *
 * TLS takes a write at once, as what it makes of it are other bytes: the scratch is free again, although `writableLength`
 * falls only on a later turn. What would have to wait for that is copied, so that no chunk is ever referenced there.
 */
import type { Socket } from 'node:net';
import { putHex } from '../../lib/bytes.ts';

/** A head of the largest size, and a small body with it, fit. */
const SCRATCH_BYTES = 64 * 1024;
/** Chunks up to this size are copied behind what waits; larger ones go as they are. */
const COPY_BYTES = 8 * 1024;
/** `size CRLF` and the CRLF behind the data. */
const CHUNK_FRAME_BYTES = 20;

export class Scratch {
  buffer: Buffer = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  owner: Output | null = null;

  renew(bytes: number): void {
    this.buffer = Buffer.allocUnsafeSlow(Math.max(SCRATCH_BYTES, bytes));
  }
}

const CRLF = Buffer.from('\r\n', 'latin1');

export class Output {
  readonly #socket: Socket;
  readonly #scratch: Scratch;
  readonly #encrypted: boolean;
  /** Bytes of this output that wait in the scratch. */
  #length = 0;
  /** Socket is corked: several chunks of this flush go as one `writev`. */
  #corked = false;
  /** And what it has before them must be encrypted first. */
  #behind = false;

  constructor(socket: Socket, scratch: Scratch, encrypted: boolean) {
    this.#socket = socket;
    this.#scratch = scratch;
    this.#encrypted = encrypted;
  }

  /** The scratch with at least `bytes` free; write at `length` and say so with `advance`. */
  reserve(bytes: number): Buffer {
    const scratch = this.#scratch;
    if (scratch.owner !== this) {
      scratch.owner?.flush();
      scratch.owner = this;
      this.#length = 0;
    }
    if (this.#length + bytes > scratch.buffer.length) {
      this.#writeScratch();
      if (bytes > scratch.buffer.length) scratch.renew(bytes);
    }
    return scratch.buffer;
  }

  get length(): number {
    return this.#scratch.owner === this ? this.#length : 0;
  }

  advance(to: number): void {
    this.#length = to;
  }

  /** Bytes as they are. */
  bytes(chunk: Buffer): void {
    if (chunk.length <= COPY_BYTES) {
      const target = this.reserve(chunk.length);
      chunk.copy(target, this.#length);
      this.#length += chunk.length;
    } else {
      this.#cork();
      if (this.length > 0) this.#writeScratch();
      this.#socket.write(this.#behind ? Buffer.from(chunk) : chunk);
    }
  }

  /** Bytes as one chunk of the chunked coding (RFC 9112 §7.1). */
  chunk(data: Buffer): void {
    const copied = data.length <= COPY_BYTES;
    const target = this.reserve(CHUNK_FRAME_BYTES + (copied ? data.length : 0));
    let at = putHex(target, this.#length, data.length);
    target[at++] = 0x0d;
    target[at++] = 0x0a;
    if (!copied) {
      this.#length = at;
      this.bytes(data);
      this.bytes(CRLF);
      return;
    }
    data.copy(target, at);
    at += data.length;
    target[at++] = 0x0d;
    target[at++] = 0x0a;
    this.#length = at;
  }

  /** Hands everything to the kernel; true when chunks are still referenced because it did not take all. */
  flush(): boolean {
    if (this.length > 0) this.#writeScratch();
    if (this.#corked) {
      this.#corked = false;
      this.#socket.uncork();
    }
    return !this.#encrypted && this.#socket.writableLength > 0;
  }

  /** Forgets what waits. */
  discard(): void {
    if (this.#scratch.owner === this) this.#scratch.owner = null;
    this.#length = 0;
  }

  #cork(): void {
    if (this.#corked) return;
    this.#corked = true;
    this.#behind = this.#encrypted && this.#socket.writableLength > 0;
    this.#socket.cork();
  }

  #writeScratch(): void {
    const scratch = this.#scratch;
    const socket = this.#socket;
    const length = this.#length;
    this.#length = 0;
    if (length === 0) return;
    const bytes = scratch.buffer.subarray(0, length);
    if (this.#corked || socket.connecting || socket.writableLength > 0) {
      socket.write(Buffer.from(bytes));
      return;
    }
    socket.write(bytes);
    if (!this.#encrypted && socket.writableLength > 0) scratch.renew(0);
  }
}
