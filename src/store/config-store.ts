/**
 * What the control plane asks of the configuration's store: reads of the current state, commits, and the log.
 *
 * A commit is a list of writes that is validated and applied as a whole, or not at all. It gets the next revision
 * number and is kept with who did it, when and why. Reads answer the last committed state and never wait.
 */
import type { Values } from '../entities/schema/field.ts';

/** Which entity: by id, or by the kind's endpoint key (`name`, `username`, …). */
export interface Selector {
  readonly id?: string;
  readonly key?: string;
  /** The unique field that `key` is a value of, when it is not the endpoint key (`custom_id`). Reads only. */
  readonly by?: string;
  /** It must refer to this parent, or it counts as absent (`/services/{s}/routes/{r}`). */
  readonly within?: Parent | null;
}

export interface Parent {
  /** The reference's field, `service`. */
  readonly field: string;
  readonly id: string;
}

/** Secrets of the input have the form in which they are kept: hashed already, they are not hashed again. */
interface AsStored {
  readonly stored?: boolean;
}

/** `kind` is Kong's entity name, `services`. Inputs are what a client sent, not yet validated. */
export type Write =
  | ({ readonly op: 'create'; readonly kind: string; readonly input: Values } & AsStored)
  /** Replaces the entity, or creates it with this id or key. */
  | ({
      readonly op: 'put';
      readonly kind: string;
      readonly select: Selector;
      readonly input: Values;
    } & AsStored)
  /** Merges into the entity: records field by field, everything else as a whole. */
  | ({
      readonly op: 'patch';
      readonly kind: string;
      readonly select: Selector;
      readonly input: Values;
    } & AsStored)
  /** What is absent already is no error. */
  | { readonly op: 'delete'; readonly kind: string; readonly select: Selector };

export interface WriteResult {
  /** The entity as it stands now, complete; null after a deletion. */
  readonly entity: Values | null;
  /** A deletion: there was something. Else: it is new. */
  readonly happened: boolean;
}

export interface Author {
  /** Name of the token or certificate that was used; null without authentication. */
  readonly name: string | null;
  /** Address of the client, or `cli`. */
  readonly source: string;
  readonly message: string | null;
}

/** A change that somebody wants to make: what an entity was (null: it is new) and will be (null: it goes). */
export interface WantedChange {
  readonly kind: string;
  readonly before: Values | null;
  readonly after: Values | null;
}

/** Why not, or null. */
export type Judge = (change: WantedChange) => string | null;

export interface CommitOptions {
  readonly author: Author;
  /** Asked for each change, also those that go along (cascades); one that it refuses refuses the commit (Forbidden). */
  readonly judge?: Judge | null;
  /** Refuse (RevisionConflict) unless this is the current revision. */
  readonly ifRevision?: number;
  /** Validate everything and keep nothing. */
  readonly dryRun?: boolean;
  /** Answer no results: of a large commit they would be large. */
  readonly discardResults?: boolean;
}

export interface Committed {
  /** The revision in which the writes are; unchanged when they changed nothing. */
  readonly revision: number;
  readonly results: readonly WriteResult[];
  /** Workers that do not serve the revision yet, one sentence each. */
  readonly warnings?: readonly string[];
}

/** One commit of the log. */
export interface Revision {
  readonly revision: number;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly author: Author;
  /** Number of changes in it. */
  readonly changes: number;
}

/** What a commit did to one entity; null: not there. */
export interface Change {
  readonly kind: string;
  readonly id: string;
  readonly before: Values | null;
  readonly after: Values | null;
}

/** Of a commit's changes, by kind and id; `after` is the last one of the page before. */
export interface ChangesPage {
  readonly size: number;
  readonly after?: Pick<Change, 'kind' | 'id'> | null;
}

export interface PageOptions {
  readonly size: number;
  /** Only ids after this one; null begins. */
  readonly after?: string | null;
  readonly within?: Parent | null;
  /** Kong's tag filter: all of them, or any. */
  readonly tags?: { readonly match: 'all' | 'any'; readonly names: readonly string[] } | null;
}

export interface Page {
  /** By id, ascending. */
  readonly entities: readonly Values[];
  /** Pass as `after` for the next page; null on the last one. Large entities end a page before it has `size`. */
  readonly next: string | null;
}

export interface NewestOptions {
  readonly within: Parent;
  /** How many come before. */
  readonly from: number;
  readonly size: number;
}

export interface NewestPage {
  /** By `created_at`, then id, descending. */
  readonly entities: readonly Values[];
  /** `from` of the next page; null on the last one. */
  readonly next: number | null;
}

export interface TagRow {
  readonly tag: string;
  readonly entity_name: string;
  readonly entity_id: string;
}

/** Reads of one committed state. Entities are complete: every field present, unset ones null. */
export interface ConfigReader {
  /** 0 is the empty configuration. */
  readonly revision: number;
  get(kind: string, select: Selector): Values | null;
  page(kind: string, options: PageOptions): Page;
  /** For kinds without a time to live. */
  newest(kind: string, options: NewestOptions): NewestPage;
  /** All, by id: for exports, which may take long. The state is that of the first row. */
  all(kind: string): IterableIterator<Values>;
  count(kind: string): number;
  /** Kong's `/tags`, ordered by tag, kind and id; `after` is the last row of the page before. */
  tags(options: {
    readonly tag?: string;
    readonly size: number;
    readonly after?: TagRow | null;
  }): readonly TagRow[];
}

export interface ConfigLog {
  /** Newest first, below `before` (null: from the newest). */
  revisions(options: { readonly before?: number | null; readonly size: number }): readonly Revision[];
  describe(revision: number): Revision | null;
  /** Null: not in the log (any more). A commit may have very many: leave `page` out only where few are certain. */
  changes(revision: number, page?: ChangesPage): readonly Change[] | null;
  /** The oldest revision that can be restored: the log has all commits after it. */
  readonly oldest: number;
}

export interface ConfigStore extends ConfigReader, ConfigLog {
  /** False: DB-less. Writes are refused with Kong's code 12. */
  readonly writable: boolean;
  /** Await it before reads: a store that is filled when it is asked (DB-less) makes them answer what is served now. */
  refresh(): Promise<void>;
  /**
   * Applies the writes in order as one commit. Large lists are applied in slices, with the event loop let run between.
   * @throws StoreError (its `index` says which write), among them Forbidden; RevisionConflict, StoreUnavailable
   */
  commit(writes: Iterable<Write> | AsyncIterable<Write>, options: CommitOptions): Promise<Committed>;
  /** Makes the state that of an earlier revision, as a new commit. */
  restore(revision: number, options: CommitOptions): Promise<Committed>;
  /** Called after each commit, also of other nodes, when reads see it. Answers how to end it. */
  onCommit(listener: (revision: Revision) => void): () => void;
}
