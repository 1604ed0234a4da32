/**
 * oauth2: an authorization server on the routes that it protects, and the check of its tokens. Codes and tokens lie in the
 * gateway's store; a token that a worker has seen costs no question to it.
 */
import { authentication } from '../common/identity.ts';
import { definePlugin } from '../kit/define.ts';
import type { Exchange } from '../kit/exchange.ts';
import type { FilterResult } from '../kit/filters.ts';
import { BodyTooLarge } from '../kit/exchange.ts';
import { refuse, reply, type Reply } from '../kit/reply.ts';
import { challenge, clearTokenHeaders, TokenAccess } from './access.ts';
import { failure, uncached } from './answers.ts';
import { authorize } from './authorize.ts';
import type { Oauth2Context } from './context.ts';
import { oauth2 } from './schema.ts';
import { recordsOf } from '../common/record-storage.ts';
import { TokenStore } from './store.ts';
import { issueToken } from './token.ts';

type Endpoint = (context: Oauth2Context, exchange: Exchange) => Promise<Reply>;

const ENDPOINTS: ReadonlyArray<readonly [path: string, name: string, endpoint: Endpoint]> = [
  ['/oauth2/token', 'token', issueToken],
  ['/oauth2/authorize', 'authorization', authorize],
];

export default definePlugin({
  ...oauth2,
  create(config, gateway) {
    const tokens = new TokenStore(recordsOf(config, gateway));
    const context: Oauth2Context = { config, gateway, tokens };
    const resource = new TokenAccess(context);

    function failed(error: unknown): Reply {
      if (error instanceof BodyTooLarge) throw error;
      if (error instanceof RangeError)
        return uncached(400, failure('invalid_request', 'A parameter is too long'));
      gateway.log.error(`tokens cannot be had: ${error instanceof Error ? error.message : String(error)}`);
      return refuse(503);
    }

    const authenticate = authentication(gateway, config, (exchange) => {
      const attempt = resource.attempt(exchange);
      return attempt instanceof Promise ? attempt.catch(failed) : attempt;
    });

    function access(exchange: Exchange): FilterResult | Promise<FilterResult> {
      const { path, method } = exchange.request;
      for (const [end, name, endpoint] of ENDPOINTS) {
        if (!path.endsWith(end) && !path.endsWith(`${end}/`)) continue;
        if (method !== 'POST') return wrongMethod(config.realm, method, name);
        if (!config.global_credentials && exchange.service === null) return refuse(500);
        return endpoint(context, exchange).catch(failed);
      }
      clearTokenHeaders(exchange);
      return authenticate(exchange);
    }
    return { access };
  },
});

function wrongMethod(realm: string | null, method: string, endpoint: string): Reply {
  const error = failure(
    'invalid_method',
    `The HTTP method ${method} is invalid for the ${endpoint} endpoint`,
  );
  return reply(405, error, {
    'WWW-Authenticate': challenge(realm, error.error, error.error_description),
  });
}
