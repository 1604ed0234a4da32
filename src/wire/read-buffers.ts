/**
 * What upstream connections read into.
 *
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
