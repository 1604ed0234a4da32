/** Header fields as plugins see them: names in any case, values checked before they are written. */
import type { EditHeaders } from '../../plugins/kit/exchange.ts';
import type { FoldedNames } from '../../wire/folded-names.ts';
import type { Headers } from '../../wire/message.ts';

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
// eslint-disable-next-line no-control-regex
const BAD_VALUE = /[^\t\u0020-\u007e\u0080-\u00ff]/;

export class HeaderView implements EditHeaders {
  readonly #headers: Headers;

  constructor(headers: Headers) {
    this.#headers = headers;
  }

  get(name: string): string | undefined {
    return this.#headers.get(name.toLowerCase());
  }

  all(name: string): readonly string[] {
    return this.#headers.all(name.toLowerCase());
  }

  has(name: string): boolean {
    return this.#headers.has(name.toLowerCase());
  }

  *entries(): IterableIterator<[name: string, value: string]> {
    const all: Array<[string, string]> = [];
    this.#headers.each((name, value) => all.push([name.toLowerCase(), value]));
    yield* all;
  }

  set(name: string, value: string | readonly string[]): void {
    if (typeof value === 'string') {
      check(name, value);
      this.#headers.set(name, value);
      return;
    }
    for (const one of value) check(name, one);
    this.#headers.remove(name);
    for (const one of value) this.#headers.add(name, one);
  }

  add(name: string, value: string): void {
    check(name, value);
    this.#headers.add(name, value);
  }

  remove(name: string): void {
    this.#headers.remove(name);
  }

  removeSpellings(names: FoldedNames): void {
    this.#headers.removeSpellings(names);
  }
}

/** Values are Latin-1 on the wire. @throws TypeError */
export function check(name: string, value: string): void {
  if (!TOKEN.test(name)) throw new TypeError(`'${name}' is not a header name`);
  if (typeof value !== 'string' || BAD_VALUE.test(value)) {
    throw new TypeError(`the value of header ${name} has characters that no header may have`);
  }
}
