/** One pass over JSON that `JSON.parse` has accepted, for what that does not tell: depth, repeated keys, positions. */
import type { Place } from './places.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Where it nests deeper than allowed, and how many keys it writes, repeated ones too. Works on any text, valid or not. */
export function measureJson(text: string, maxDepth: number): { tooDeepAt: number | null; keys: number } {
  let depth = 0;
  let keys = 0;
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case QUOTE:
        i = stringEnd(text, i) - 1;
        break;
      case 0x3a:
        keys++;
        break;
      case 0x7b:
      case 0x5b:
        if (++depth > maxDepth) return { tooDeepAt: i, keys };
        break;
      case 0x7d:
      case 0x5d:
        depth--;
        break;
      default:
    }
  }
  return { tooDeepAt: null, keys };
}

/** Where the string that begins at `from` has ended. */
function stringEnd(text: string, from: number): number {
  let end = from;
  do {
    end = text.indexOf('"', end + 1);
    if (end === -1) return text.length;
  } while (isEscaped(text, end));
  return end + 1;
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0;
  while (text.charCodeAt(at - 1 - backslashes) === BACKSLASH) backslashes++;
  return backslashes % 2 === 1;
}

export interface JsonDuplicate {
  readonly key: string;
  readonly offset: number;
}

/** Fills the offsets of the wanted places; with `duplicates`, collects keys that an object repeats. */
export function scanJson(text: string, root: Place | null, duplicates?: JsonDuplicate[]): void {
  new JsonScan(text, duplicates ?? null).value(0, root);
}

/** Recursion is as deep as the text, which the caller has bounded. */
class JsonScan {
  readonly #text: string;
  readonly #duplicates: JsonDuplicate[] | null;

  constructor(text: string, duplicates: JsonDuplicate[] | null) {
    this.#text = text;
    this.#duplicates = duplicates;
  }

  /** Answers the offset behind the value. */
  value(from: number, place: Place | null): number {
    const at = this.#skipSpace(from);
    switch (this.#text[at]) {
      case '{':
        return this.#object(at, place);
      case '[':
        return this.#array(at, place);
      case '"':
        return stringEnd(this.#text, at);
      default: {
        let end = at;
        while (end < this.#text.length && !',]} \t\r\n'.includes(this.#text.charAt(end))) end++;
        return end;
      }
    }
  }

  #object(from: number, place: Place | null): number {
    const seen = this.#duplicates === null ? null : new Set<string>();
    let at = this.#skipSpace(from + 1);
    while (at < this.#text.length && this.#text[at] !== '}') {
      const end = stringEnd(this.#text, at);
      const key = place !== null || seen !== null ? (JSON.parse(this.#text.slice(at, end)) as string) : '';
      if (seen?.has(key) === true) this.#duplicates?.push({ key, offset: at });
      seen?.add(key);
      const child = place?.child(key) ?? null;
      if (child !== null) child.offset = at;
      at = this.#next(this.value(this.#skipSpace(end) + 1, child));
    }
    return at + 1;
  }

  #array(from: number, place: Place | null): number {
    let at = this.#skipSpace(from + 1);
    for (let index = 0; at < this.#text.length && this.#text[at] !== ']'; index++) {
      const child = place?.child(index) ?? null;
      if (child !== null) child.offset = at;
      at = this.#next(this.value(at, child));
    }
    return at + 1;
  }

  /** Behind a comma and space. */
  #next(from: number): number {
    const at = this.#skipSpace(from);
    return this.#text[at] === ',' ? this.#skipSpace(at + 1) : at;
  }

  #skipSpace(from: number): number {
    let at = from;
    while (at < this.#text.length && ' \t\r\n'.includes(this.#text.charAt(at))) at++;
    return at;
  }
}
