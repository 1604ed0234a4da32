/** Captures of a regex path. */
export interface Captures {
  /** By number: 0 is the whole match; null for a group that took no part. */
  readonly groups: ReadonlyArray<string | null>;
  /** By name; groups that took no part are absent. */
  readonly named: ReadonlyMap<string, string>;
}
