/**
 * Codes and tokens as records of the gateway's store (docs/adr/0037-oauth2-and-sessions.md). A token's record is the entity
 * `oauth2_tokens` that the Admin API shows. A code is spent by deleting its record, which the store does for one caller only,
 * on whatever worker and node.
 */
import { randomUUID } from 'node:crypto';
import type { Oauth2Credential } from '../../entities/oauth2-credential.ts';
import type { Oauth2Token } from '../../entities/oauth2-token.ts';
import { randomKey } from '../../entities/schema/random-key.ts';
import type { CollectionInput, CollectionRecord, RecordCollections } from '../kit/services.ts';

const TOKENS = 'oauth2_tokens';
const CODES = 'oauth2_authorization_codes';
/** RFC 6749 §4.1.2 wants ten minutes at most; Kong gives five. */
const CODE_MS = 300_000;
/** What the store keeps at most: ten years. */
const MAX_TTL_MS = 10 * 365 * 24 * 3600 * 1000;

/** What a code and a token are given out for. */
export interface Grant {
  readonly serviceId: string | null;
  readonly credential: Oauth2Credential;
  readonly userId: string | null;
  readonly scope: string | null;
}

export interface CodeRequest extends Grant {
  readonly pluginId: string;
  readonly challenge: string | null;
  /** As the client named it; null: it did not, and got its first one. */
  readonly redirectUri: string | null;
}

export interface Code {
  readonly id: string;
  readonly service: { readonly id: string } | null;
  readonly credential: { readonly id: string };
  readonly plugin: { readonly id: string };
  readonly authenticated_userid: string | null;
  readonly scope: string | null;
  readonly challenge: string | null;
  readonly redirect_uri: string | null;
}

export interface Found<T> {
  readonly record: CollectionRecord;
  readonly value: T;
}

export interface TokenTerms {
  /** Seconds; 0: no end. */
  readonly expiresIn: number;
  readonly refreshTtl: number;
  readonly refreshable: boolean;
}

export class TokenStore {
  readonly #records: RecordCollections;

  constructor(records: RecordCollections) {
    this.#records = records;
  }

  /** Null: the client, the service or the plugin is gone. */
  async issueCode(request: CodeRequest): Promise<string | null> {
    const { serviceId, credential, pluginId } = request;
    const code = randomKey();
    const value = {
      id: randomUUID(),
      created_at: seconds(),
      code,
      service: reference(serviceId),
      credential: { id: credential.id },
      plugin: { id: pluginId },
      authenticated_userid: request.userId,
      scope: request.scope,
      challenge: request.challenge,
      redirect_uri: request.redirectUri,
    };
    const owners = [...ownersOf(serviceId, credential.id), { kind: 'plugins', id: pluginId }];
    const record = { key: value.id, value, unique: { code }, owners };
    const made = await this.#records.put(CODES, record, { ifVersion: 0, ttlMs: CODE_MS });
    return made ? code : null;
  }

  async findCode(code: string): Promise<Found<Code> | null> {
    return found(await this.#records.findBy(CODES, 'code', code));
  }

  /** True for one caller. */
  spendCode({ record }: Found<Code>): Promise<boolean> {
    return this.#records.delete(CODES, record.key, { ifVersion: record.version });
  }

  /** Null: the client or the service is gone. */
  async issue(grant: Grant, terms: TokenTerms): Promise<Oauth2Token | null> {
    const token: Oauth2Token = {
      id: randomUUID(),
      created_at: seconds(),
      service: reference(grant.serviceId),
      credential: { id: grant.credential.id },
      token_type: 'bearer',
      expires_in: terms.expiresIn,
      access_token: randomKey(),
      refresh_token: terms.refreshable ? randomKey() : null,
      authenticated_userid: grant.userId,
      scope: grant.scope,
    };
    const made = await this.#records.put(TOKENS, recordOf(token), { ifVersion: 0, ...timeToLive(terms) });
    return made ? token : null;
  }

  /** The same refresh token with another access token. Null: somebody was faster, or it is gone. */
  async renew({ record, value }: Found<Oauth2Token>, terms: TokenTerms): Promise<Oauth2Token | null> {
    const token: Oauth2Token = {
      ...value,
      access_token: randomKey(),
      expires_in: terms.expiresIn,
      created_at: seconds(),
    };
    const options = { ifVersion: record.version, ...timeToLive(terms) };
    return (await this.#records.put(TOKENS, recordOf(token), options)) ? token : null;
  }

  /** True for one caller. */
  revoke({ record }: Found<Oauth2Token>): Promise<boolean> {
    return this.#records.delete(TOKENS, record.key, { ifVersion: record.version });
  }

  async findByRefreshToken(token: string): Promise<Found<Oauth2Token> | null> {
    return found(await this.#records.findBy(TOKENS, 'refresh_token', token));
  }

  /** Without a promise where the worker has seen it. */
  findByAccessToken(token: string): Oauth2Token | null | Promise<Oauth2Token | null> {
    const record = this.#records.findBy(TOKENS, 'access_token', token);
    return record instanceof Promise ? record.then(tokenOf) : tokenOf(record);
  }
}

function tokenOf(record: CollectionRecord | null): Oauth2Token | null {
  return record === null ? null : (record.value as unknown as Oauth2Token);
}

function found<T>(record: CollectionRecord | null): Found<T> | null {
  return record === null ? null : { record, value: record.value as T };
}

function recordOf(token: Oauth2Token): CollectionInput {
  const { id, access_token, refresh_token, service, credential } = token;
  const unique = { access_token, ...(refresh_token === null ? {} : { refresh_token }) };
  return { key: id, value: { ...token }, unique, owners: ownersOf(service?.id ?? null, credential.id) };
}

function ownersOf(serviceId: string | null, credentialId: string): Array<{ kind: string; id: string }> {
  const owners = [{ kind: 'oauth2_credentials', id: credentialId }];
  if (serviceId !== null) owners.push({ kind: 'services', id: serviceId });
  return owners;
}

function reference(id: string | null): { id: string } | null {
  return id === null ? null : { id };
}

/** Kong keeps all tokens as long as refresh tokens; one that cannot be refreshed is of no use once it has expired. */
function timeToLive({ expiresIn, refreshTtl, refreshable }: TokenTerms): { ttlMs?: number } {
  if (expiresIn === 0) return {};
  const kept = refreshTtl > 0 ? refreshTtl : Infinity;
  const seconds = refreshable ? kept : Math.min(kept, expiresIn);
  if (seconds === Infinity) return {};
  return { ttlMs: Math.min(MAX_TTL_MS, Math.max(1, Math.ceil(seconds * 1000))) };
}

function seconds(): number {
  return Math.floor(Date.now() / 1000);
}
