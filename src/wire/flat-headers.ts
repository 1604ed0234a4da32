/** Header fields as a flat list of strings: for messages that the gateway makes itself, and for HTTP/2. */
import type { NameSet } from './folded-names.ts';
import type { Headers } from './message.ts';

const NONE: readonly string[] = [];

export class FlatHeaders implements Headers {
  /** Name, value, name, value. */
  #fields: string[];

  constructor(fields: readonly string[] = []) {
    this.#fields = [...fields];
  }

  /** Without a copy: the list is the view's from now on. */
  static of(fields: string[]): FlatHeaders {
    const headers = new FlatHeaders(NONE);
    headers.#fields = fields;
    return headers;
  }

  get(name: string): string | undefined {
    const at = this.#find(name);
    return at < 0 ? undefined : this.#fields[at + 1];
  }

  all(name: string): string[] {
    const values: string[] = [];
    this.each((field, value) => {
      if (field.toLowerCase() === name) values.push(value);
    });
    return values;
  }

  /** What was taken out is not kept. */
  received(name: string): string[] {
    return this.all(name);
  }

  has(name: string): boolean {
    return this.#find(name) >= 0;
  }

  repeats(name: string): boolean {
    return this.all(name).length > 1;
  }

  each(visit: (name: string, value: string) => void): void {
    for (let i = 0; i < this.#fields.length; i += 2) visit(this.#fields[i] ?? '', this.#fields[i + 1] ?? '');
  }

  set(name: string, value: string): void {
    this.remove(name);
    this.#fields.push(name, value);
  }

  add(name: string, value: string): void {
    this.#fields.push(name, value);
  }

  remove(name: string): void {
    const lower = name.toLowerCase();
    for (let at = this.#find(lower); at >= 0; at = this.#find(lower)) this.#fields.splice(at, 2);
  }

  removeSpellings(names: NameSet): void {
    const fields = this.#fields;
    for (let at = fields.length - 2; at >= 0; at -= 2) {
      if (names.has(fields[at] as string)) fields.splice(at, 2);
    }
  }

  #find(name: string): number {
    const fields = this.#fields;
    for (let i = 0; i < fields.length; i += 2) {
      const field = fields[i] as string;
      // Few names are of one length, and most of them in lower case already.
      if (field.length === name.length && (field === name || field.toLowerCase() === name)) return i;
    }
    return -1;
  }
}
