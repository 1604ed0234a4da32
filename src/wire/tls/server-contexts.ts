/**
 * From a certificate to the `tls.Server` that shakes hands with it.
 *
 * None of these servers listens: each is an OpenSSL context with what Node wants around it, and gets its connections by
 * `emit('connection', socket)`. They are made when a connection first asks, kept in a bounded cache beside the entity that
 * they were made of (an unchanged entity stays the same object from snapshot to snapshot), and never mixed: a certificate
 * that cannot be built is an error for its own names alone.
 *
 * OpenSSL as Node builds it knows one ticket key for each context. So a certificate has two: one for what is sealed now,
 * one that is only made when a client comes with a ticket of the key before (`ClientHello.ticketName`).
 */
import { constants, createHash } from 'node:crypto';
import type { SecureContextOptions, Server } from 'node:tls';
import type { Certificate } from '../../entities/certificate.ts';
import { isVaultReference } from '../../lib/vault/reference.ts';
import { KEY_NAME_BYTES, type TicketKeys } from '../../zone/ticket-keys.ts';
import { type ClientVerify, type KeyPair, type ServerMaterial, verifyOptions } from './server-material.ts';

/** What a kind of listener wants of its handshakes: one object for as long as that stays the same. */
export interface TlsProfile {
  /** Of the kind, by which its sessions go. */
  readonly name: string;
  /** Protocols that are offered; empty: none are negotiated. */
  readonly alpn: readonly string[];
  /** What is asked of clients. */
  readonly verify: ClientVerify | null;
}

export interface ContextsOptions {
  readonly material: ServerMaterial;
  readonly tickets: TicketKeys;
  /** Vault reference → secret. @throws VaultError */
  readonly resolve: (reference: string) => string;
  /** The same object as long as references lead to the same place. */
  readonly vaults?: () => object;
  /** Milliseconds on a clock that never goes back. */
  readonly now?: () => number;
  /** Attaches the listeners of a new server. */
  readonly onServer: (server: Server, pairs: readonly KeyPair[]) => void;
}

interface Entry {
  readonly certificate: Certificate | null;
  readonly pairs: readonly KeyPair[];
  readonly failure: Error | null;
  readonly vaults: object | undefined;
  /** By `performance.now()`: when references are read, or a failure is tried, again. */
  readonly until: number;
  /** By profile; `previous` opens tickets of the key before. */
  readonly current: Map<TlsProfile, Server>;
  readonly previous: Map<TlsProfile, Server>;
  generation: number;
}

/** Not imported: see decision 15; an import reads every export, which costs a worker 0.4 MiB. */

const MAX_ENTRIES = 1000;
/** Vault references are asked again; their resolver has its own times. */
const REFERENCES_MS = 10_000;
const FAILURE_MS = 2000;

export class ServerContexts {
  readonly #options: ContextsOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #now: () => number;

  constructor(options: ContextsOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /**
   * @param certificate null: the default of the settings.
   * @throws Error that says why there is no context for it.
   */
  serverFor(certificate: Certificate | null, profile: TlsProfile, ticketName: Buffer | null): Server {
    const id = certificate?.id ?? '';
    const entry = this.#entry(id, certificate);
    if (entry.failure !== null) throw entry.failure;
    const keys = this.#options.tickets.pair;
    if (entry.generation !== keys.generation) {
      for (const server of entry.current.values()) server.setTicketKeys(keys.current);
      entry.previous.clear();
      entry.generation = keys.generation;
    }
    const old = ticketName !== null && ticketName.equals(keys.previous.subarray(0, KEY_NAME_BYTES));
    const servers = old ? entry.previous : entry.current;
    let server = servers.get(profile);
    if (server === undefined) {
      server = this.#build(entry, id, profile, old ? keys.previous : keys.current);
      servers.set(profile, server);
    }
    return server;
  }

  /** Nobody comes with this profile any more. */
  forget(profile: TlsProfile): void {
    for (const { current, previous } of this.#entries.values()) {
      current.delete(profile);
      previous.delete(profile);
    }
  }

  #entry(id: string, certificate: Certificate | null): Entry {
    const found = this.#entries.get(id);
    const now = this.#now();
    const known = found?.certificate === certificate ? found : null;
    const holds = known !== null && now < known.until && this.#vaultsHold(known);
    const entry = holds ? known : this.#refreshed(known, certificate, now);
    // The one that was asked for longest ago goes first.
    this.#entries.delete(id);
    this.#entries.set(id, entry);
    if (this.#entries.size > MAX_ENTRIES) this.#entries.delete(this.#entries.keys().next().value ?? '');
    return entry;
  }

  /** False: what was read of references, or could not be, is of other vaults. */
  #vaultsHold({ certificate, vaults }: Entry): boolean {
    return certificate === null || vaults === this.#options.vaults?.() || !hasReference(certificate);
  }

  /** @param known the entry of the same entity whose time is over. */
  #refreshed(known: Entry | null, certificate: Certificate | null, now: number): Entry {
    const vaults = this.#options.vaults?.();
    const fresh = { certificate, vaults, current: new Map(), previous: new Map(), generation: 0 };
    let pairs: readonly KeyPair[];
    try {
      pairs = certificate === null ? this.#options.material.pairs : this.#pairsOf(certificate);
      const same = known?.failure === null && samePairs(known.pairs, pairs);
      const until = certificate !== null && hasReference(certificate) ? now + REFERENCES_MS : Infinity;
      if (known !== null && same) return { ...known, vaults, until };
      return { ...fresh, pairs, failure: null, until };
    } catch (error) {
      // A secret that cannot be read any more: what was made of it serves on.
      if (known?.failure === null) return { ...known, vaults, until: now + FAILURE_MS };
      return { ...fresh, pairs: [], failure: asError(error), until: now + FAILURE_MS };
    }
  }

  #pairsOf({ cert, key, cert_alt, key_alt }: Certificate): KeyPair[] {
    const text = (value: string): string => (isVaultReference(value) ? this.#options.resolve(value) : value);
    const pairs = [{ cert: text(cert), key: text(key) }];
    if (typeof cert_alt === 'string' && typeof key_alt === 'string') {
      pairs.push({ cert: text(cert_alt), key: text(key_alt) });
    }
    return pairs;
  }

  #build(entry: Entry, id: string, profile: TlsProfile, ticketKey: Buffer): Server {
    try {
      const server = process.getBuiltinModule('node:tls').createServer({
        ...this.#contextOptions(entry.pairs, id, profile, ticketKey),
        ...(profile.alpn.length === 0 ? {} : { ALPNProtocols: [...profile.alpn] }),
        requestCert: profile.verify !== null,
        rejectUnauthorized: false,
      });
      this.#options.onServer(server, entry.pairs);
      return server;
    } catch (error) {
      const failure = asError(error);
      const until = this.#now() + FAILURE_MS;
      this.#entries.set(id, { ...entry, pairs: [], failure, until });
      throw failure;
    }
  }

  #contextOptions(
    pairs: readonly KeyPair[],
    id: string,
    { name, verify }: TlsProfile,
    ticketKey: Buffer,
  ): SecureContextOptions {
    const { suite, tickets, ticketSeconds } = this.#options.material;
    // What a resumed session said of its client would be yesterday's: revoked since, or of a chain that nobody sees again.
    const resumes = tickets && verify === null;
    return {
      ...suite,
      secureOptions: (suite.secureOptions ?? 0) | (resumes ? 0 : constants.SSL_OP_NO_TICKET),
      cert: pairs.map(({ cert }) => cert),
      key: pairs.map(({ key }) => key),
      ...verifyOptions(verify),
      sessionIdContext: sessionContext(name, id),
      ...(resumes ? { ticketKeys: ticketKey, sessionTimeout: ticketSeconds } : {}),
    };
  }
}

/** A session of one certificate is none of another's, nor of another kind of listener. OpenSSL takes 32 octets. */
function sessionContext(profile: string, id: string): string {
  return createHash('sha256').update(`${profile} ${id}`).digest('base64').slice(0, 32);
}

function samePairs(a: readonly KeyPair[], b: readonly KeyPair[]): boolean {
  return a.length === b.length && a.every(({ cert, key }, at) => cert === b[at]?.cert && key === b[at].key);
}

function hasReference({ cert, key, cert_alt, key_alt }: Certificate): boolean {
  return [cert, key, cert_alt, key_alt].some((value) => typeof value === 'string' && isVaultReference(value));
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
