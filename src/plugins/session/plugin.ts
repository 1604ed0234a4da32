/**
 * session: whom another plugin has let in gets a cookie, and is let in by it from then on. It runs before the plugins that
 * authenticate; with `anonymous` these do not ask who is known already.
 *
 * A session ends with what it stands for: when the consumer or the credential is deleted, the next request has none.
 */
import type { Consumer } from '../../entities/consumer.ts';
import type { DirectoryEntities } from '../../entities/directory-kinds.ts';
import { FoldedNames } from '../../wire/folded-names.ts';
import { bodyArgs, type BodyArgs } from '../common/body-args.ts';
import { headerValue } from '../common/header-value.ts';
import { identify } from '../common/identity.ts';
import { definePlugin } from '../kit/define.ts';
import { BodyTooLarge, type EditHeaders, type Exchange } from '../kit/exchange.ts';
import type { FilterResult } from '../kit/filters.ts';
import { reply } from '../kit/reply.ts';
import { CookieJar } from './jar.ts';
import { SessionManager, type Visit } from './manager.ts';
import { session } from './schema.ts';
import { leftOf, type SessionData, type SessionState, timeoutsOf } from './state.ts';
import { storageOf } from './storage.ts';

const CREDENTIALS = [
  'keyauth_credentials',
  'basicauth_credentials',
  'jwt_secrets',
  'hmacauth_credentials',
  'oauth2_credentials',
  'mtls_auth_credentials',
] as const satisfies ReadonlyArray<keyof DirectoryEntities>;
type Result = FilterResult | Promise<FilterResult>;
type CredentialKind = (typeof CREDENTIALS)[number];

/** Methods whose requests may have a body to look into. */
const WITH_BODY: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);

/** Waits only for what is a promise. */
function then<T, R>(value: T | Promise<T>, next: (value: T) => R | Promise<R>): R | Promise<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}

const headerName = (name: string): string => `session-${name}`.replaceAll(/\b[a-z]/g, (c) => c.toUpperCase());

export default definePlugin({
  ...session,
  create(config, gateway) {
    const { entities } = gateway;
    const jar = new CookieJar(config, gateway);
    const manager = new SessionManager(config, gateway, storageOf(config, gateway), jar);
    const key = `session:${gateway.plugin.id}`;
    const toldUpstream = config.request_headers ?? [];
    const ownHeaders = new FoldedNames(toldUpstream.map(headerName));

    function wantsLogout(exchange: Exchange): boolean | Promise<boolean> {
      const { method, args } = exchange.request;
      if (!config.logout_methods.some((one) => one === method)) return false;
      if (args.has(config.logout_query_arg)) return true;
      if (!config.read_body_for_logout || !WITH_BODY.has(method)) return false;
      const asks = (body: BodyArgs): boolean => body.has(config.logout_post_arg);
      const body = bodyArgs(exchange);
      return body instanceof Promise ? body.then(asks) : asks(body);
    }

    /** The credential is where it was. */
    function stands({ credentialKind, credentialId }: SessionData): boolean {
      return credentialKind === null || entities.get(credentialKind as CredentialKind, credentialId) !== null;
    }

    function resume(exchange: Exchange, visit: Visit, { data }: SessionState): Result {
      return then(wantsLogout(exchange), (logout) => {
        if (logout) return manager.end(exchange, visit).then(() => reply(200));
        const consumer = entities.get('consumers', data.consumerId);
        if (consumer === null || !stands(data)) {
          return manager.end(exchange, visit).then(() => {
            // Another plugin may let the client in, with a session of its own.
            visit.over = false;
          });
        }
        return then(manager.refresh(exchange, visit), () => recognize(exchange, visit, consumer, data));
      });
    }

    function recognize(exchange: Exchange, visit: Visit, consumer: Consumer, data: SessionData): void {
      const { consumerId, credentialId, groups } = data;
      identify(exchange, {
        consumer,
        credential: { id: credentialId, consumerId },
        identifier: credentialId,
        groups,
      });
      const { headers } = exchange.upstreamRequest;
      if (groups !== null) {
        headers.set('X-Authenticated-Groups', headerValue(groups.join(', ')));
      }
      if (visit.state !== null) tell(headers, toldUpstream, visit.state);
    }

    function tell(headers: EditHeaders, names: readonly string[], state: SessionState): void {
      for (const name of names) {
        const value = propertyOf(name, state);
        if (value !== undefined) headers.set(headerName(name), headerValue(value));
      }
    }

    function propertyOf(name: string, state: SessionState): string | undefined {
      if (name === 'id') return state.id;
      if (name === 'audience') return config.audience;
      if (name === 'subject') return state.data.subject;
      const left = leftOf(name, state, timeoutsOf(config));
      return left === undefined ? undefined : String(left);
    }

    function open(exchange: Exchange): Result {
      return then(manager.find(exchange), (visit) => {
        if (visit === null || visit.state === null) return undefined;
        exchange.shared.set(key, visit);
        return resume(exchange, visit, visit.state);
      });
    }

    /** Whoever has no session may still be let in otherwise. */
    function failed(error: unknown): void {
      if (error instanceof BodyTooLarge) throw error;
      gateway.log.error(`no sessions: ${error instanceof Error ? error.message : String(error)}`);
    }

    /** Whom this response is for, where that is somebody with a credential. */
    function dataOf({ consumer, credential, authenticatedGroups: groups }: Exchange): SessionData | null {
      if (credential === null || consumer === null) return null;
      const kind = CREDENTIALS.find((one) => entities.get(one, credential.id) !== null);
      const subject = consumer.username ?? consumer.custom_id ?? consumer.id;
      return {
        consumerId: consumer.id,
        credentialId: credential.id,
        credentialKind: kind ?? null,
        groups,
        subject,
      };
    }

    function visitOf(exchange: Exchange): Visit | null {
      const visit = (exchange.shared.get(key) as Visit | undefined) ?? null;
      if (visit?.over === true) return visit;
      const data = dataOf(exchange);
      const known = visit?.state ?? null;
      if (data === null) return visit;
      const same =
        known?.data.credentialId === data.credentialId && known.data.consumerId === data.consumerId;
      if (same) return visit;
      if (known !== null) manager.drop(known);
      return manager.begin(exchange, data);
    }

    return {
      access(exchange) {
        if (toldUpstream.length > 0) exchange.upstreamRequest.headers.removeSpellings(ownHeaders);
        if (!jar.has(exchange, 'session') && !(config.remember && jar.has(exchange, 'remember')))
          return undefined;
        const result = open(exchange);
        return result instanceof Promise ? result.catch(failed) : result;
      },
      headerFilter(exchange) {
        const visit = visitOf(exchange);
        if (visit === null) return;
        const { headers } = exchange.response;
        for (const line of visit.cookies) headers.add('Set-Cookie', line);
        if (visit.state !== null) tell(headers, config.response_headers ?? [], visit.state);
      },
    };
  },
});
