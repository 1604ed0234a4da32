/** What the directory's rows take, by kind. */
import type { RowKind } from './row-kind.ts';

/** Rows and their octets. */
export interface KindSize {
  rows: number;
  bytes: number;
}

export interface DirectorySize {
  readonly rows: number;
  /** Octets of all shared memory. */
  readonly bytes: number;
  /** Octets of the index. */
  readonly index_bytes: number;
  readonly kinds: Readonly<Record<string, Readonly<KindSize>>>;
}

export class Sizes {
  readonly #kinds: ReadonlyMap<RowKind, KindSize>;
  #rows = 0;

  constructor(kinds: Iterable<RowKind>) {
    this.#kinds = new Map([...kinds].map((kind) => [kind, { rows: 0, bytes: 0 }]));
  }

  /** @param rows 1 or -1 */
  count(kind: RowKind, rows: 1 | -1, bytes: number): void {
    const size = this.#kinds.get(kind)!;
    size.rows += rows;
    size.bytes += rows * bytes;
    this.#rows += rows;
  }

  tell(bytes: number, indexBytes: number): DirectorySize {
    const kinds = Object.fromEntries([...this.#kinds].map(([{ name }, size]) => [name, { ...size }]));
    return { rows: this.#rows, bytes, index_bytes: indexBytes, kinds };
  }
}
