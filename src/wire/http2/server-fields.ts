/**
 * Header fields of a request that came over HTTP/2: a flat list of strings, names in lower case as the protocol has
 * them. What the gateway adds may be written as HTTP/1.1 writes it (`X-Real-IP`), and is found all the same.
 *
 * `node:http2` has decoded the strings already, so there are no bytes to keep offsets into (compare `http1/field-lines.ts`);
 * a look-up runs over some twenty short strings and mostly compares lengths.
 */
import type { NameSet } from '../folded-names.ts';
import type { Headers } from '../message.ts';

export class Http2Fields implements Headers {
  /** Name, value, name, value: everything that came, pseudo-headers included. */
  readonly #received: readonly string[];
  /** What is left and what was added. */
  readonly #fields: string[];

  constructor(received: readonly string[], fields: string[]) {
    this.#received = received;
    this.#fields = fields;
  }

  get(name: string): string | undefined {
    const at = this.#find(name, 0);
    return at < 0 ? undefined : this.#fields[at + 1];
  }

  all(name: string): string[] {
    const values: string[] = [];
    for (let at = this.#find(name, 0); at >= 0; at = this.#find(name, at + 2))
      values.push(this.#fields[at + 1] ?? '');
    return values;
  }

  /** Cookies are one field in pieces (RFC 9113 §8.2.3), all others are as they came. */
  received(name: string): string[] {
    if (name === 'cookie') return this.all(name);
    const values: string[] = [];
    for (let at = 0; at < this.#received.length; at += 2)
      if (this.#received[at] === name) values.push(this.#received[at + 1] ?? '');
    return values;
  }

  has(name: string): boolean {
    return this.#find(name, 0) >= 0;
  }

  repeats(name: string): boolean {
    const first = this.#find(name, 0);
    return first >= 0 && this.#find(name, first + 2) >= 0;
  }

  each(visit: (name: string, value: string) => void): void {
    const fields = this.#fields;
    for (let at = 0; at < fields.length; at += 2) visit(fields[at] ?? '', fields[at + 1] ?? '');
  }

  /** The first line of that name becomes this one, others go. */
  set(name: string, value: string): void {
    const lower = name.toLowerCase();
    const first = this.#find(lower, 0);
    if (first < 0) {
      this.#fields.push(name, value);
      return;
    }
    this.#fields[first] = name;
    this.#fields[first + 1] = value;
    this.#removeFrom(lower, first + 2);
  }

  add(name: string, value: string): void {
    this.#fields.push(name, value);
  }

  remove(name: string): void {
    this.#removeFrom(name.toLowerCase(), 0);
  }

  removeSpellings(names: NameSet): void {
    this.#drop(0, (name) => names.has(name));
  }

  #removeFrom(lower: string, from: number): void {
    const at = this.#find(lower, from);
    if (at >= 0) this.#drop(at, (name) => same(name, lower));
  }

  /** One pass: a client may have sent hundreds of them. */
  #drop(from: number, gone: (name: string) => boolean): void {
    const fields = this.#fields;
    let to = from;
    for (let at = from; at < fields.length; at += 2) {
      if (gone(fields[at] ?? '')) continue;
      fields[to] = fields[at] ?? '';
      fields[to + 1] = fields[at + 1] ?? '';
      to += 2;
    }
    fields.length = to;
  }

  /** Index of the first line from `from` on with that lower-case name, or -1. */
  #find(name: string, from: number): number {
    const fields = this.#fields;
    for (let at = from; at < fields.length; at += 2) if (same(fields[at] ?? '', name)) return at;
    return -1;
  }
}

/** Only what the gateway added has capitals, and few names are of one length. */
function same(field: string, lower: string): boolean {
  if (field.length !== lower.length) return false;
  return field === lower || field.toLowerCase() === lower;
}
