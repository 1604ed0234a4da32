/**
 * Where workers ask for records: answers each worker's questions from the store, and tells all of them what changes.
 */
import type { RecordStore } from '../store/records/records.ts';
import { answerAsk, type RecordAsk, type RecordTell } from '../store/records/remote-records.ts';

export class RecordDesk {
  readonly #posts = new Set<(tell: RecordTell) => void>();
  #store: RecordStore | null = null;
  #telling = false;

  /** Null without a database, and until it is open. */
  get store(): RecordStore | null {
    return this.#store;
  }

  open(store: RecordStore): void {
    this.#store = store;
    store.watch({
      changed: (changed) => this.#toAll({ changed }),
      telling: (telling) => {
        this.#telling = telling;
        this.#toAll({ telling });
      },
    });
  }

  /** A worker that takes messages from now on, until it is disposed of. */
  admit(post: (tell: RecordTell) => void): Disposable {
    this.#posts.add(post);
    post({ telling: this.#telling });
    return { [Symbol.dispose]: () => void this.#posts.delete(post) };
  }

  async answer(ask: RecordAsk, post: (tell: RecordTell) => void): Promise<void> {
    post(await answerAsk(this.#store, ask));
  }

  #toAll(tell: RecordTell): void {
    for (const post of this.#posts) post(tell);
  }
}
