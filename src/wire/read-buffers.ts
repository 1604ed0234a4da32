/**
 * What connections read into.
 *
 * An accepted socket cannot be told what to read into: Node makes 64 KiB for each read. Left to the collector they cost
 * bulk more than the kernel does, since memory outside of the heap drives full collections; given back at once the
 * next read finds the same memory, still in the processor's cache.
 *
 * Upstream connections can be told.
 * Between requests a connection keeps one large buffer. A tunnel may be silent for hours, and there may be ten thousand
 * of them: it waits with a small buffer, and reads into a large one only while reads come that fill what is there. The
 * large ones that are free serve the next who needs one; one that somebody still refers to is left to them.
 */

const LARGE_BYTES = 64 * 1024;
/** A message of 1 KiB with its frame fits. */
const SMALL_BYTES = 1536;
const MAX_SPARE = 16;

/** Of this thread: reads are worked on one after the other. */
const spare: Buffer[] = [];

export function largeBuffer(): Buffer {
  return spare.pop() ?? Buffer.allocUnsafeSlow(LARGE_BYTES);
}

/** Nobody refers to it any more. */
function giveBack(buffer: Buffer): void {
  if (spare.length < MAX_SPARE) spare.push(buffer);
}

/** Smaller ones are cut down to what was read, and cheap to collect. */
const MIN_FREED_BYTES = 4096;

/**
 * Gives back the memory of what an accepted socket has read (`'data'`) as soon as it is used up: the caller is the last
 * one who refers to it. Memory that is shared, such as what a look has given back in parts, is left alone.
 */
export function freeRead(chunk: Buffer): void {
  const { buffer } = chunk;
  if (chunk.length < MIN_FREED_BYTES || chunk.length !== buffer.byteLength) return;
  if (buffer instanceof ArrayBuffer) buffer.transfer(0);
}

/** The buffers of one tunnel. */
export class TunnelBuffers {
  #current: Buffer;
  #small: Buffer | null = null;

  /** @param current what the connection has read into so far. */
  constructor(current: Buffer) {
    this.#current = current;
  }

  /**
   * What the next read goes into.
   * @param filled octets of the last read.
   * @param held somebody still refers to them.
   * @returns null: the same again.
   */
  next(filled: number, held: boolean): Buffer | null {
    const current = this.#current;
    const large = current.length === LARGE_BYTES;
    const wantsLarge = filled === current.length;
    if (!held && large === wantsLarge) return null;
    if (!held && large) giveBack(current);
    if (held && !large) this.#small = null;
    this.#current = wantsLarge ? largeBuffer() : (this.#small ??= Buffer.allocUnsafeSlow(SMALL_BYTES));
    return this.#current;
  }
}
