/**
 * Which name server is asked when: in their order, with `rotate` each in turn first; one that has just failed comes
 * after those that have not, so that a dead first server costs its time-out once and not with every question.
 */
import type { NameServer } from './dns-exchange.ts';

/** Milliseconds for which a server that failed is asked last. */
const PENALTY_MS = 30_000;

interface Known {
  readonly server: NameServer;
  failedAt: number;
}

export class NameServers {
  readonly #known: readonly Known[];
  readonly #rotate: boolean;
  readonly #now: () => number;
  #turn = 0;

  /** @param now milliseconds, never going back. */
  constructor(servers: readonly NameServer[], rotate: boolean, now: () => number) {
    this.#known = servers.map((server) => ({ server, failedAt: -Infinity }));
    this.#rotate = rotate;
    this.#now = now;
  }

  /** The servers for one question, the one to ask first first. */
  order(): NameServer[] {
    const { length } = this.#known;
    const first = this.#rotate ? this.#turn++ % length : 0;
    const late = this.#now() - PENALTY_MS;
    const turned = this.#known.map((_, i) => this.#known[(first + i) % length]!);
    const well = turned.filter(({ failedAt }) => failedAt <= late);
    const failed = turned.filter(({ failedAt }) => failedAt > late);
    // Of those that failed the one first whose failure is longest ago.
    failed.sort((a, b) => a.failedAt - b.failedAt);
    return [...well, ...failed].map(({ server }) => server);
  }

  failed(server: NameServer): void {
    this.#of(server).failedAt = this.#now();
  }

  answered(server: NameServer): void {
    this.#of(server).failedAt = -Infinity;
  }

  #of(server: NameServer): Known {
    return this.#known.find((known) => known.server === server)!;
  }
}
