/** What the endpoints of one configuration work with. */
import type { Entity } from '../../entities/schema/field.ts';
import type { Oauth2Credential } from '../../entities/oauth2-credential.ts';
import type { Oauth2Token } from '../../entities/oauth2-token.ts';
import type { Exchange } from '../kit/exchange.ts';
import type { PluginServices } from '../kit/services.ts';
import { type Answer, failure, INVALID_CLIENT, type OauthError } from './answers.ts';
import { sameText } from './client.ts';
import type { Parameters } from './parameters.ts';
import type { oauth2 } from './schema.ts';
import type { Grant, TokenStore, TokenTerms } from './store.ts';

export type Oauth2Config = Entity<(typeof oauth2)['config']>;

export interface Oauth2Context {
  readonly config: Oauth2Config;
  readonly gateway: PluginServices;
  readonly tokens: TokenStore;
}

/** Null: the client may speak to the endpoints. What else there is to say of it, the text says (Kong's). */
export function transportProblem(exchange: Exchange, config: Oauth2Config): OauthError | null {
  if (exchange.request.scheme === 'https') return null;
  const refused = failure('access_denied', 'You must use HTTPS');
  if (!config.accept_http_if_already_terminated || !exchange.client.trusted) return refused;
  const said = exchange.request.headers.all('x-forwarded-proto');
  if (said.length > 1 || said[0]?.includes(',') === true) {
    return failure('access_denied', 'Only one X-Forwarded-Proto header allowed');
  }
  return said[0]?.toLowerCase() === 'https' ? null : refused;
}

export function findClient(
  { gateway }: Oauth2Context,
  id: string | null | undefined,
): Oauth2Credential | null {
  if (id === null || id === undefined || id === '') return null;
  return gateway.entities.find('oauth2_credentials', 'client_id', id);
}

export function hasProvisionKey({ config }: Oauth2Context, parameters: Parameters): boolean {
  const given = parameters.get('provision_key');
  return typeof given === 'string' && sameText(given, config.provision_key);
}

/** Null: it is missing. */
export function userOf(parameters: Parameters): string | null {
  const user = parameters.get('authenticated_userid');
  return typeof user === 'string' && user.trim() !== '' ? user : null;
}

/** The service that codes and tokens are for; null: all that have `global_credentials`. */
export function serviceOf({ config }: Oauth2Context, exchange: Exchange): string | null {
  return config.global_credentials ? null : (exchange.service?.id ?? null);
}

export function terms(config: Oauth2Config, refreshable: boolean): TokenTerms {
  const expiresIn = Math.max(0, Math.ceil(config.token_expiration));
  return {
    expiresIn,
    refreshTtl: config.refresh_token_ttl,
    refreshable: refreshable && expiresIn > 0,
  };
}

/** A new token, as the client is told of it. */
export async function issue(context: Oauth2Context, grant: Grant, refreshable: boolean): Promise<Answer> {
  const token = await context.tokens.issue(grant, terms(context.config, refreshable));
  return token === null ? INVALID_CLIENT : shown(token);
}

export function shown(token: Oauth2Token): Answer {
  return {
    access_token: token.access_token,
    token_type: 'bearer',
    ...(token.expires_in > 0 ? { expires_in: token.expires_in } : {}),
    ...(token.refresh_token === null ? {} : { refresh_token: token.refresh_token }),
  };
}
