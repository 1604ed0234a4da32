/** A piece of a response's body while snippets see it: as text, of whole characters. */
import { type SnippetState, unfinished } from './state.ts';

const NOTHING = Buffer.alloc(0);

export class BodyPiece {
  readonly #state: SnippetState;
  /** Octets of the text. */
  readonly #bytes: Buffer;
  readonly #last: boolean;
  #out: Buffer | null = null;
  #whole: string | null = null;

  /** What the end of the one before lacked comes with this one. */
  constructor(state: SnippetState, chunk: Buffer, last: boolean) {
    this.#state = state;
    this.#last = last;
    const bytes = state.partial === null ? chunk : Buffer.concat([state.partial, chunk]);
    const rest = last ? 0 : unfinished(bytes);
    state.partial = rest === 0 ? null : Buffer.from(bytes.subarray(bytes.length - rest));
    this.#bytes = rest === 0 ? bytes : bytes.subarray(0, bytes.length - rest);
  }

  get text(): string {
    return this.#bytes.toString();
  }

  /** The body so far is kept back until it is whole: null before. */
  whole(): string | null {
    if (this.#whole !== null) return this.#whole;
    if (this.#out !== null) return null;
    this.#state.keep(this.#bytes);
    if (!this.#last) {
      this.#out = NOTHING;
      return null;
    }
    this.#out = this.#state.takeKept();
    return (this.#whole = this.#out.toString());
  }

  /** In place of this piece. */
  set(text: string): void {
    this.#out = Buffer.from(text);
  }

  /** In place of this piece and of all that follow. */
  setAll(text: string): void {
    this.set(text);
    this.#state.replaced = true;
  }

  get result(): Buffer {
    return this.#out ?? this.#bytes;
  }
}
