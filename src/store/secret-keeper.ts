/**
 * Rotation of the keys that seal secrets: `sluice secrets rotate` and `status`.
 *
 * The catalog is worked through in slices, each a transaction of its own between other commits; then its file is written
 * anew, since a database keeps what was deleted until it needs the place. A database that nodes share comes after the
 * node's own copy: what this node commits meanwhile has nothing of an older key in it.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Catalog } from './catalog/catalog.ts';
import type { Resealed, SealCounts } from './catalog/reseal.ts';
import type { CatalogStore } from './catalog-store.ts';
import type { EntityCodec } from './catalog/codec.ts';
import { StoreUnavailable } from './errors.ts';
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
    const counts = { entities: {}, log: {} };
    await new Slices().run(catalog.countingSeals(counts));
    const database = (await this.#shared()?.sealCounts(catalog.codec)) ?? null;
    return { key: catalog.codec.keyIds[0] ?? null, node: counts, database };
  }

  async #rotate(): Promise<Rotated> {
    const { codec } = this.#options.catalog;
    const [key] = codec.keyIds;
    const shared = this.#shared();
    if (key === undefined) throw new SealingError('no key is set: secret_key_file, or secret_keys');
    const node = await passes(() => this.#pass());
    if (node.unreadable === 0) this.#options.catalog.onlyKey(key);
    const scrubbed = await this.#scrub();
    const database = shared === null ? null : await passes(() => shared.reseal(codec));
    return { key, node, database, scrubbed };
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
    const done: Resealed = { entities: 0, log: 0, unreadable: 0 };
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
  const total: Resealed = { entities: 0, log: 0, unreadable: 0 };
  for (let n = 0; n < MAX_PASSES; n++) {
    const { entities, log, unreadable } = await pass();
    total.entities += entities;
    total.log += log;
    total.unreadable = unreadable;
    if (entities + log === 0) break;
  }
  return total;
}
