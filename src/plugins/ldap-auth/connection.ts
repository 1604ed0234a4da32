/**
 * One connection to a directory, for one bind at a time.
 *
 * The socket is ours: the client of `ldapts` gets it once. It would open another one by itself when it is gone, which after
 * StartTLS would not be encrypted, and the password would be sent in clear.
 */
import type { Client, ResultCodeError } from 'ldapts';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

export interface DirectoryAddress {
  readonly host: string;
  readonly port: number;
  readonly security: 'none' | 'ldaps' | 'start_tls';
  readonly verify: boolean;
}

/** What of the package is used: it is loaded when a directory is first asked. */
export interface Ldapts {
  readonly Client: typeof Client;
  readonly ResultCodeError: typeof ResultCodeError;
}

/** Codes of results that say nothing of who asks (RFC 4511 §4.1.9): the directory cannot answer now. */
const UNABLE: ReadonlySet<number> = new Set([1, 2, 3, 11, 51, 52, 54, 80]);

/** The directory did not say whether the password is right. */
export class DirectoryError extends Error {
  override readonly name = 'DirectoryError';
}

export class DirectoryConnection {
  readonly #ldapts: Ldapts;
  readonly #address: DirectoryAddress;
  readonly #client: Client;
  #socket: Socket | null = null;
  #secured = false;
  closed = false;

  constructor(ldapts: Ldapts, address: DirectoryAddress) {
    this.#ldapts = ldapts;
    this.#address = address;
    const { host, port, security } = address;
    const scheme = security === 'ldaps' ? 'ldaps' : 'ldap';
    this.#client = new ldapts.Client({
      url: `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`,
      createConnection: () => this.#open(),
      createSecureConnection: () => this.#secure(),
    });
  }

  /** Whether the directory takes the password. @throws DirectoryError (rejection) */
  async bind(dn: string, password: string, deadline: number): Promise<boolean> {
    const timer = setTimeout(() => this.close(), Math.max(1, deadline - performance.now()));
    try {
      return await this.#race(this.#bind(dn, password));
    } catch (error) {
      this.close();
      throw new DirectoryError(error instanceof Error ? error.message : String(error), { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    this.closed = true;
    this.#socket?.destroy();
    this.#gone.reject(new Error('the directory did not answer in time, or closed the connection'));
  }

  readonly #gone = withoutWarning(Promise.withResolvers<never>());

  /** The client does not notice every end of a connection. */
  #race<T>(work: Promise<T>): Promise<T> {
    work.catch(() => undefined);
    return Promise.race([work, this.#gone.promise]);
  }

  async #bind(dn: string, password: string): Promise<boolean> {
    if (this.#address.security === 'start_tls' && !this.#secured) {
      await this.#client.startTLS({});
      this.#secured = true;
    }
    try {
      await this.#client.bind(dn, password);
      return true;
    } catch (error) {
      if (error instanceof this.#ldapts.ResultCodeError && !UNABLE.has(error.code)) return false;
      throw error;
    }
  }

  /** Once; the next time there is nothing to send a password over. */
  #open(): Socket {
    if (this.#socket !== null) throw new Error('the connection is closed');
    const { host, port } = this.#address;
    return this.#own(process.getBuiltinModule('node:net').connect(port, host));
  }

  /** For `ldaps` the connection itself, for StartTLS over the one that there is. */
  #secure(): TLSSocket {
    const { host, port, verify, security } = this.#address;
    const { connect } = process.getBuiltinModule('node:tls');
    const { isIP } = process.getBuiltinModule('node:net');
    // An address is no name that could be asked for, and is verified all the same.
    const name = isIP(host) === 0 ? { servername: host } : {};
    const options = { host, rejectUnauthorized: verify, ...name };
    if (security === 'start_tls') {
      if (this.#socket === null || this.closed || this.#secured) throw new Error('the connection is closed');
      return this.#watched(connect({ ...options, socket: this.#socket }));
    }
    if (this.#socket !== null) throw new Error('the connection is closed');
    return this.#own(connect({ ...options, port }));
  }

  #own<S extends Socket>(socket: S): S {
    this.#socket = socket;
    socket.setNoDelay(true);
    // Idle, it keeps nobody's process alive.
    socket.unref();
    return this.#watched(socket);
  }

  #watched<S extends Socket>(socket: S): S {
    socket.on('close', () => this.close());
    return socket;
  }
}

/** Nobody may be waiting for it. */
function withoutWarning<T>(resolvers: PromiseWithResolvers<T>): PromiseWithResolvers<T> {
  resolvers.promise.catch(() => undefined);
  return resolvers;
}
