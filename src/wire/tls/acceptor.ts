/**
 * TLS handshakes with clients: from an accepted socket to a `TLSSocket` with what its handshake said.
 *
 *     accept ──> first bytes: ClientHello? ──> certificate by server name ──> tls.Server of it ──> secure
 *                   └─ plain HTTP: told apart, answered by the caller        └─ none that works: alert
 *
 * The ClientHello is read before OpenSSL sees it (and given back), because only then can the certificate, the ticket key
 * and what is asked of the client depend on it without a round through `SNICallback`, and a request in plain HTTP be
 * answered as one. Handshakes are bounded in time and in number: at the limit the oldest gives way, so that whoever opens
 * connections and says nothing cannot keep others out.
 */
import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import type { Server, TLSSocket } from 'node:tls';
import type { Certificate } from '../../entities/certificate.ts';
import { type TimerWheel, WheelTimer } from '../../lib/timer-wheel.ts';
import { CELL, type WorkerZone } from '../../zone/worker-zone.ts';
import type { TlsFacts } from '../message.ts';
import { type Blindness, type Peeked, type Sight, peek } from '../peek.ts';
import { ALERT, endWithAlert } from './alert.ts';
import { chainOf, judgeClient, type CertificateRefusal } from './client-certificate.ts';
import {
  type ClientHello,
  type ClientHelloResult,
  MAX_CLIENT_HELLO_BYTES,
  readClientHello,
} from './client-hello.ts';
import type { ServerContexts, TlsProfile } from './server-contexts.ts';

export interface AcceptorOptions {
  readonly wheel: TimerWheel;
  readonly zone: WorkerZone;
  readonly contexts: () => ServerContexts;
  /** Null: the default of the settings. */
  readonly certificateFor: (hello: HandshakeHello) => Certificate | null | Promise<Certificate | null>;
  /** Milliseconds from the first byte to the end of a handshake. */
  readonly timeoutMs: () => number;
  /** Handshakes in flight. */
  readonly limit: number;
  /** A sentence for the log: why a handshake came to nothing. */
  readonly onFailure: (reason: string, client: string, severe: boolean) => void;
}

/** What a certificate is chosen by. */
export interface HandshakeHello {
  readonly serverName: string;
  readonly profile: TlsProfile;
  readonly client: { readonly ip: string; readonly port: number };
}

/** What came of a connection; `gone`: nothing, it is closed and counted. */
export type Arrival =
  | {
      readonly kind: 'secure';
      readonly socket: TLSSocket;
      readonly facts: TlsFacts;
      /** By ALPN, '' when none was negotiated. */
      readonly protocol: string;
      readonly refusal: CertificateRefusal | null;
    }
  /** A request without TLS; the socket has all of it. */
  | { readonly kind: 'plain' }
  | { readonly kind: 'gone' };

/** What the handshake is to be like, by the server name that the client asks for (lower case, or ''). */
export type ProfileOf = (serverName: string) => TlsProfile;

interface Handshake {
  readonly raw: Socket;
  readonly profileOf: ProfileOf;
  profile: TlsProfile | null;
  readonly done: (arrival: Arrival) => void;
  readonly client: string;
  readonly startedAt: number;
  readonly timer: WheelTimer;
  serverName: string;
}

type First = ClientHelloResult | { readonly kind: 'plain' };

const PLAIN: Sight<First> = { value: { kind: 'plain' }, taken: 0 };

export class TlsAcceptor {
  readonly #options: AcceptorOptions;
  /** In the order of their beginning. */
  readonly #inFlight = new Map<Socket, Handshake>();

  constructor(options: AcceptorOptions) {
    this.#options = options;
  }

  /** Handshakes that are not over. */
  get pending(): number {
    return this.#inFlight.size;
  }

  /** Takes a socket without a reader. `done` is called once. @param client for the log. */
  accept(raw: Socket, profileOf: ProfileOf, client: string, done: (arrival: Arrival) => void): void {
    const handshake = this.#begin(raw, profileOf, client, done);
    const { wheel, timeoutMs } = this.#options;
    const limits = { wheel, timeoutMs: timeoutMs(), limit: MAX_CLIENT_HELLO_BYTES };
    peek(raw, lookAtFirst, limits, (peeked) => this.#onFirst(handshake, peeked));
  }

  /** The same for a socket whose ClientHello was read and given back by the caller. */
  terminate(
    raw: Socket,
    hello: ClientHello,
    { profile, client }: { readonly profile: TlsProfile; readonly client: string },
    done: (arrival: Arrival) => void,
  ): void {
    this.#shake(
      this.#begin(raw, () => profile, client, done),
      hello,
    );
  }

  /** Listeners of a server of `ServerContexts`. */
  attach(server: Server): void {
    server.on('secureConnection', (socket: TLSSocket) => this.#onSecure(socket));
    server.on('tlsClientError', (error: Error, socket: TLSSocket) => {
      const handshake = this.#handshakeOf(socket);
      if (handshake !== undefined) this.#fail(handshake, reasonOf(error));
    });
  }

  close(): void {
    for (const handshake of this.#inFlight.values()) this.#drop(handshake, 'the worker ends');
  }

  #begin(raw: Socket, profileOf: ProfileOf, client: string, done: Handshake['done']): Handshake {
    const { limit, zone } = this.#options;
    if (this.#inFlight.size >= limit) {
      const [oldest] = this.#inFlight.values();
      if (oldest !== undefined) this.#drop(oldest, 'too many handshakes at once: the oldest gave way');
    }
    const handshake: Handshake = {
      raw,
      profileOf,
      profile: null,
      done,
      client,
      startedAt: performance.now(),
      timer: new WheelTimer(() => this.#drop(handshake, 'the handshake took too long')),
      serverName: '',
    };
    this.#inFlight.set(raw, handshake);
    zone.increment(CELL.tlsHandshaking);
    return handshake;
  }

  #onFirst(handshake: Handshake, peeked: Peeked<First>): void {
    if (!this.#inFlight.has(handshake.raw)) return;
    if (!peeked.ok) return this.#drop(handshake, BLIND[peeked.why]);
    const { value } = peeked;
    if (value.kind === 'hello') return this.#shake(handshake, value.hello);
    if (value.kind === 'plain') {
      this.#end(handshake);
      handshake.done({ kind: 'plain' });
      return;
    }
    endWithAlert(handshake.raw, ALERT.decodeError);
    this.#fail(handshake, value.kind === 'fault' ? value.reason : 'no ClientHello');
  }

  #shake(handshake: Handshake, { serverName, ticketName }: ClientHello): void {
    const { wheel, timeoutMs, certificateFor } = this.#options;
    const { raw, client: ip } = handshake;
    handshake.serverName = serverName;
    const profile = (handshake.profile = handshake.profileOf(serverName));
    const left = handshake.startedAt + timeoutMs() - performance.now();
    wheel.arm(handshake.timer, Math.max(left, 0));
    try {
      const certificate = certificateFor({ serverName, profile, client: { ip, port: raw.remotePort ?? 0 } });
      if (certificate instanceof Promise) return this.#wait(handshake, certificate, ticketName);
      this.#shakeWith(handshake, certificate, ticketName);
    } catch (error) {
      this.#noCertificate(handshake, error);
    }
  }

  /** Nobody reads the socket meanwhile: what ends the waiting is an answer, or the time-out of the handshake. */
  #wait(handshake: Handshake, certificate: Promise<Certificate | null>, ticketName: Buffer | null): void {
    const { raw } = handshake;
    raw.on('error', ignore);
    certificate
      .then((chosen) => {
        if (this.#inFlight.has(raw)) this.#shakeWith(handshake, chosen, ticketName);
      })
      .catch((error: unknown) => {
        if (this.#inFlight.has(raw)) this.#noCertificate(handshake, error);
      });
  }

  #noCertificate(handshake: Handshake, error: unknown): void {
    endWithAlert(handshake.raw, ALERT.internalError);
    const why = error instanceof Error ? error.message : String(error);
    this.#fail(handshake, `no certificate for '${handshake.serverName}': ${why}`, true);
  }

  /** @throws Error when there is no context for it. */
  #shakeWith(handshake: Handshake, certificate: Certificate | null, ticketName: Buffer | null): void {
    const profile = handshake.profile ?? handshake.profileOf(handshake.serverName);
    const server = this.#options.contexts().serverFor(certificate, profile, ticketName);
    // Within a handshake an end is the end: nobody reads yet who could see it.
    handshake.raw.allowHalfOpen = false;
    server.emit('connection', handshake.raw);
  }

  #onSecure(socket: TLSSocket): void {
    const handshake = this.#handshakeOf(socket);
    if (handshake === undefined) return void socket.destroy();
    const { serverName, profile } = handshake;
    const version = socket.getProtocol() ?? '';
    // A second ClientHello (after a HelloRetryRequest) must name the same server.
    if (version === 'TLSv1.3' && !namesAlike(socket, serverName)) {
      return this.#drop(handshake, 'the server name changed within the handshake');
    }
    const { verify, refusal } = judgeClient(socket, profile?.verify ?? null);
    const cipher = socket.getCipher().name;
    let chain: readonly Buffer[] | null = null;
    const clientChain = (): readonly Buffer[] => (chain ??= chainOf(socket));
    socket.allowHalfOpen = true;
    this.#end(handshake);
    const { zone } = this.#options;
    zone.increment(CELL.tlsHandshakes);
    if (socket.isSessionReused()) zone.increment(CELL.tlsResumed);
    const facts = { serverName, version, cipher, clientVerify: verify, clientChain };
    const protocol = typeof socket.alpnProtocol === 'string' ? socket.alpnProtocol : '';
    handshake.done({ kind: 'secure', socket, facts, protocol, refusal });
  }

  /** Nothing but this tells which connection a `TLSSocket` was made of. */
  #handshakeOf(socket: TLSSocket): Handshake | undefined {
    const { _parent: raw } = socket as unknown as { readonly _parent?: Socket };
    return raw === undefined ? undefined : this.#inFlight.get(raw);
  }

  /** Cuts the connection. */
  #drop(handshake: Handshake, reason: string): void {
    this.#fail(handshake, reason);
    handshake.raw.destroy();
  }

  #fail(handshake: Handshake, reason: string, severe = false): void {
    if (!this.#end(handshake)) return;
    this.#options.zone.increment(CELL.tlsFailures);
    this.#options.onFailure(reason, handshake.client, severe);
    handshake.done({ kind: 'gone' });
  }

  #end({ raw, timer }: Handshake): boolean {
    if (!this.#inFlight.delete(raw)) return false;
    this.#options.wheel.remove(timer);
    this.#options.zone.decrement(CELL.tlsHandshaking);
    return true;
  }
}

const BLIND: Readonly<Record<Blindness, string>> = {
  timeout: 'the handshake took too long',
  limit: 'oversized ClientHello',
  gone: 'the client closed the connection',
};

/** What becomes of the connection is told by its handshake. */
function ignore(): void {}

const LETTER_A = 0x41;
const LETTER_Z = 0x5a;

/** A method begins with a letter, and no record of TLS does. */
function lookAtFirst(seen: Buffer): Sight<First> | null {
  const first = seen[0] ?? 0;
  if (first >= LETTER_A && first <= LETTER_Z) return PLAIN;
  const value = readClientHello(seen);
  return value.kind === 'incomplete' ? null : { value, taken: 0 };
}

function namesAlike(socket: TLSSocket, serverName: string): boolean {
  const { servername } = socket as { readonly servername?: string | false | null };
  const name = typeof servername === 'string' ? servername.toLowerCase() : '';
  return (name.endsWith('.') ? name.slice(0, -1) : name) === serverName;
}

/** OpenSSL's words without its file names and numbers. */
function reasonOf(error: Error): string {
  const { reason, code } = error as { readonly reason?: string; readonly code?: string };
  if (reason !== undefined) return reason;
  return code === 'ECONNRESET' ? 'the client closed the connection' : (code ?? error.message);
}
