/**
 * Places by the text that they were found with, so that a text that is looked up often is not hashed and compared again.
 *
 * It only says where to look: whoever has a place of it makes sure that the row there has not died since. Bounded as the
 * decoded rows are, in two halves, and by the length of the texts. A text gets in that leads somewhere, never what a
 * client has merely tried.
 */
const HALF_ENTRIES = 4096;
/** Longer texts are searched each time. */
const MAX_LENGTH = 64;

export class PlaceMemo {
  #young = new Map<string, number>();
  #old = new Map<string, number>();

  get(text: string): number | undefined {
    const young = this.#young.get(text);
    if (young !== undefined) return young;
    const old = this.#old.get(text);
    if (old !== undefined) this.set(text, old);
    return old;
  }

  set(text: string, place: number): void {
    if (text.length > MAX_LENGTH) return;
    if (this.#young.size >= HALF_ENTRIES) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(text, place);
  }

  delete(text: string): void {
    this.#young.delete(text);
    this.#old.delete(text);
  }
}
