/** Since when a stream stands still: compared at each look, so that moving costs nothing. */
export class Stall {
  #since: number;
  #waiting = -1;
  #received = -1;

  constructor(now: number) {
    this.#since = now;
  }

  /** Milliseconds for which neither what waits to be sent nor what was received has changed. */
  stands(now: number, waiting: number, received: number): number {
    if (waiting !== this.#waiting || received !== this.#received) {
      this.#waiting = waiting;
      this.#received = received;
      this.#since = now;
    }
    return now - this.#since;
  }
}
