/**
 * Where sessions are: whole in a cookie, or in the store with a cookie that names them (docs/adr/0037-oauth2-and-sessions.md).
 * Times are in the cookie in both cases, so that a request that is noted costs no write. What a worker has just put into
 * the store is good at once for its own next requests.
 */
import { createHash } from 'node:crypto';
import type { PluginServices, RecordCollections } from '../kit/services.ts';
import { recordsOf } from '../record-storage.ts';
import {
  recordKey,
  type SessionConfig,
  type SessionData,
  type SessionState,
  type SessionTimes,
} from './state.ts';

const SESSIONS = 'sessions';
const MAX_PENDING = 10_000;

export interface Stored {
  readonly state: SessionState;
}

export interface SessionStorage {
  /** The text of a cookie. */
  write(state: SessionState): string;
  /** Null: there is no such session. */
  read(text: string): SessionState | null | Promise<SessionState | null>;
  /** Begins to keep it; settles when it is kept. */
  keep(state: SessionState, ttlMs: number): Promise<void>;
  /** It is over, now or in so many milliseconds. */
  end(state: SessionState, inMs: number): Promise<void>;
}

export function storageOf(config: SessionConfig, gateway: PluginServices): SessionStorage {
  return config.storage === 'cookie' ? COOKIE : new StoreStorage(config, recordsOf(config, gateway));
}

const DONE = Promise.resolve();

const COOKIE: SessionStorage = {
  write: (state) => JSON.stringify(state),
  read: (text) => parse(text) as SessionState | null,
  keep: () => DONE,
  end: () => DONE,
};

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
    const whole = (record: Awaited<typeof found>): SessionState | null =>
      record === null ? null : { ...named, data: record.value['data'] as SessionData };
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

  async end(state: SessionState, inMs: number): Promise<void> {
    this.#pending.delete(recordKey(state.id));
    if (inMs > 0) await this.#put(state, inMs);
    else await this.#records.delete(SESSIONS, recordKey(state.id));
  }

  async #put({ id, data, created }: SessionState, ttlMs: number): Promise<void> {
    const value = { data, created_at: created, ...this.#metadata(data) };
    const owners = [{ kind: 'consumers', id: data.consumerId }];
    await this.#records.put(SESSIONS, { key: recordKey(id), value, owners }, { ttlMs });
  }

  #metadata({ subject }: SessionData): object {
    const { store_metadata: store, hash_subject: hash, audience } = this.#config;
    if (!store) return {};
    const told = hash ? createHash('sha256').update(subject).digest('base64url') : subject;
    return { audience, subject: told };
  }
}

/** Only what was sealed here comes here. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
