/** Those who are told of changes of records. */
import { MAX_MARKS } from './marks.ts';
import type { RecordListener } from './records.ts';

export class RecordFeed {
  readonly #listeners = new Set<RecordListener>();
  #works: boolean;

  /** @param works whether changes of all nodes are told. */
  constructor(works: boolean) {
    this.#works = works;
  }

  add(listener: RecordListener): Disposable {
    this.#listeners.add(listener);
    listener.telling?.(this.#works);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  tell(marks: readonly string[] | null): void {
    if (marks?.length === 0) return;
    const told = marks !== null && marks.length > MAX_MARKS ? null : marks;
    for (const listener of this.#listeners) listener.changed(told);
  }

  /** What was missed while it did not work may be anything. */
  set works(works: boolean) {
    if (works === this.#works) return;
    this.#works = works;
    for (const listener of this.#listeners) listener.telling?.(works);
    this.tell(null);
  }
}
