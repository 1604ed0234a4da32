/**
 * Who asks? A bearer token (RFC 6750; or Kong's header `Kong-Admin-Token`, which decK and Terraform know) or the client
 * certificate of the connection, looked up in the store of grants.
 *
 * A certificate that an authority has signed and no grant names is known and yet may do nothing: an authority often
 * signs more than the people who may configure the gateway.
 */
import type { Log } from '../log.ts';
import type { Peer } from './peer.ts';
import type { Principal } from './principal.ts';
import type { FailureThrottle } from './throttle.ts';
import { type Grant, GrantsUnreadable, type TokenStore } from './token-store.ts';
import { hashToken, tokenFault } from './token.ts';

export type Authentication =
  | { readonly type: 'nobody' }
  | { readonly type: 'known'; readonly principal: Principal; readonly proof: 'token' | 'certificate' }
  | { readonly type: 'refused'; readonly status: 401 | 403 | 429 | 503; readonly message: string };

export interface Credentials {
  readonly authorization: string | undefined;
  readonly kongAdminToken: string | undefined;
}

export interface AuthenticatorOptions {
  readonly store: TokenStore;
  readonly throttle: FailureThrottle;
  readonly log: Log;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  readonly sleep?: (milliseconds: number) => Promise<void>;
}

/** Hashes of tokens that were good lately: they wait for nobody's failures. */
const MAX_RECENT = 1024;
/** Tries that are held at a time. */
const MAX_HELD = 256;
const UNREADABLE_LOG_MS = 60_000;

export class Authenticator {
  readonly #options: AuthenticatorOptions;
  readonly #recent = new Set<string>();
  #held = 0;
  #unreadableLogged = -Infinity;

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
  }

  /** @param guarded failures count and are slowed: somebody asks who has to be known. */
  async authenticate(credentials: Credentials, peer: Peer, guarded: boolean): Promise<Authentication> {
    try {
      const token = presented(credentials);
      if (token !== null) return await this.#token(token, guarded ? peer : null);
      return peer.subjects.length === 0 ? { type: 'nobody' } : await this.#certificate(peer);
    } catch (error) {
      if (!(error instanceof GrantsUnreadable)) throw error;
      this.#logUnreadable(error.message);
      return { type: 'refused', status: 503, message: 'the tokens cannot be read; the error log says why' };
    }
  }

  /** @param peer null: nobody counts failures. */
  async #token(token: string, peer: Peer | null): Promise<Authentication> {
    const hash = hashToken(token);
    const name = hash.toString('latin1');
    if (peer === null || this.#recent.has(name)) return await this.#check(token, hash, name);
    if (!(await this.#begin(peer.address))) {
      return { type: 'refused', status: 429, message: 'too many failed tries from this address' };
    }
    let found: Authentication = { type: 'nobody' };
    try {
      found = await this.#check(token, hash, name);
    } finally {
      const failed = found.type === 'refused';
      const count = this.#options.throttle.end(peer.address, failed ? 'failed' : 'passed');
      if (failed) this.#logFailure(found, peer.address, count);
    }
    return found;
  }

  async #check(token: string, hash: Buffer, name: string): Promise<Authentication> {
    const fault = tokenFault(token);
    const grant = fault === null ? await this.#options.store.findToken(hash) : null;
    const problem = fault ?? this.#problem(grant);
    this.#recent.delete(name);
    if (grant === null || problem !== null) return { type: 'refused', status: 401, message: problem ?? '' };
    this.#recent.add(name);
    if (this.#recent.size > MAX_RECENT) this.#recent.delete(this.#recent.keys().next().value ?? '');
    return { type: 'known', principal: principalOf(grant), proof: 'token' };
  }

  async #certificate(peer: Peer): Promise<Authentication> {
    const grant = await this.#options.store.findCertificate(peer.subjects);
    const problem = grant === null ? null : this.#problem(grant);
    if (grant === null || problem !== null) {
      const message = problem ?? `no grant names this certificate (${peer.subjects.join(', ')})`;
      return { type: 'refused', status: 403, message };
    }
    return { type: 'known', principal: principalOf(grant), proof: 'certificate' };
  }

  /** Null only with a grant that is good. */
  #problem(grant: Grant | null): string | null {
    if (grant === null) return 'the token is not known: it was revoked, or belongs to another gateway';
    const expired = grant.expires !== null && grant.expires <= (this.#options.now ?? Date.now)();
    return expired ? `'${grant.name}' has expired` : null;
  }

  /** Waits its turn; false: too many do. */
  async #begin(address: string): Promise<boolean> {
    const wait = this.#held < MAX_HELD ? this.#options.throttle.begin(address) : null;
    if (wait === null) return false;
    if (wait === 0) return true;
    this.#held += 1;
    await (this.#options.sleep ?? sleep)(wait).finally(() => {
      this.#held -= 1;
    });
    return true;
  }

  /** The 1st, 2nd, 4th, 8th …: whoever tries a million times gets twenty lines. */
  #logFailure(found: Authentication, address: string, count: number): void {
    if (found.type !== 'refused' || (count & (count - 1)) !== 0) return;
    this.#options.log('warn', `no access for ${address}: ${found.message} (failed tries: ${count})`);
  }

  #logUnreadable(message: string): void {
    const now = performance.now();
    if (now - this.#unreadableLogged < UNREADABLE_LOG_MS) return;
    this.#unreadableLogged = now;
    this.#options.log('error', `nobody is let in: ${message}`);
  }
}

/** Null: no token. Another scheme (a proxy's `Basic`) is none of ours. */
function presented({ authorization, kongAdminToken }: Credentials): string | null {
  const bearer = /^bearer +(\S.*)$/i.exec(authorization ?? '')?.[1];
  return bearer?.trimEnd() ?? kongAdminToken ?? null;
}

function principalOf({ name, role, kinds, tags }: Grant): Principal {
  return { name, role, kinds, tags };
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds).unref();
  });
}
