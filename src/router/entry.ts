/**
 * A compiled route: one entry for each of its paths, with its rank and all that is left to check once the index has
 * found it.
 */
import type { Condition, HostPattern } from './conditions.ts';
import type { Evaluate } from './expressions/evaluate.ts';
import type { CompiledRegex } from './regex.ts';
import type { Step } from './trie.ts';

/** One path of a route (or its absence). Entries of one virtual route share rank and id. */
export interface Entry<T> {
  readonly high: number;
  readonly middle: number;
  readonly low: number;
  /** Bits of `methods`, see `methods.ts`; 0: any method. */
  readonly methodBits: number;
  /** Larger wins before the id is looked at: minus `created_at` in the flavor `traditional`, else 0. */
  readonly order: number;
  /** Id of the virtual route; the larger wins. */
  readonly id: string;
  /** Among entries of one virtual route the smallest wins. */
  readonly index: number;
  readonly value: T;
  readonly routeId: string;
  readonly methods: readonly string[] | null;
  readonly conditions: readonly Condition[] | null;
  /** Plain path, one char per byte; null for regexes and when there is no path. */
  readonly prefix: string | null;
  readonly regex: CompiledRegex | null;
  /** On ASCII paths the walk of the tree is the proof: the regex need not run. */
  readonly proven: boolean;
  readonly mustEnd: boolean;
  /** Where the tree of paths holds it. */
  readonly steps: readonly Step[];
  /** By what long lists of entries are split. */
  readonly splits: readonly Split[];
  /** The expression, to ask what it matched of the path; null for other routes. It is also a condition. */
  readonly evaluate: Evaluate | null;
}

export interface Split {
  /** Lower-case name of a header; '' for the method. */
  readonly name: string;
  readonly values: readonly string[];
}

export interface CompiledRoute<T> {
  /** Null: the entries stand under any host. */
  readonly hosts: readonly HostPattern[] | null;
  readonly entries: ReadonlyArray<Entry<T>>;
}

/** Whether `a` is tried before `b`. */
export function outranks(a: Entry<unknown>, b: Entry<unknown>): boolean {
  if (a.high !== b.high) return a.high > b.high;
  if (a.middle !== b.middle) return a.middle > b.middle;
  if (a.low !== b.low) return a.low > b.low;
  if (a.order !== b.order) return a.order > b.order;
  if (a.id !== b.id) return a.id > b.id;
  return a.index < b.index;
}
