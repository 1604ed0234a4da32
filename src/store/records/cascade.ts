/**
 * Records go with the entities that own them: deletions in the configuration's log → removals in the records' file.
 *
 * The two files have no transaction in common. So the records remember up to which commit they have followed the log,
 * and follow on from there after each commit and at each start; a commit answers when that is done. To follow again is
 * harmless: what is removed are records whose owner is not there now. Where the log does not tell (it was compacted
 * further, or the catalog is another one), every owner is looked up instead.
 */
import type { CatalogReader } from '../catalog/reader.ts';
import { Slices } from '../slices.ts';
import type { Owner } from './records.ts';
import type { SqliteRecords } from './sqlite-records.ts';

const META = 'followed';
const STEP = 256;
/** Commits and changes without deletions of owners that may be followed again after a restart. */
const MAX_UNSAVED = 256;
const MAX_UNSAVED_CHANGES = 10_000;

interface Position {
  readonly revision: number;
  /** Of that commit. */
  readonly uuid: string | null;
}

interface Waiter {
  readonly revision: number;
  readonly resolve: () => void;
}

export interface CascadeOptions {
  readonly records: SqliteRecords;
  readonly reader: CatalogReader;
  readonly onError: (reason: string) => void;
}

export class Cascade {
  readonly #options: CascadeOptions;
  #position: Position;
  #saved: number;
  #running = false;
  #waiters: Waiter[] = [];

  constructor(options: CascadeOptions) {
    this.#options = options;
    this.#position = JSON.parse(options.records.meta(META) ?? '{"revision":0,"uuid":null}') as Position;
    this.#saved = this.#position.revision;
    this.notice();
  }

  /** A commit may be new. */
  notice(): void {
    if (this.#running) return;
    this.#running = true;
    void this.#run();
  }

  /** Resolves when the records have followed the log to the revision, or cannot. */
  followed(revision: number): Promise<void> {
    if (this.#position.revision >= revision && !this.#running) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiters.push({ revision, resolve });
    this.notice();
    return promise;
  }

  async #run(): Promise<void> {
    const { reader, onError } = this.#options;
    try {
      do {
        await this.#follow();
        this.#answer(this.#position.revision);
      } while (this.#position.revision < reader.revision);
    } catch (error) {
      // The next commit tries again.
      onError(error instanceof Error ? error.message : String(error));
      this.#answer(Infinity);
    }
    this.#running = false;
  }

  async #follow(): Promise<void> {
    const { reader, records } = this.#options;
    const { revision } = reader;
    const next = { revision, uuid: reader.uuidOf(revision) };
    const known = this.#known();
    // Without owned records there is nothing to do: one that is put from now on has an owner that is there now.
    const idle = records.owners({ kind: '', id: '' }, 1).length === 0;
    const many = known && reader.changesSince(this.#saved) > MAX_UNSAVED_CHANGES;
    const gone = idle ? [] : known ? this.#deleted() : this.#missing();
    let removed = false;
    const slices = new Slices();
    for (const owner of gone) {
      if (owner !== null && !reader.has(owner.kind, owner.id)) {
        while (await records.removeOwned(owner)) removed = true;
      }
      if (slices.over) await slices.pause();
    }
    this.#position = next;
    if (!removed && known && !many && revision - this.#saved < MAX_UNSAVED) return;
    await records.setMeta(META, JSON.stringify(next));
    this.#saved = revision;
  }

  /** Does the log lead on from where the records are? */
  #known(): boolean {
    const { reader } = this.#options;
    const { revision, uuid } = this.#position;
    return revision <= reader.revision && revision >= reader.oldest && uuid === reader.uuidOf(revision);
  }

  /** Null where a slice may end. */
  *#deleted(): Generator<Owner | null> {
    let after = { revision: this.#position.revision + 1, kind: '', id: '' };
    for (;;) {
      const touched = this.#options.reader.touchedAfter(after, STEP);
      for (const { kind, id, deleted } of touched) if (deleted) yield { kind, id };
      yield null;
      const last = touched.at(-1);
      if (last === undefined) return;
      after = last;
    }
  }

  *#missing(): Generator<Owner> {
    let after: Owner = { kind: '', id: '' };
    for (;;) {
      const owners = this.#options.records.owners(after, STEP);
      yield* owners;
      const last = owners.at(-1);
      if (last === undefined) return;
      after = last;
    }
  }

  #answer(revision: number): void {
    const waiting = this.#waiters;
    this.#waiters = waiting.filter((waiter) => waiter.revision > revision);
    for (const waiter of waiting) if (waiter.revision <= revision) waiter.resolve();
  }
}
