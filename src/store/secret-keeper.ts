/**
 * Rotation of the keys that seal secrets: `sluice secrets rotate` and `status`.
 *
 * The catalog is worked through in slices, each a transaction of its own between other commits; then its file is written
 * anew, since a database keeps what was deleted until it needs the place. A database that nodes share comes after the
 * node's own copy: what this node commits meanwhile has nothing of an older key in it. Records come last, and by
 * themselves: they are in no commit.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Catalog } from './catalog/catalog.ts';
import { NOTHING_RESEALED, type Resealed, type SealCounts } from './catalog/reseal.ts';
import type { CatalogStore } from './catalog-store.ts';
import type { EntityCodec } from './catalog/codec.ts';
import { StoreUnavailable } from './errors.ts';
import type { RecordSeals } from './records/record-seals.ts';
import { SealingError } from './seal-keys.ts';
import { Slices } from './slices.ts';

/** The database of several nodes. */
export interface SharedSeals {
  /** @throws StoreUnavailable */
  reseal(codec: EntityCodec): Promise<Resealed>;
  /** @throws StoreUnavailable */
  sealCounts(codec: EntityCodec): Promise<SealCounts>;
}

export interface Rotated {
  /** That seals now. */
  readonly key: string;
  readonly node: Resealed;
  /** Null where nodes share none. */
  readonly database: Resealed | null;
  /** False: somebody was reading all the time, and the write-ahead log may still have what was there before. */
  readonly scrubbed: boolean;
}

export interface SealStatus {
  /** That seals; null: nothing is sealed. */
  readonly key: string | null;
  readonly node: SealCounts;
  readonly database: SealCounts | null;
}

export interface SecretKeeperOptions {
  readonly catalog: Catalog;
  readonly store: CatalogStore;
  /** They lie beside the catalog, or in the database of several nodes. */
  readonly records: RecordSeals;
  /** Left out where nodes share none; null: it was not reached yet. */
  readonly shared?: () => SharedSeals | null;
}

/** Passes: what other nodes commit during one, the next finds. */
const MAX_PASSES = 5;
const SCRUB_TRIES = 20;
const SCRUB_PAUSE_MS = 100;

export class SecretKeeper {
  readonly #options: SecretKeeperOptions;
  #rotating: Promise<Rotated> | null = null;

  constructor(options: SecretKeeperOptions) {
    this.#options = options;
  }

  /** Those who ask while it is done get the same answer. @throws SealingError without keys, StoreUnavailable */
  rotate(): Promise<Rotated> {
    this.#rotating ??= this.#rotate().finally(() => {
      this.#rotating = null;
    });
    return this.#rotating;
  }

  async status(): Promise<SealStatus> {
    const { catalog } = this.#options;
    const counts = { entities: {}, log: {}, records: {} };
    await new Slices().run(catalog.countingSeals(counts));
    const shared = this.#shared();
    const key = catalog.codec.keyIds[0] ?? null;
    const records = await this.#options.records.sealCounts();
    if (shared === null) return { key, node: { ...counts, records }, database: null };
    return { key, node: counts, database: { ...(await shared.sealCounts(catalog.codec)), records } };
  }

  async #rotate(): Promise<Rotated> {
    const { codec } = this.#options.catalog;
    const [key] = codec.keyIds;
    const shared = this.#shared();
    if (key === undefined) throw new SealingError('no key is set: secret_key_file, or secret_keys');
    const { catalog, records } = this.#options;
    const node = await passes(() => this.#pass());
    if (node.unreadable === 0) catalog.onlyKey(key);
    const scrubbed = await this.#scrub();
    const database = shared === null ? null : await passes(() => shared.reseal(codec));
    const recorded = await passes(() => records.reseal());
    const clean = (await records.scrub()) && scrubbed;
    return shared === null || database === null
      ? { key, node: together(node, recorded), database: null, scrubbed: clean }
      : { key, node, database: together(database, recorded), scrubbed: clean };
  }

  /** @throws StoreUnavailable */
  #shared(): SharedSeals | null {
    const { shared } = this.#options;
    if (shared === undefined) return null;
    const found = shared();
    if (found === null) throw new StoreUnavailable('the database was not reached yet');
    return found;
  }

  async #pass(): Promise<Resealed> {
    const { catalog, store } = this.#options;
    const done: Resealed = { ...NOTHING_RESEALED };
    const steps = catalog.resealing(done);
    for (let more = true; more;) {
      const slices = new Slices();
      await store.exclusive(() => {
        more = catalog.inTransaction(() => {
          while (steps.next().done !== true) if (slices.over) return true;
          return false;
        });
        return Promise.resolve();
      });
      await slices.pause();
    }
    return done;
  }

  async #scrub(): Promise<boolean> {
    const { catalog, store } = this.#options;
    await store.exclusive(() => Promise.resolve(catalog.vacuum()));
    for (let tries = 0; tries < SCRUB_TRIES; tries++) {
      if (await store.exclusive(() => Promise.resolve(catalog.emptyLog()))) return true;
      await delay(SCRUB_PAUSE_MS);
    }
    return false;
  }
}

/** Until one finds nothing more. */
async function passes(pass: () => Promise<Resealed>): Promise<Resealed> {
  let total = NOTHING_RESEALED;
  for (let n = 0; n < MAX_PASSES; n++) {
    const found = await pass();
    const { unreadable } = found;
    total = { ...together(total, found), unreadable };
    if (found.entities + found.log + found.records === 0) break;
  }
  return total;
}

function together(a: Resealed, b: Resealed): Resealed {
  return {
    entities: a.entities + b.entities,
    log: a.log + b.log,
    records: a.records + b.records,
    unreadable: a.unreadable + b.unreadable,
  };
}
