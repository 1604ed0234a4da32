/**
 * Records over messages: a worker has no store, and asks the thread that has it.
 *
 * A question has a number and is answered once. Changes come on the same way, and before the answer to whoever made
 * them, so that a cache behind this (`cached-records.ts`) never keeps what its own thread knows to be old.
 */
import { StoreUnavailable } from '../errors.ts';
import { RecordFeed } from './feed.ts';
import {
  checkPut,
  type CounterStep,
  type ListOptions,
  type PutOptions,
  type PutResult,
  type RecordInput,
  type RecordListener,
  type RecordPage,
  type RecordStore,
  type StoredRecord,
} from './records.ts';

type RecordMethod = Exclude<keyof RecordStore, 'watch'>;

export interface RecordAsk {
  readonly ask: number;
  readonly method: RecordMethod;
  readonly args: readonly unknown[];
}

type RecordAnswer =
  | { readonly ok: true; readonly value: unknown }
  /** `limit`: a RangeError, the caller's mistake. */
  | { readonly ok: false; readonly limit: boolean; readonly message: string };

export type RecordTell =
  | { readonly ask: number; readonly answer: RecordAnswer }
  /** As `RecordListener` has them. */
  | { readonly changed: readonly string[] | null }
  | { readonly telling: boolean };

/** The other end. @param store null: there is none. */
export async function answerAsk(
  store: RecordStore | null,
  { ask, method, args }: RecordAsk,
): Promise<RecordTell> {
  try {
    if (store === null) throw new StoreUnavailable('without a database there are no records');
    const work = store[method] as (...args: readonly unknown[]) => Promise<unknown>;
    return { ask, answer: { ok: true, value: await work.apply(store, [...args]) } };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { ask, answer: { ok: false, limit: error instanceof RangeError, message } };
  }
}

export interface RemoteRecordsOptions {
  readonly post: (ask: RecordAsk) => void;
  /** Milliseconds that an answer may take. */
  readonly timeoutMs: number;
}

/** Questions that may wait for their answers. */
const MAX_WAITING = 1024;

export class RemoteRecords implements RecordStore {
  readonly #options: RemoteRecordsOptions;
  readonly #waiting = new Map<number, (answer: RecordAnswer) => void>();
  readonly #feed = new RecordFeed(false);
  #next = 1;

  constructor(options: RemoteRecordsOptions) {
    this.#options = options;
  }

  get(collection: string, key: string): Promise<StoredRecord | null> {
    return this.#ask('get', [collection, key]);
  }

  findBy(collection: string, index: string, value: string): Promise<StoredRecord | null> {
    return this.#ask('findBy', [collection, index, value]);
  }

  list(collection: string, options: ListOptions): Promise<RecordPage> {
    return this.#ask('list', [collection, options]);
  }

  async put(collection: string, record: RecordInput, options: PutOptions = {}): Promise<PutResult> {
    checkPut(collection, record, options);
    return await this.#ask('put', [collection, record, options]);
  }

  delete(collection: string, key: string, options: { readonly ifVersion?: number } = {}): Promise<boolean> {
    return this.#ask('delete', [collection, key, options]);
  }

  increment(collection: string, steps: readonly CounterStep[]): Promise<readonly number[]> {
    return this.#ask('increment', [collection, steps]);
  }

  counts(collection: string, keys: readonly string[]): Promise<readonly number[]> {
    return this.#ask('counts', [collection, keys]);
  }

  watch(listener: RecordListener): Disposable {
    return this.#feed.add(listener);
  }

  /** What the other end says. */
  hear(tell: RecordTell): void {
    if ('changed' in tell) this.#feed.tell(tell.changed);
    else if ('telling' in tell) this.#feed.works = tell.telling;
    else this.#waiting.get(tell.ask)?.(tell.answer);
  }

  #ask<T>(method: RecordMethod, args: readonly unknown[]): Promise<T> {
    const { post, timeoutMs } = this.#options;
    if (this.#waiting.size >= MAX_WAITING) {
      return Promise.reject(new StoreUnavailable('too many questions about records are waiting'));
    }
    const ask = this.#next++;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const timer = setTimeout(() => {
      this.#waiting.delete(ask);
      reject(new StoreUnavailable(`the records: no answer within ${timeoutMs} ms`));
    }, timeoutMs);
    this.#waiting.set(ask, (answer) => {
      this.#waiting.delete(ask);
      clearTimeout(timer);
      if (answer.ok) resolve(answer.value as T);
      else reject(answer.limit ? new RangeError(answer.message) : new StoreUnavailable(answer.message));
    });
    try {
      post({ ask, method, args });
    } catch (error) {
      // What a message cannot carry is in no JSON either.
      const message = error instanceof Error ? error.message : String(error);
      this.#waiting.get(ask)?.({ ok: false, limit: true, message });
    }
    return promise;
  }
}
