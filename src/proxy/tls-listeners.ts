/**
 * TLS of a worker's listeners: what `wire/tls` needs of settings and snapshot, and what its handshakes mean for requests.
 *
 * Settings and certificates change live: contexts are made again of what is new, and the next handshake has them;
 * connections that are open keep what they have. When clients are to be asked for certificates by other rules, those that
 * were judged by the old ones end.
 */
import type { Socket } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import type { TimerWheel } from '../lib/timer-wheel.ts';
import type { Listener, LogLevel, Settings } from '../settings/settings.ts';
import { SecretTexts } from '../snapshot/secret-texts.ts';
import type { Trust } from '../snapshot/trust.ts';
import type { ConnectionGuard, TlsFacts } from '../wire/message.ts';
import { type Arrival, type HandshakeHello, TlsAcceptor } from '../wire/tls/acceptor.ts';
import type { ClientHello } from '../wire/tls/client-hello.ts';
import { ServerContexts, type TlsProfile } from '../wire/tls/server-contexts.ts';
import { type ClientVerify, type ServerMaterial, readServerMaterial } from '../wire/tls/server-material.ts';
import { Staples } from '../wire/tls/staples.ts';
import type { TicketKeys } from '../zone/ticket-keys.ts';
import type { WorkerZone } from '../zone/worker-zone.ts';
import type { ArrivalFacts } from './arrival.ts';
import { CertificateFilters, type CertificateSteps } from './plugins/certificates.ts';
import { asks, type ClientAsking } from './client-asking.ts';

export interface TlsListenersOptions {
  readonly wheel: TimerWheel;
  readonly zone: WorkerZone;
  readonly tickets: TicketKeys;
  /** Certificates, server names and vaults of now. */
  readonly trust: () => Trust;
  /** `client`: null when it is about none. */
  readonly log: (level: LogLevel, message: string, client: string | null) => void;
  /** Filters of plugins that choose certificates: of requests' connections, of streams'. */
  readonly certificates?: (streams: boolean) => CertificateSteps;
  /** Milliseconds that they may take. */
  readonly pluginTimeout?: () => number;
  /** A handshake came to nothing: nobody will hear of its connection. */
  readonly onGone: () => void;
}

/** nginx waits a minute (client_header_timeout); a handshake that takes longer than this is an attack or lost. */
const HANDSHAKE_MS = 15_000;
/** Handshakes in flight on one worker. */
const MAX_HANDSHAKES = 4096;

/** What nginx offers (`http2` off), and with it. */
const HTTP1 = ['http/1.1', 'http/1.0'];
const HTTP2 = ['h2', ...HTTP1];

type Profiles = Readonly<Record<'http1' | 'http2', TlsProfile>>;

export class TlsListeners {
  readonly acceptor: TlsAcceptor;
  readonly #options: TlsListenersOptions;
  readonly #staples: Staples;
  readonly #filters: CertificateFilters;
  #contexts: ServerContexts | null = null;
  #profiles: Profiles | null = null;
  /** Clients that plugins want a certificate of; null: there are none. */
  #asking: (ClientAsking & { readonly profiles: Profiles }) | null = null;
  #handshakeMs = HANDSHAKE_MS;
  /** Counts the rules by which clients were asked for certificates. */
  #rules = 0;

  constructor(options: TlsListenersOptions) {
    this.#options = options;
    // Within the time of a handshake, so that the log names who was late.
    this.#filters = new CertificateFilters(options.wheel, () =>
      Math.min(options.pluginTimeout?.() ?? Infinity, this.#handshakeMs * 0.9),
    );
    this.#staples = new Staples({ onProblem: (message) => options.log('warn', message, null) });
    this.acceptor = new TlsAcceptor({
      wheel: options.wheel,
      zone: options.zone,
      contexts: () => this.#have(this.#contexts),
      certificateFor: (hello) => this.#certificateFor(hello),
      timeoutMs: () => this.#handshakeMs,
      limit: MAX_HANDSHAKES,
      onFailure: (reason, client, severe) =>
        options.log(severe ? 'error' : 'info', `TLS handshake failed: ${reason}`, client),
    });
  }

  /**
   * @returns whether clients are asked for certificates by other rules than before.
   * @throws Error that names the setting; then what was served is served on.
   */
  configure(settings: Settings): boolean {
    if (![...settings.proxy_listen, ...settings.stream_listen].some(({ ssl }) => ssl)) return false;
    const material = readServerMaterial(settings);
    const { verify } = material;
    this.#handshakeMs = Math.min(settings.nginx_http_client_header_timeout || HANDSHAKE_MS, HANDSHAKE_MS);
    const outdated = this.#profiles !== null && !isDeepStrictEqual(this.#profiles.http1.verify, verify);
    if (outdated) this.#rules++;
    this.#profiles = {
      http1: { name: 'http1', alpn: HTTP1, verify },
      http2: { name: 'http2', alpn: HTTP2, verify },
    };
    this.#contexts = this.#contextsOf(material, settings);
    // So that the OCSP response of the default certificate is asked for before the first handshake.
    for (const profile of Object.values(this.#profiles)) this.#contexts.serverFor(null, profile, null);
    return outdated;
  }

  /** Who is asked for a certificate from the next handshake on; where the settings ask, everybody is asked as they say. */
  ask(asking: ClientAsking | null): void {
    const before = this.#asking;
    if (asking !== null && before?.authorities === asking.authorities) {
      this.#asking = { ...asking, profiles: before.profiles };
      return;
    }
    for (const profile of Object.values(before?.profiles ?? {})) this.#contexts?.forget(profile);
    this.#asking = asking === null ? null : { ...asking, profiles: askingProfiles(asking.authorities) };
  }

  #certificateFor({ serverName, profile, client }: HandshakeHello): ReturnType<CertificateFilters['choose']> {
    const { trust, certificates } = this.#options;
    const steps = certificates?.(profile === STREAM) ?? [];
    if (steps.length === 0) return trust().certificateFor(serverName);
    const chosen = this.#filters.choose(steps, { serverName, client });
    if (!(chosen instanceof Promise)) return chosen ?? trust().certificateFor(serverName);
    return chosen.then((one) => one ?? trust().certificateFor(serverName));
  }

  /** Handshakes that are not over. */
  get pending(): number {
    return this.acceptor.pending;
  }

  accept(
    socket: Socket,
    listener: Listener,
    facts: ArrivalFacts,
    serve: (socket: Socket, facts: ArrivalFacts) => void,
  ): void {
    const kind = listener.http2 ? 'http2' : 'http1';
    const profile = this.#have(this.#profiles)[kind];
    const rules = this.#rules;
    const profileOf = (serverName: string): TlsProfile => {
      const asking = this.#asking;
      return asking !== null && profile.verify === null && asks(asking, serverName)
        ? asking.profiles[kind]
        : profile;
    };
    this.acceptor.accept(socket, profileOf, facts.remoteAddress, (arrival) => {
      if (arrival.kind === 'gone') return this.#options.onGone();
      if (arrival.kind === 'plain') return serve(socket, { ...facts, guard: PLAIN_HTTP });
      const { socket: secure, facts: tls, protocol } = arrival;
      if (rules !== this.#rules) {
        secure.destroy();
        return this.#options.onGone();
      }
      const engine = protocol === 'h2' ? 'h2' : 'http/1.1';
      serve(secure, { ...facts, tls, protocol: engine, guard: guardOf(arrival, profile) });
    });
  }

  /** For a route of `tls`: the ClientHello has been read and given back. `done` gets null when nothing came of it. */
  terminate(
    socket: Socket,
    hello: ClientHello,
    client: string,
    done: (secure: Socket | null, facts: TlsFacts | null) => void,
  ): void {
    this.acceptor.terminate(socket, hello, { profile: STREAM, client }, (arrival) =>
      arrival.kind === 'secure' ? done(arrival.socket, arrival.facts) : done(null, null),
    );
  }

  close(): void {
    this.acceptor.close();
    this.#staples.close();
  }

  #contextsOf(material: ServerMaterial, settings: Settings): ServerContexts {
    const { trust } = this.#options;
    const texts = new SecretTexts({
      env: process.env,
      envPrefix: settings.vault_env_prefix,
      fileBase: settings.vault_file_base,
    });
    return new ServerContexts({
      material,
      tickets: this.#options.tickets,
      resolve: (reference) => texts.of(reference, trust()),
      vaults: () => trust().vaults,
      onServer: (server, pairs) => {
        this.acceptor.attach(server);
        this.#staples.attach(server, pairs, material.stapling);
      },
    });
  }

  #have<T>(value: T | null): T {
    if (value === null) throw new Error('TLS is not configured');
    return value;
  }
}

function askingProfiles(authorities: string): Profiles {
  const verify: ClientVerify = { mode: 'plugins', authorities: authorities || null, crl: null, depth: 100 };
  return {
    http1: { name: 'http1-plugins', alpn: HTTP1, verify },
    http2: { name: 'http2-plugins', alpn: HTTP2, verify },
  };
}

/** What is inside is nobody's business here: no protocol is negotiated. */
const STREAM: TlsProfile = { name: 'stream', alpn: [], verify: null };

const PLAIN_HTTP: ConnectionGuard = { refusal: 'plain_http', serverName: '' };

function guardOf(
  arrival: Extract<Arrival, { kind: 'secure' }>,
  { verify }: TlsProfile,
): ConnectionGuard | null {
  return verify === null ? null : { refusal: arrival.refusal, serverName: arrival.facts.serverName };
}
