/**
 * forward-auth: an outside service decides. 2xx lets the request go on; any other answer below 500 is the client's answer,
 * with its status, header and body, so that the service can challenge, redirect to a login, and set cookies. What is no
 * answer (none in time, 5xx) refuses, unless the configuration says otherwise.
 *
 * Permissions may be kept; refusals never are, so that a login is seen at once. Requests of the same credentials that come
 * while the service is being asked wait for the one answer.
 */
import { FoldedNames } from '../../wire/folded-names.ts';
import { definePlugin } from '../kit/define.ts';
import type { Exchange } from '../kit/exchange.ts';
import type { FilterResult, Filters } from '../kit/filters.ts';
import { refuse, Reply, reply, type ReplyHeaders } from '../kit/reply.ts';
import type { FetchResponse } from '../kit/services.ts';
import { cacheKey, isLoop, passes, picked, questionHeaders, refusalHeaders } from './question.ts';
import { forwardAuth } from './schema.ts';

/** What a permission changes. */
interface Permission {
  readonly upstream: ReplyHeaders;
  readonly downstream: ReplyHeaders;
}

/** A refusal on its way out of a cache that keeps all that is not thrown. */
class Refused extends Error {
  readonly answer: Reply;
  constructor(answer: Reply) {
    super('refused');
    this.answer = answer;
  }
}

const NOTHING: ReplyHeaders = {};
const OPEN: Permission = { upstream: NOTHING, downstream: NOTHING };
const LARGEST_ANSWER = 256 * 1024;

export default definePlugin({
  ...forwardAuth,
  create(config, gateway): Filters {
    const { log, plugin } = gateway;
    const permissions = gateway.cache<Permission>({ max: config.cache_size, ttlMs: config.cache_ttl * 1000 });
    const replaced = new FoldedNames(config.upstream_headers.filter((name) => passes(name.toLowerCase())));
    const told = new WeakMap<Exchange, ReplyHeaders>();

    async function ask(exchange: Exchange): Promise<FetchResponse> {
      const body = config.send_body ? await exchange.request.body({ limit: config.max_body_size }) : null;
      return gateway.fetch(config.url, {
        method: config.method === 'same' ? exchange.request.method : config.method,
        headers: questionHeaders(exchange, config, plugin.id),
        timeoutMs: config.timeout,
        maxBytes: LARGEST_ANSWER,
        tlsVerify: config.ssl_verify,
        ...(body === null || body.length === 0 ? {} : { body }),
      });
    }

    function failed(why: string): Permission | Reply {
      log.warn(`${config.url} did not decide: ${why}`);
      return config.failure_mode === 'allow' ? OPEN : refuse(config.failure_status);
    }

    function judge(answer: FetchResponse): Permission | Reply {
      const { status, headers, body } = answer;
      if (status >= 200 && status < 300) {
        return {
          upstream: picked(headers, config.upstream_headers),
          downstream: picked(headers, config.downstream_headers),
        };
      }
      if (status >= 500 || status < 200) return failed(`status ${status}`);
      return reply(status, body.length === 0 ? null : body, refusalHeaders(answer, config.client_headers));
    }

    async function decide(exchange: Exchange): Promise<Permission | Reply> {
      let answer: FetchResponse;
      try {
        answer = await ask(exchange);
      } catch (error) {
        if (error instanceof Error && error.name === 'BodyTooLarge') throw error;
        return failed(error instanceof Error ? error.message : String(error));
      }
      return judge(answer);
    }

    async function decideOnce(exchange: Exchange, key: string): Promise<Permission | Reply> {
      const load = async (): Promise<Permission> => {
        const decision = await decide(exchange);
        if (decision instanceof Reply) throw new Refused(decision);
        // One for want of an answer is for this request only.
        if (decision === OPEN) throw new Undecided();
        return decision;
      };
      try {
        return await permissions.load(key, load);
      } catch (error) {
        if (error instanceof Refused) return error.answer;
        if (error instanceof Undecided) return OPEN;
        throw error;
      }
    }

    function apply(exchange: Exchange, decision: Permission | Reply): FilterResult {
      if (decision instanceof Reply) return decision;
      const { headers } = exchange.upstreamRequest;
      headers.removeSpellings(replaced);
      for (const [name, value] of Object.entries(decision.upstream)) headers.set(name, value);
      if (decision.downstream !== NOTHING) told.set(exchange, decision.downstream);
      return undefined;
    }

    return {
      access(exchange) {
        if (isLoop(exchange.request.headers, plugin.id)) return refuse(508);
        const key = cacheKey(exchange, config);
        const known = key === null ? undefined : permissions.get(key);
        if (known !== undefined) return apply(exchange, known);
        const decision = key === null ? decide(exchange) : decideOnce(exchange, key);
        return decision.then((made) => apply(exchange, made));
      },
      ...(config.downstream_headers.length === 0
        ? {}
        : {
            headerFilter(exchange) {
              for (const [name, value] of Object.entries(told.get(exchange) ?? NOTHING)) {
                for (const one of typeof value === 'string' ? [value] : value) {
                  exchange.response.headers.add(name, one);
                }
              }
            },
          }),
    };
  },
});

/** The service failed, and the configuration lets the request go on. */
class Undecided extends Error {}
