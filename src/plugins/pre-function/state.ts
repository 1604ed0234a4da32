/** What one exchange's snippets have done so far, from one phase to the next. */
/** Log lines of one exchange. */
const MOST_LINES = 100;
/** Octets of a response that a snippet wants whole. */
const MOST_BODY = 8 * 1024 * 1024;

export class SnippetState {
  /** `kong.ctx.plugin`: JSON by key. */
  readonly context = new Map<string, string>();
  #lines = 0;
  /** Pieces of the body that wait for the last one. */
  #pieces: Buffer[] = [];
  #bytes = 0;
  /** Of a character whose rest comes with the next piece. */
  partial: Buffer | null = null;
  /** The body has been set: what comes of it still is dropped. */
  replaced = false;

  /** False: it has said enough. */
  mayLog(): boolean {
    return this.#lines++ < MOST_LINES;
  }

  /** @throws RangeError */
  keep(piece: Buffer): void {
    this.#bytes += piece.length;
    if (this.#bytes > MOST_BODY) throw new RangeError(`the body is longer than ${MOST_BODY} octets`);
    this.#pieces.push(Buffer.from(piece));
  }

  takeKept(): Buffer {
    const whole = Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#bytes = 0;
    return whole;
  }
}

/** How many octets at the end are the beginning of a character (UTF-8). */
export function unfinished(bytes: Buffer): number {
  const { length } = bytes;
  for (let back = 1; back <= 3 && back <= length; back++) {
    const byte = bytes[length - back] as number;
    if (byte < 0x80) return 0;
    if (byte < 0xc0) continue;
    const whole = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return whole > back ? back : 0;
  }
  return 0;
}
