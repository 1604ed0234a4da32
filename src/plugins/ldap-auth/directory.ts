/** A directory: connections that are kept for a while, and a bound on those that there are and on who waits for one. */
import { type DirectoryAddress, DirectoryConnection, DirectoryError } from './connection.ts';

/** Connections of one configuration in one worker. */
const MOST = 16;
const WAITING = 1024;

/** Too many wait already. */
export class DirectoryBusy extends Error {
  override readonly name = 'DirectoryBusy';
}

export interface DirectoryOptions extends DirectoryAddress {
  /** Milliseconds for one answer, connecting included. */
  readonly timeoutMs: number;
  readonly keepaliveMs: number;
}

interface Idle {
  readonly connection: DirectoryConnection;
  readonly timer: NodeJS.Timeout;
}

export class LdapDirectory {
  readonly #options: DirectoryOptions;
  readonly #idle: Idle[] = [];
  readonly #waiting: Array<() => void> = [];
  readonly #busy = new Set<DirectoryConnection>();
  #running = 0;
  #disposed = false;

  constructor(options: DirectoryOptions) {
    this.#options = options;
  }

  /** Whether it takes the password. @throws DirectoryError, DirectoryBusy (rejections) */
  async bind(dn: string, password: string): Promise<boolean> {
    const deadline = performance.now() + this.#options.timeoutMs;
    await this.#turn();
    try {
      const kept = this.#takeIdle();
      if (kept === null) return await this.#bindOn(await this.#connect(), dn, password, deadline);
      try {
        return await this.#bindOn(kept, dn, password, deadline);
      } catch (error) {
        // The directory may have closed it at the same moment. A bind changes nothing, so it is repeated, once.
        if (!(error instanceof DirectoryError) || performance.now() >= deadline) throw error;
        return await this.#bindOn(await this.#connect(), dn, password, deadline);
      }
    } finally {
      this.#running--;
      this.#waiting.shift()?.();
    }
  }

  /** Connections in use and idle ones. */
  get size(): number {
    return this.#busy.size + this.#idle.length;
  }

  dispose(): void {
    this.#disposed = true;
    for (const { connection, timer } of this.#idle.splice(0)) {
      clearTimeout(timer);
      connection.close();
    }
  }

  async #bindOn(
    connection: DirectoryConnection,
    dn: string,
    password: string,
    deadline: number,
  ): Promise<boolean> {
    this.#busy.add(connection);
    try {
      return await connection.bind(dn, password, deadline);
    } finally {
      this.#busy.delete(connection);
      this.#keep(connection);
    }
  }

  async #connect(): Promise<DirectoryConnection> {
    return new DirectoryConnection(await import('ldapts'), this.#options);
  }

  async #turn(): Promise<void> {
    if (this.#running >= MOST) {
      if (this.#waiting.length >= WAITING) throw new DirectoryBusy('too many wait for the directory');
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.push(resolve);
      await promise;
    }
    this.#running++;
  }

  #takeIdle(): DirectoryConnection | null {
    for (;;) {
      const idle = this.#idle.pop();
      if (idle === undefined) return null;
      clearTimeout(idle.timer);
      if (!idle.connection.closed) return idle.connection;
    }
  }

  #keep(connection: DirectoryConnection): void {
    const { keepaliveMs } = this.#options;
    if (connection.closed) return;
    if (this.#disposed || keepaliveMs <= 0) return connection.close();
    const timer = setTimeout(() => {
      const at = this.#idle.findIndex((idle) => idle.connection === connection);
      if (at >= 0) this.#idle.splice(at, 1);
      connection.close();
    }, keepaliveMs);
    timer.unref();
    this.#idle.push({ connection, timer });
  }
}
