/** Where JSON stops being JSON: V8's message often does not say. Only run on text that `JSON.parse` has refused. */

const SPACE = /[ \t\r\n]*/y;
const SCALAR = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null/y;
// oxlint-disable-next-line no-control-regex
const STRING = /"[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*"/y;

/** The offset of what should not be there; the text's length when something is missing. */
export function jsonFault(text: string): number {
  const reader = new Reader(text);
  if (reader.value()) reader.space();
  return reader.at;
}

/** Each method answers whether it found what it reads; where not, `at` is the fault. Nesting is the caller's to bound. */
class Reader {
  at = 0;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  value(): boolean {
    this.space();
    const char = this.#text[this.at];
    if (char === '{') return this.#list('}', () => this.#match(STRING) && this.#char(':') && this.value());
    if (char === '[') return this.#list(']', () => this.value());
    return char === '"' ? this.#match(STRING) : this.#match(SCALAR);
  }

  space(): boolean {
    return this.#match(SPACE);
  }

  #list(end: string, entry: () => boolean): boolean {
    this.at++;
    if (this.#peek(end)) return this.#char(end);
    do {
      this.space();
      if (!entry()) return false;
    } while (this.#peek(',') && this.#char(','));
    return this.#char(end);
  }

  #peek(char: string): boolean {
    this.space();
    return this.#text[this.at] === char;
  }

  #char(char: string): boolean {
    if (!this.#peek(char)) return false;
    this.at++;
    return true;
  }

  #match(pattern: RegExp): boolean {
    pattern.lastIndex = this.at;
    if (!pattern.test(this.#text)) return false;
    this.at = pattern.lastIndex;
    return true;
  }
}
