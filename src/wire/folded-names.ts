/** Names that fields are looked up in. */
export interface NameSet {
  /** False: no name of that length, or that begins so (lower case), is among them. */
  mayHave(length: number, first: number): boolean;
  /** Asked in any case. */
  has(name: string): boolean;
  /** Another set that has all of these. */
  readonly within?: NameSet | undefined;
}

/**
 * Header names of which no spelling may pass: case aside, and with any other sign for `-`, since CGI and what came of it takes
 * `X_Consumer-ID` for `X-Consumer-ID`, and lighttpd also `X.Consumer~ID`. Made once and asked for each line of a request, most of which differ in length.
 */
export class FoldedNames implements NameSet {
  readonly #names: ReadonlySet<string>;
  /** By length, and by first octet. */
  readonly #lengths: Uint8Array;
  readonly #firsts = new Uint8Array(256);
  readonly within: NameSet | undefined;

  constructor(names: readonly string[], within?: NameSet) {
    this.within = within;
    this.#names = new Set(names.map(fold));
    this.#lengths = new Uint8Array(Math.max(0, ...names.map(({ length }) => length)) + 1);
    for (const name of names) {
      this.#lengths[name.length] = 1;
      this.#firsts[fold(name).charCodeAt(0)] = 1;
    }
  }

  mayHave(length: number, first: number): boolean {
    return this.#lengths[length] === 1 && this.#firsts[first] === 1;
  }

  has(name: string): boolean {
    return this.#lengths[name.length] === 1 && this.#names.has(fold(name));
  }
}

function fold(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/g, '-');
}
