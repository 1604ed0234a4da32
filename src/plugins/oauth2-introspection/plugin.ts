/** oauth2-introspection: who shows a token that another authorization server knows is who that server says. */
import type { Consumer } from '../../entities/consumer.ts';
import { accessToken, type TokenPlace } from '../common/access-token.ts';
import { headerValue } from '../common/header-value.ts';
import { authentication, type Attempt } from '../common/identity.ts';
import { definePlugin } from '../kit/define.ts';
import { BodyTooLarge, type Exchange } from '../kit/exchange.ts';
import { refuse, reply } from '../kit/reply.ts';
import { type Claims, type Introspected, Introspection } from './introspection.ts';
import { oauth2Introspection } from './schema.ts';

/** Claims that the upstream is told, and as what. */
const CLAIMS: ReadonlyArray<readonly [claim: string, header: string]> = [
  ['scope', 'X-Credential-Scope'],
  ['client_id', 'X-Credential-Client-ID'],
  ['token_type', 'X-Credential-Token-Type'],
  ['exp', 'X-Credential-Exp'],
  ['iat', 'X-Credential-Iat'],
  ['nbf', 'X-Credential-Nbf'],
  ['sub', 'X-Credential-Sub'],
  ['aud', 'X-Credential-Aud'],
  ['iss', 'X-Credential-Iss'],
  ['jti', 'X-Credential-Jti'],
];

const PLACE: Omit<TokenPlace, 'hide'> = { header: 'authorization', bare: false };

const MISSING = reply(
  401,
  { error: 'invalid_request', error_description: 'The access token is missing' },
  { 'WWW-Authenticate': 'Bearer realm="service"' },
);
const WRONG = 'The access token is invalid or has expired';
const INVALID = reply(
  401,
  { error: 'invalid_token', error_description: WRONG },
  { 'WWW-Authenticate': `Bearer realm="service" error="invalid_token" error_description="${WRONG}"` },
);

export default definePlugin({
  ...oauth2Introspection,
  create(config, gateway) {
    const { entities } = gateway;
    const introspection = new Introspection(config, gateway);
    const place = { ...PLACE, hide: config.hide_credentials };
    const told = [
      ...CLAIMS,
      ...config.custom_claims_forward.map((claim) => [claim, `X-Credential-${claim}`] as const),
    ];
    const cleared = told.flatMap(([, header]) => [header, header.replaceAll('-', '_')]);

    function consumerOf(claims: Claims): Consumer | null {
      const name = claims[config.consumer_by];
      if (typeof name !== 'string' || name === '') return null;
      return entities.find('consumers', config.consumer_by === 'username' ? 'username' : 'custom_id', name);
    }

    function accept(exchange: Exchange, { id, claims }: Introspected): Attempt {
      if (claims === null) return INVALID;
      const { headers } = exchange.upstreamRequest;
      for (const [claim, header] of told) {
        const text = textOf(claims[claim]);
        if (text !== null) headers.set(header, headerValue(text));
      }
      const consumer = consumerOf(claims);
      const { username } = claims;
      return {
        consumer,
        credential: { id, consumerId: consumer?.id ?? null },
        identifier: typeof username === 'string' ? username : null,
      };
    }

    function judge(exchange: Exchange, token: string | null): Attempt | Promise<Attempt> {
      if (token === null) return MISSING;
      const found = introspection.of(token, exchange);
      return found instanceof Promise ? found.then((one) => accept(exchange, one)) : accept(exchange, found);
    }

    function failed(error: unknown): Attempt {
      if (error instanceof BodyTooLarge) throw error;
      gateway.log.error(`no introspection: ${error instanceof Error ? error.message : String(error)}`);
      return refuse(500);
    }

    function attempt(exchange: Exchange): Attempt | Promise<Attempt> {
      const token = accessToken(exchange, place);
      const outcome =
        token instanceof Promise ? token.then((shown) => judge(exchange, shown)) : judge(exchange, token);
      return outcome instanceof Promise ? outcome.catch(failed) : outcome;
    }

    // Kong's default for nobody is an empty text.
    const anonymous = config.anonymous === '' ? null : config.anonymous;
    const access = authentication(gateway, { ...config, anonymous }, attempt);
    return {
      access(exchange) {
        for (const name of cleared) exchange.upstreamRequest.headers.remove(name);
        return access(exchange);
      },
    };
  },
});

/** Null: the server did not say. */
function textOf(claim: unknown): string | null {
  if (claim === undefined || claim === null) return null;
  if (typeof claim === 'string') return claim;
  if (Array.isArray(claim) && claim.every((one) => typeof one === 'string')) return claim.join(', ');
  return JSON.stringify(claim);
}
