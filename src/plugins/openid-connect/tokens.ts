/** Tokens, and what is known by them of who calls. */
import type { Exchange } from '../kit/exchange.ts';
import { payloadOf } from './claims.ts';
import type { Claims } from './config.ts';

export interface Tokens {
  readonly access: string;
  readonly id: string | null;
  readonly refresh: string | null;
  /** Unix seconds; null: the provider does not say. */
  readonly expires: number | null;
  /** As the provider granted them; null: as they were asked for. */
  readonly scope: string | null;
}

/** Content of a session's cookie. Times are Unix seconds. */
export interface Session {
  readonly id: string;
  readonly started: number;
  readonly used: number;
  readonly client: number;
  readonly tokens: Tokens;
}

/** By what a client was recognized. */
export interface Evidence {
  readonly tokens: Tokens | null;
  /** Of the access token, or its introspection. */
  readonly access: Claims | null;
  readonly introspection: Claims | null;
  readonly id: Claims | null;
  readonly client: number;
  /** The client has shown the token itself: it may be for anybody whom the provider knows. */
  readonly bearer: boolean;
  readonly session: Session | null;
  /** The provider's answer about the user, where it has been asked already. */
  readonly user: Claims | null;
  /** Takes the credential away from the upstream request; null: there is none in it. */
  readonly hide: ((exchange: Exchange) => void) | null;
}

export const NOTHING_KNOWN: Evidence = {
  tokens: null,
  access: null,
  introspection: null,
  id: null,
  client: 0,
  bearer: false,
  session: null,
  user: null,
  hide: null,
};

export interface TokenResponse {
  readonly access_token: string;
  readonly id_token?: string | undefined;
  readonly refresh_token?: string | undefined;
  readonly scope?: string | undefined;
  expiresIn(): number | undefined;
}

export function unixNow(): number {
  return Math.floor(Date.now() / 1000);
}

export function tokensOf(response: TokenResponse, before: Tokens | null = null): Tokens {
  const left = response.expiresIn();
  return {
    access: response.access_token,
    id: response.id_token ?? before?.id ?? null,
    refresh: response.refresh_token ?? before?.refresh ?? null,
    expires: left === undefined ? null : unixNow() + left,
    scope: response.scope ?? before?.scope ?? null,
  };
}

/** Of tokens that came from the provider itself. What an opaque access token is good for stands beside it. */
export function evidenceOf(tokens: Tokens, client: number, session: Session | null = null): Evidence {
  const payload = payloadOf(tokens.access);
  const access = payload ?? (tokens.scope === null ? null : { scope: tokens.scope });
  return { ...NOTHING_KNOWN, tokens, access, id: payloadOf(tokens.id), client, session };
}
