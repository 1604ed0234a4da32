/**
 * Streams of a session that were taken back, and that its peer may still count: it has not yet seen the reset, or has
 * still to clear up behind it. `node:http2` as a server answers one stream too many with ENHANCE_YOUR_CALM, and a call
 * fails that has nothing to do with those that were taken back. So their places stay taken, and when no place is left the
 * peer is asked by a PING: whoever answers it has read what came before. It also bounds how fast one client that takes
 * back its calls can make the gateway reset streams of an upstream (CVE-2023-44487).
 *
 * Servers of gRPC end connections that bring PINGs without calls, and forgive them with each response that they send: so
 * there is one PING at most between two responses, and without one the places are free at once, as they always were.
 */
type Ping = (answered: () => void) => boolean;

export class UnseenResets {
  /** Places that are taken. */
  count = 0;
  /** Those that the PING on its way comes behind. */
  #asked = 0;
  #asking = false;
  #answered = true;

  /** A stream left: with a reset of ours, and with a response or without. */
  left(reset: boolean, responded: boolean): void {
    if (responded) this.#answered = true;
    if (reset) this.count++;
  }

  /** No place is free but for these. Answers whether they are free now; if not, `freed` is called when they are. */
  ask(ping: Ping, freed: () => void): boolean {
    if (this.#asking) return false;
    if (this.#answered) {
      this.#answered = false;
      this.#asked = this.count;
      this.#asking = ping(() => {
        this.#asking = false;
        this.count -= this.#asked;
        freed();
      });
      if (this.#asking) return false;
      this.#asked = 0;
    }
    this.count = 0;
    return true;
  }
}
