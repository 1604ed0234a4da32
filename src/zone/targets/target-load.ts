/** The handle of a target's slot in the zone of targets, as a worker has it; target-zone.ts says the rules. */

/** Who wants to know what this worker begins and ends. */
export interface LoadWatcher {
  changed(place: number): void;
}

interface Watch {
  readonly watcher: LoadWatcher;
  readonly place: number;
}

/** Whose slots they are. */
interface LoadKeeper {
  add(slot: number, change: 1 | -1): void;
  observe(slot: number, milliseconds: number): void;
  free(load: TargetLoad): void;
}

/** One target, as the worker sees it that holds it. */
export class TargetLoad {
  slot: number;
  readonly key: string;
  readonly #zone: LoadKeeper;
  /** Balancers that are served and have it. */
  #holders = 0;
  /** Of this worker. */
  #inFlight = 0;
  #watches: readonly Watch[] = [];

  constructor(zone: LoadKeeper, key: string, slot: number) {
    this.#zone = zone;
    this.key = key;
    this.slot = slot;
  }

  /** A try on the target begins. */
  begin(): void {
    this.#inFlight++;
    this.#zone.add(this.slot, 1);
    for (const { watcher, place } of this.#watches) watcher.changed(place);
  }

  /** The try is over. */
  end(): void {
    this.#inFlight--;
    this.#zone.add(this.slot, -1);
    for (const { watcher, place } of this.#watches) watcher.changed(place);
    this.#letGo();
  }

  /** An answer took so many milliseconds. */
  observe(milliseconds: number): void {
    this.#zone.observe(this.slot, milliseconds);
  }

  watch(watcher: LoadWatcher, place: number): void {
    this.#watches = [...this.#watches, { watcher, place }];
  }

  unwatch(watcher: LoadWatcher): void {
    this.#watches = this.#watches.filter((watch) => watch.watcher !== watcher);
  }

  hold(): void {
    this.#holders++;
  }

  release(): void {
    this.#holders--;
    this.#letGo();
  }

  #letGo(): void {
    if (this.#holders > 0 || this.#inFlight > 0 || this.slot === 0) return;
    this.#zone.free(this);
    this.slot = 0;
  }
}
