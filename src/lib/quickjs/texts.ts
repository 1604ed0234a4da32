/**
 * Values on their way into a sandbox and out of it: copied, never shared. Texts cross as UTF-8 that ends with a zero; short ones
 * without memory of their own being asked for.
 */
import type { Engine, Pointer } from './engine.ts';

/** What crosses. */
export type Plain = string | number | boolean | null | undefined;

/** For a text, and behind it for the name of a file. */
const SCRATCH = 16 * 1024;
const NAME = 256;
/** Most values of one call. */
const ARGUMENTS = 8;
/** Of what an error says, so much is told. */
const MESSAGE = 1000;

export class Texts {
  readonly #engine: Engine;
  readonly #context: Pointer;
  readonly #scratch: Pointer;
  readonly #argv: Pointer;
  readonly #undefined: Pointer;
  #bytes: Buffer;

  constructor(engine: Engine, context: Pointer) {
    const { functions, memory } = engine;
    this.#engine = engine;
    this.#context = context;
    this.#scratch = functions._malloc(SCRATCH + NAME);
    this.#argv = functions._malloc(ARGUMENTS * 4);
    this.#undefined = functions._QTS_GetUndefined();
    this.#bytes = Buffer.from(memory.buffer);
  }

  /** The instance's memory as it is now: it moves when it grows. */
  get #memory(): Buffer {
    if (this.#bytes.length === 0) this.#bytes = Buffer.from(this.#engine.memory.buffer);
    return this.#bytes;
  }

  /** Lends the text, without zeros of its own, to `use`. @throws RangeError without memory */
  lend<T>(text: string, use: (at: Pointer, length: number) => T): T {
    const { functions } = this.#engine;
    const { length } = text;
    if (length * 3 < SCRATCH) {
      const written = this.#write(text, this.#scratch);
      return use(this.#scratch, written);
    }
    const at = functions._malloc(length * 3 + 1);
    if (at === 0) throw new RangeError('a text is too long for the sandbox');
    try {
      return use(at, this.#write(text, at));
    } finally {
      functions._free(at);
    }
  }

  /** A short name, valid until the next one. */
  name(text: string): Pointer {
    const at = this.#scratch + SCRATCH;
    this.#write(text.slice(0, 80), at);
    return at;
  }

  #write(text: string, at: Pointer): number {
    const memory = this.#memory;
    const { length } = text;
    let index = 0;
    for (; index < length && index < 64; index++) {
      const code = text.charCodeAt(index);
      if (code >= 0x80) break;
      memory[at + index] = code;
    }
    if (index < length) index = memory.write(text, at, length * 3, 'utf8');
    memory[at + index] = 0;
    return index;
  }

  /** A value of the sandbox; 0 for undefined. */
  make(plain: Plain): Pointer {
    const { functions } = this.#engine;
    const context = this.#context;
    if (plain === undefined) return 0;
    if (typeof plain === 'string') return this.#makeText(plain);
    if (typeof plain === 'number') return functions._QTS_NewFloat64(context, plain);
    const value =
      plain === null
        ? functions._QTS_GetNull()
        : plain
          ? functions._QTS_GetTrue()
          : functions._QTS_GetFalse();
    return functions._QTS_DupValuePointer(context, value);
  }

  #makeText(text: string): Pointer {
    const { functions } = this.#engine;
    const context = this.#context;
    if (!text.includes('\0')) return this.lend(text, (at) => functions._QTS_NewString(context, at));
    // JSON's texts are literals of JavaScript, too.
    return this.lend(JSON.stringify(text), (at, length) =>
      functions._QTS_Eval(context, at, length, this.name('text'), 0, 0),
    );
  }

  /** An error of the sandbox that says this. */
  error(message: string): Pointer {
    const { functions } = this.#engine;
    const context = this.#context;
    const error = functions._QTS_NewError(context);
    const key = this.#makeText('message');
    const value = this.#makeText(message);
    functions._QTS_SetProp(context, error, key, value);
    functions._QTS_FreeValuePointer(context, key);
    functions._QTS_FreeValuePointer(context, value);
    return error;
  }

  isUndefined(value: Pointer): boolean {
    const memory = this.#memory;
    const none = this.#undefined;
    return (
      memory.readUInt32LE(value) === memory.readUInt32LE(none) &&
      memory.readUInt32LE(value + 4) === memory.readUInt32LE(none + 4)
    );
  }

  /** The value as text, up to its first zero. @throws TypeError when it is none. */
  text(value: Pointer): string {
    const { functions } = this.#engine;
    const at = functions._QTS_GetString(this.#context, value);
    if (at === 0) throw new TypeError('a value that is no text');
    const memory = this.#memory;
    let end = at;
    let bits = 0;
    for (; memory[end] !== 0; end++) bits |= memory[end] as number;
    const text = memory.toString(bits < 0x80 ? 'latin1' : 'utf8', at, end);
    functions._QTS_FreeCString(this.#context, at);
    return text;
  }

  /** What an error says, which may run code of the script. */
  message(error: Pointer): string {
    try {
      return this.text(error).slice(0, MESSAGE);
    } catch (failure) {
      if (!(failure instanceof TypeError)) throw failure;
      return 'an error that does not say what it is';
    }
  }

  /** Addresses in a row, valid until the next row. */
  row(values: readonly Pointer[]): Pointer {
    const memory = this.#memory;
    for (let index = 0; index < values.length; index++) {
      memory.writeUInt32LE(values[index] as number, this.#argv + index * 4);
    }
    return this.#argv;
  }
}
