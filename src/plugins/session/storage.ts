/**
 * Where sessions are: whole in a cookie, or in the store with a cookie that names them (docs/adr/0037-oauth2-and-sessions.md).
 * Times are in the cookie in both cases, so that a request that is noted costs no write. What a worker has just put into
 * the store is good at once for its own next requests.
 */
import { createHash } from 'node:crypto';
import type { CollectionRecord, PluginServices, RecordCollections } from '../kit/services.ts';
import { recordsOf } from '../common/record-storage.ts';
import {
  recordKey,
  type SessionConfig,
  type SessionData,
  type SessionState,
  type SessionTimes,
} from './state.ts';

const SESSIONS = 'sessions';
const MAX_PENDING = 10_000;
/** Sessions that have taken each other's place. */
const MAX_WAY = 8;

export interface SessionStorage {
  /** The text of a cookie. */
  write(state: SessionState): string;
  /** Null: there is no such session. */
  read(text: string): SessionState | null | Promise<SessionState | null>;
  /** Begins to keep it; settles when it is kept. */
  keep(state: SessionState, ttlMs: number): Promise<void>;
  /**
   * Another has taken its place, and it is good for so many milliseconds more, as long as that other is.
   *
   * @returns false: it was over meanwhile, or yet another has taken its place.
   */
  supersede(old: SessionState, next: SessionState, staleMs: number): Promise<boolean>;
  /** It is over, and what has taken its place. */
  end(state: SessionState): Promise<void>;
}

export function storageOf(config: SessionConfig, gateway: PluginServices): SessionStorage {
  return config.storage === 'cookie' ? COOKIE : new StoreStorage(config, recordsOf(config, gateway));
}

const DONE = Promise.resolve();

const COOKIE: SessionStorage = {
  write: (state) => JSON.stringify(state),
  read: (text) => parse(text) as SessionState | null,
  keep: () => DONE,
  supersede: () => Promise.resolve(true),
  end: () => DONE,
};

type Found = CollectionRecord | null;
type Named = SessionTimes & { readonly id: string };

class StoreStorage implements SessionStorage {
  readonly #config: SessionConfig;
  readonly #records: RecordCollections;
  /** On their way to the store, by key. */
  readonly #pending = new Map<string, SessionData>();

  constructor(config: SessionConfig, records: RecordCollections) {
    this.#config = config;
    this.#records = records;
  }

  write({ id, created, rolled, touched }: SessionState): string {
    return JSON.stringify({ id, created, rolled, touched } satisfies Named);
  }

  read(text: string): SessionState | null | Promise<SessionState | null> {
    const named = parse(text) as Named | null;
    if (named === null) return null;
    const key = recordKey(named.id);
    const pending = this.#pending.get(key);
    if (pending !== undefined) return { ...named, data: pending };
    const found = this.#records.get(SESSIONS, key);
    const whole = (record: Found): SessionState | null | Promise<SessionState | null> => {
      if (record === null) return null;
      const state = { ...named, data: record.value['data'] as SessionData };
      const next = nextOf(record);
      return next === null ? state : this.#stands(next).then((stands) => (stands ? state : null));
    };
    return found instanceof Promise ? found.then(whole) : whole(found);
  }

  async keep(state: SessionState, ttlMs: number): Promise<void> {
    const key = recordKey(state.id);
    if (this.#pending.size < MAX_PENDING) this.#pending.set(key, state.data);
    try {
      await this.#put(state, ttlMs);
    } finally {
      this.#pending.delete(key);
    }
  }

  async supersede(old: SessionState, next: SessionState, staleMs: number): Promise<boolean> {
    const key = recordKey(old.id);
    const record = await this.#records.get(SESSIONS, key);
    if (record === null || nextOf(record) !== null) return false;
    const { version: ifVersion } = record;
    if (staleMs <= 0) return this.#records.delete(SESSIONS, key, { ifVersion });
    const value = { ...record.value, next: recordKey(next.id) };
    const owners = ownersOf(old.data);
    return this.#records.put(SESSIONS, { key, value, owners }, { ttlMs: staleMs, ifVersion });
  }

  async end(state: SessionState): Promise<void> {
    let key: string | null = recordKey(state.id);
    this.#pending.delete(key);
    for (let way = 0; way < MAX_WAY && key !== null; way++) {
      const record: Found = await this.#records.get(SESSIONS, key);
      await this.#records.delete(SESSIONS, key);
      key = record === null ? null : nextOf(record);
    }
  }

  /** Whether what has taken a session's place is still there. */
  async #stands(first: string): Promise<boolean> {
    let key: string | null = first;
    for (let way = 0; way < MAX_WAY && key !== null; way++) {
      if (this.#pending.has(key)) return true;
      const record: Found = await this.#records.get(SESSIONS, key);
      if (record === null) return false;
      key = nextOf(record);
    }
    return key === null;
  }

  async #put({ id, data, created }: SessionState, ttlMs: number): Promise<void> {
    const value = { data, created_at: created, ...this.#metadata(data) };
    const record = { key: recordKey(id), value, owners: ownersOf(data) };
    await this.#records.put(SESSIONS, record, { ttlMs });
  }

  #metadata({ subject }: SessionData): object {
    const { store_metadata: store, hash_subject: hash, audience } = this.#config;
    if (!store) return {};
    const told = hash ? createHash('sha256').update(subject).digest('base64url') : subject;
    return { audience, subject: told };
  }
}

function ownersOf({ consumerId }: SessionData): Array<{ kind: string; id: string }> {
  return [{ kind: 'consumers', id: consumerId }];
}

/** Key of what has taken its place. */
function nextOf({ value }: CollectionRecord): string | null {
  return typeof value['next'] === 'string' ? value['next'] : null;
}

/** Only what was sealed here comes here. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
