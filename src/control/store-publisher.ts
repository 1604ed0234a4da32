/**
 * Commits of a store → revisions that the workers serve.
 *
 * One publication is under way at a time; commits that come meanwhile go together in the next one, so that many small
 * writes cost few publications. A delta holds what the log says was touched, as it is now; a route is compiled together
 * with its service, so that a changed service takes its routes along. A whole image is made only for a worker that
 * starts or that fell behind. What is large is read from a snapshot of the catalog, in slices, while the main thread
 * answers others; it may then hold later commits than its revision says. The next delta puts those again, and no harm.
 */
import type { Values } from '../entities/schema/field.ts';
import { finish, type Steps } from '../lib/steps.ts';
import { encodeImageInSteps } from '../snapshot/image-encode.ts';
import { readImage, RUNTIME } from '../snapshot/image.ts';
import { encodeDeltaInSteps } from '../snapshot/image-delta.ts';
import type { ImageMeta } from '../snapshot/image-format.ts';
import { EMPTY_HASH } from '../snapshot/snapshot.ts';
import type { CatalogReader } from '../store/catalog/reader.ts';
import type { CatalogStore } from '../store/catalog-store.ts';
import { cannotUse, DiskFailure } from '../store/disk-failure.ts';
import { RevisionConflict } from '../store/errors.ts';
import { withExpiries } from '../store/file/expiry.ts';
import { Slices } from '../store/slices.ts';
import type { Compiled } from './compile-job.ts';
import type { DirectoryKeeper } from './directory-keeper.ts';
import type { Log } from './log.ts';
import type { StoreRevision } from './served.ts';

export interface StorePublisherOptions {
  readonly store: CatalogStore;
  readonly publish: (next: StoreRevision) => Promise<readonly string[]>;
  readonly directory: DirectoryKeeper;
  readonly log: Log;
}

/** Milliseconds before a publication that failed is tried again. */
const RETRY_MS = 1000;
/** A delta of more entities costs as much as the whole image. */
const MAX_DELTA = 50_000;
/** Changes that are read at once, without a snapshot. */
const FEW = 100;

const KINDS = [...RUNTIME];

interface Waiter {
  readonly revision: number;
  readonly resolve: (warnings: readonly string[]) => void;
}

export class StorePublisher {
  readonly #options: StorePublisherOptions;
  #published = -1;
  #running = false;
  #waiters: Waiter[] = [];
  #retry: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: StorePublisherOptions) {
    this.#options = options;
  }

  /** Nobody has written a configuration to the store yet. */
  get empty(): boolean {
    return this.#options.store.reader.untouched;
  }

  /**
   * The current state to workers that have just started.
   * @param seed what an empty store begins with: the declarative file that the settings name.
   * @throws Error when a worker cannot serve it.
   */
  async first(seed: Compiled | null): Promise<void> {
    try {
      await this.#first(seed);
    } catch (error) {
      throw error instanceof DiskFailure ? cannotUse(error.path, error) : error;
    }
  }

  async #first(seed: Compiled | null): Promise<void> {
    const { store, log } = this.#options;
    if (seed !== null && this.empty) {
      const author = { name: null, source: 'declarative_config', message: 'the first configuration' };
      if (await seeded(store.seed(withExpiries(readImage(seed.image).entities()), author))) {
        log(
          'notice',
          `the store was empty: ${seed.records} entities are taken over from the declarative configuration`,
        );
      }
    }
    const { revision } = store;
    await this.#options.publish(this.#revision(revision, null));
    this.#published = revision;
    log('notice', `serving revision ${revision} of the store`);
  }

  /** A revision may be new. */
  notice(): void {
    if (this.#running || this.#published < 0) return;
    this.#running = true;
    void this.#run();
  }

  /** Resolves when the revision is served, or could not be published; with warnings. */
  live(revision: number): Promise<readonly string[]> {
    if (this.#published >= revision || this.#stopped || this.#published < 0) return Promise.resolve([]);
    const { promise, resolve } = Promise.withResolvers<readonly string[]>();
    this.#waiters.push({ revision, resolve });
    this.notice();
    return promise;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#retry);
    this.#answer(Infinity, []);
  }

  /** Until what is published is what is there. */
  async #run(): Promise<void> {
    const { store } = this.#options;
    let failed = false;
    while (!failed && !this.#stopped && this.#published < store.revision)
      failed = !(await this.#publishNext());
    this.#running = false;
    if (failed) this.#retry = setTimeout(() => this.notice(), RETRY_MS).unref();
  }

  async #publishNext(): Promise<boolean> {
    const { store, publish, log } = this.#options;
    const { revision } = store;
    try {
      const warnings = await publish(this.#revision(revision, await this.#delta(revision)));
      this.#published = revision;
      this.#answer(revision, warnings);
      return true;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log('error', `revision ${revision} is not served: ${reason}`);
      this.#answer(revision, [`revision ${revision} is not served yet: ${reason}`]);
      return false;
    }
  }

  #revision(revision: number, delta: SharedArrayBuffer | null): StoreRevision {
    const { directory, store } = this.#options;
    const image = shared(() => this.#image(revision));
    const run = (): Promise<void> => directory.follow(store.reader);
    return { revision, image, delta, fill: { run, when: 'first' } };
  }

  #answer(revision: number, warnings: readonly string[]): void {
    const waiting = this.#waiters;
    this.#waiters = waiting.filter((waiter) => waiter.revision > revision);
    for (const waiter of waiting) if (waiter.revision <= revision) waiter.resolve(warnings);
  }

  async #image(revision: number): Promise<SharedArrayBuffer> {
    using snapshot = this.#options.store.snapshot();
    const { reader } = snapshot;
    const entities = new Map(KINDS.map((kind) => [kind, reader.all(kind)]));
    return await new Slices().run(encodeImageInSteps(entities, { revision, hash: EMPTY_HASH }));
  }

  /** From what is published to what is there; null when the log does not tell, or tells too much. */
  async #delta(revision: number): Promise<SharedArrayBuffer | null> {
    const { store } = this.#options;
    const base = this.#published;
    const meta = { revision, hash: EMPTY_HASH, baseRevision: base };
    if (base < store.oldest) return null;
    if (store.reader.changesSince(base) <= FEW) return finish(deltaInSteps(store.reader, meta));
    using snapshot = store.snapshot();
    return await new Slices().run(deltaInSteps(snapshot.reader, meta));
  }
}

function* deltaInSteps(
  reader: CatalogReader,
  meta: ImageMeta & { readonly baseRevision: number },
): Steps<SharedArrayBuffer | null> {
  const put = new Map<string, { readonly kind: string; readonly entity: Values }>();
  const removed = new Map<string, { readonly kind: string; readonly id: string }>();
  for (const page of reader.touchedSince(meta.baseRevision, KINDS)) {
    for (const { kind, id } of page) {
      const entity = reader.get(kind, { id });
      const key = `${kind}/${id}`;
      if (entity === null) removed.set(key, { kind, id });
      else put.set(key, { kind, entity });
      if (kind === 'services' && entity !== null) {
        for (const route of reader.childrenOf('routes', 'service', id)) {
          put.set(`routes/${String(route['id'])}`, { kind: 'routes', entity: route });
        }
      }
      yield;
    }
    if (put.size + removed.size >= MAX_DELTA) return null;
  }
  return yield* encodeDeltaInSteps({ put: put.values(), removed: removed.values() }, meta);
}

/** Who asks while it is being made waits for the same: all workers start at once. */
function shared<T>(make: () => Promise<T>): () => Promise<T> {
  let making: Promise<T> | null = null;
  return () =>
    (making ??= make().finally(() => {
      making = null;
    }));
}

/** False: another node that shares the store was faster, with a configuration of its own. */
async function seeded(seeding: Promise<unknown>): Promise<boolean> {
  try {
    await seeding;
    return true;
  } catch (error) {
    if (error instanceof RevisionConflict) return false;
    throw error;
  }
}
