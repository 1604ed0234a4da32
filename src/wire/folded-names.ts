/** Names that fields are looked up in. */
export interface NameSet {
  /** False: no name of that length is among them. */
  hasLength(length: number): boolean;
  /** Asked in any case. */
  has(name: string): boolean;
}

/**
 * Header names of which no spelling may pass: case aside, and with `_` for `-` anywhere, since CGI and what came of it takes
 * `X_Consumer-ID` for `X-Consumer-ID`. Made once and asked for each line of a request, most of which differ in length.
 */
export class FoldedNames implements NameSet {
  readonly #names: ReadonlySet<string>;
  /** By length. */
  readonly #lengths: Uint8Array;

  constructor(names: readonly string[]) {
    this.#names = new Set(names.map(fold));
    this.#lengths = new Uint8Array(Math.max(0, ...names.map(({ length }) => length)) + 1);
    for (const { length } of names) this.#lengths[length] = 1;
  }

  /** False: no name is so long. */
  hasLength(length: number): boolean {
    return this.#lengths[length] === 1;
  }

  has(name: string): boolean {
    return this.hasLength(name.length) && this.#names.has(fold(name));
  }
}

function fold(name: string): string {
  const lower = name.toLowerCase();
  return lower.includes('_') ? lower.replaceAll('_', '-') : lower;
}
