/**
 * openid-connect: a relying party of OpenID Connect in front of a service (docs/adr/0038-openid-connect.md).
 *
 * The files: `provider.ts` knows the provider and its keys, `clients.ts` speaks to it, `answers.ts` keeps what it says,
 * `sessions.ts`, `session-store.ts` and `login.ts` are sessions and the code flow, `authenticator.ts` goes through what a request shows,
 * `admission.ts` decides, `identity-headers.ts` tells the upstream.
 */
import { authentication } from '../common/identity.ts';
import { definePlugin } from '../kit/define.ts';
import type { Exchange } from '../kit/exchange.ts';
import type { FilterResult, Filters } from '../kit/filters.ts';
import { Reply, reply } from '../kit/reply.ts';
import type { PluginServices } from '../kit/services.ts';
import { redisOf } from '../common/record-storage.ts';
import { CookieSealer } from '../common/sealed-cookie.ts';
import { Answers } from './answers.ts';
import { Authenticator, type Parts } from './authenticator.ts';
import { Clients } from './clients.ts';
import { type OidcConfig, Unauthorized } from './config.ts';
import { IdentityHeaders } from './identity-headers.ts';
import { Login, type LoggedIn } from './login.ts';
import { Logout } from './logout.ts';
import { Outbox } from './outbox.ts';
import { Provider } from './provider.ts';
import { forClient, Responses } from './responses.ts';
import { openidConnect } from './schema.ts';
import { IN_COOKIES, InRedis } from './session-store.ts';
import { Sessions } from './sessions.ts';
import { type Evidence, evidenceOf } from './tokens.ts';

const ANY_AUDIENCE =
  'bearer tokens of the issuer are taken whatever they are for: set audience_required to what names this API';

export default definePlugin({
  ...openidConnect,
  create(config, gateway): Filters {
    const { parts, logout } = assemble(config, gateway);
    const { outbox, sessions, headers, login } = parts;
    if (takesAnyAudience(config)) gateway.log.warn(ANY_AUDIENCE);
    const authenticator = new Authenticator(parts);
    /** What a login has shown that has ended with this request. */
    const fresh = new WeakMap<Exchange, Evidence>();
    const guard = authentication(gateway, config, (exchange) =>
      authenticator.attempt(exchange, fresh.get(exchange) ?? null),
    );
    /** Whoever is let in, and as whomever: our cookies go no further. */
    function guarded(exchange: Exchange): FilterResult | Promise<FilterResult> {
      const outcome = guard(exchange);
      if (outcome instanceof Promise) {
        return outcome.then((settled) => {
          sessions.hide(exchange);
          return settled;
        });
      }
      sessions.hide(exchange);
      return outcome;
    }
    const logsIn = config.auth_methods.includes('authorization_code');

    async function comeBack(exchange: Exchange): Promise<FilterResult> {
      try {
        const answer = await login.answer(exchange);
        if (answer === null) return await guarded(exchange);
        const outcome = await ended(parts, exchange, await login.finish(exchange, answer));
        if (outcome instanceof Reply) return outcome;
        fresh.set(exchange, outcome);
        return await guarded(exchange);
      } catch (error) {
        const client = parts.clients.chosen(exchange);
        if (error instanceof Unauthorized) {
          gateway.log.info(`a login failed: ${error.message}`);
          return parts.responses.unauthorized(new Unauthorized(error.message, false), client);
        }
        gateway.log.error(`a login failed: ${error instanceof Error ? error.message : String(error)}`);
        return parts.responses.unexpected(client);
      }
    }

    return {
      access(exchange) {
        headers.strip(exchange);
        if (!config.run_on_preflight && exchange.request.method === 'OPTIONS') return guarded(exchange);
        if (logout.isAsked(exchange)) return logout.run(exchange);
        const mayBeAnswer =
          logsIn && (config.response_mode === 'form_post' || exchange.request.query.includes('state='));
        if (mayBeAnswer && !(config.anonymous !== null && exchange.credential !== null))
          return comeBack(exchange);
        return guarded(exchange);
      },
      headerFilter: (exchange) => outbox.deliver(exchange),
    };
  },
});

/** As in Kong: who may know what a provider calls the API but the operator? */
function takesAnyAudience({
  auth_methods: methods,
  audience_required: required,
  audience,
}: OidcConfig): boolean {
  const isEmpty = (list: readonly string[] | null): boolean => list === null || list.length === 0;
  return methods.includes('bearer') && isEmpty(required) && isEmpty(audience);
}

function assemble(config: OidcConfig, gateway: PluginServices): { parts: Parts; logout: Logout } {
  const outbox = new Outbox();
  const provider = new Provider(config, gateway);
  const clients = new Clients(config, gateway);
  const answers = new Answers(config, gateway, provider, clients);
  const sealer = new CookieSealer(secretOf(config, gateway), `${config.session_audience} ${config.issuer}`);
  const store =
    config.session_storage === 'redis' ? new InRedis(redisOf(config.redis, gateway), sealer) : IN_COOKIES;
  const sessions = new Sessions(config, { sealer, store, outbox, log: gateway.log });
  const login = new Login(config, { provider, clients, sealer, outbox });
  const responses = new Responses(config);
  const headers = new IdentityHeaders(config);
  const parts = { config, gateway, clients, answers, sessions, login, responses, headers, outbox };
  return { parts, logout: new Logout({ config, gateway, provider, clients, answers, sessions }) };
}

/** All nodes with the same configuration have the same. */
function secretOf(config: OidcConfig, gateway: PluginServices): string {
  if (config.session_secret !== null) return gateway.secret(config.session_secret);
  const secrets = (config.client_secret ?? []).map((secret) => gateway.secret(secret));
  // Without any there is nothing that a cookie could be sealed for: no login, no session.
  return secrets.length > 0 ? `sluice session of ${secrets.join(' ')}` : crypto.randomUUID();
}

/** What follows a login. */
async function ended(
  parts: Parts,
  exchange: Exchange,
  { tokens, client, to }: LoggedIn,
): Promise<Evidence | Reply> {
  const { config, sessions, responses } = parts;
  const keeps = config.auth_methods.includes('session');
  const session = keeps ? await sessions.begin(exchange, tokens, client) : null;
  if (keeps && session === null) return responses.unexpected(client);
  const shown: Record<string, string> = {};
  const values = { id_token: tokens.id, access_token: tokens.access, refresh_token: tokens.refresh };
  for (const name of config.login_tokens) {
    const value = values[name];
    if (value !== null) shown[name] = value;
  }
  const headers = { 'Cache-Control': 'no-store' };
  if (config.login_action === 'response') return reply(200, shown, headers);
  if (config.login_action === 'redirect') {
    const url = new URL(forClient(config.login_redirect_uri, client) ?? to);
    url.hash = new URLSearchParams(shown).toString();
    return reply(302, null, { Location: url.href, ...headers });
  }
  // With a session the request that led to the login is made again, without the code in its URL.
  if (session !== null) {
    // A strict cookie is not sent with what follows a redirect from elsewhere; a page of ours that goes on is ours.
    if (config.session_cookie_same_site === 'Strict')
      return reply(200, null, { Refresh: `0;url=${to}`, ...headers });
    return reply(303, null, { Location: to, ...headers });
  }
  const { search } = new URL(to);
  exchange.upstreamRequest.query = search.slice(1);
  return evidenceOf(tokens, client);
}
