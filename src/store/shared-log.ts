/**
 * A log of commits that several nodes share: it decides which commit gets the next revision. Each node follows it with
 * a catalog of its own, which validates commits, answers all reads, and is the last good configuration when the log is
 * away.
 */
import type { Author } from './config-store.ts';

/** A change as it is stored and sent: entities as JSON texts, secrets sealed. */
export interface StoredChange {
  readonly kind: string;
  readonly id: string;
  readonly before: string | null;
  readonly after: string | null;
}

export interface StoredCommit {
  /** A UUID: tells whether a commit with an uncertain end has happened. */
  readonly uuid: string;
  readonly revision: number;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly author: Author;
  readonly changes: readonly StoredChange[];
}

/** Changes that may be too many for memory: read from their beginning as often as somebody asks. */
export interface StoredChanges extends Iterable<StoredChange> {
  readonly length: number;
}

/** A commit on its way to the log. */
export interface NewCommit extends Omit<StoredCommit, 'changes'> {
  readonly changes: StoredChanges;
}

export interface StoredEntity {
  readonly kind: string;
  readonly id: string;
  readonly text: string;
}

export interface SharedState {
  readonly revision: number;
  /** Batches of some hundred entities, parents before children not promised; all of one revision. */
  readonly entities: AsyncIterable<readonly StoredEntity[]>;
}

export interface SharedLog {
  /** Names the database's content: a local catalog that followed another one is worthless. */
  readonly clusterId: string;
  /** @throws StoreUnavailable */
  head(): Promise<number>;
  /**
   * Appends the commit as `commit.revision`, if the head is one less; else answers the head.
   * @throws StoreUnavailable when it has certainly not happened, UncertainCommit when nobody knows.
   */
  append(commit: NewCommit): Promise<{ readonly appended: boolean; readonly head: number }>;
  /** Is there a commit with this uuid? Answers its revision. */
  find(uuid: string): Promise<number | null>;
  /** The commits after a revision, in order, at most `limit`; null when the log no longer reaches back so far. */
  read(after: number, limit: number): Promise<readonly StoredCommit[] | null>;
  /** The whole current state. */
  state(): Promise<SharedState>;
  /** Calls `onHead` when a revision may be new, and `onReachable` when the database goes away or comes back. */
  watch(listener: {
    onHead(revision: number): void;
    onReachable(reachable: boolean, reason: string | null): void;
    /** It answers, and cannot be used: said again as long as it is so. */
    onTrouble?(reason: string): void;
  }): Disposable;
  close(): Promise<void>;
}

/** The connection broke while the database was committing. */
export class UncertainCommit extends Error {}
