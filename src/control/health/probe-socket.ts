/**
 * Plain connections for probes. A socket that is closed connects again for another probe, with a connection of its own as
 * before: what is reused are only the objects.
 *
 *     free ── connect ──> connecting ──> connected ── release ──> closing ── 'close' ──> free
 *
 * An object that wraps something of the system is kept by each scavenge, and whatever it refers to with it. With new ones
 * for each probe all of them came to the old generation, and its collection was a quarter of what probes cost.
 */
import { Socket } from 'node:net';
import { resetSocket } from '../../wire/reset-socket.ts';

/** What a probe hears of its connection. Nothing behind `release`. */
export interface ProbeEvents {
  connected(): void;
  /** Bytes that are valid during the call. */
  received(bytes: Buffer): void;
  /** It is over. @param error why; null: its end, or a close without a word. */
  broken(error: Error | null, what: 'closed' | 'ended'): void;
}

/** More of them are let go when they close. */
const MAX_FREE = 128;
/** All read into it: what is there is looked at before the next read. */
const READ = Buffer.allocUnsafeSlow(1024);

const free: ProbeSocket[] = [];

export class ProbeSocket {
  readonly #socket: Socket;
  #events: ProbeEvents | null = null;

  private constructor() {
    const onread = {
      buffer: READ,
      callback: (bytes: number): boolean => {
        this.#events?.received(READ.subarray(0, bytes));
        return this.#events !== null;
      },
    };
    const options = { allowHalfOpen: true, onread };
    this.#socket = new Socket(options);
    this.#socket.on('connect', () => this.#events?.connected());
    this.#socket.on('error', (error) => this.#events?.broken(error, 'closed'));
    this.#socket.on('end', () => this.#events?.broken(null, 'ended'));
    this.#socket.on('close', () => {
      this.#events?.broken(null, 'closed');
      this.#events = null;
      if (free.length < MAX_FREE) free.push(this);
    });
  }

  static connect(host: string, port: number, events: ProbeEvents): ProbeSocket {
    const socket = free.pop() ?? new ProbeSocket();
    socket.#events = events;
    socket.#socket.connect({ host, port, autoSelectFamily: false });
    return socket;
  }

  write(text: string): void {
    this.#socket.write(text, 'latin1');
  }

  /** By a reset where nothing is lost: a thousand probes a second would leave 60,000 sockets waiting for their end. */
  release(): void {
    this.#events = null;
    if (this.#socket.connecting) this.#socket.destroy();
    else resetSocket(this.#socket);
  }
}
