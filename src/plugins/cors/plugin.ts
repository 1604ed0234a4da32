/**
 * cors: preflights are answered here, other responses get the headers by which a browser lets a script read them.
 *
 * A preflight's answer has all it needs; one that the upstream is to answer is left alone.
 */
import { definePlugin } from '../kit/define.ts';
import type { Exchange } from '../kit/exchange.ts';
import { reply } from '../kit/reply.ts';
import { type Allowed, originRule } from './origins.ts';
import { cors } from './schema.ts';

const ALL_METHODS = 'GET,HEAD,PUT,PATCH,POST,DELETE,OPTIONS,TRACE,CONNECT';

export default definePlugin({
  ...cors,
  create(config) {
    const allowedFor = originRule(config.origins);
    const methods = config.methods?.join(',') ?? ALL_METHODS;
    const exposed = config.exposed_headers?.join(',') ?? '';
    const allowedHeaders = config.headers?.join(',') ?? '';
    const preflights = new WeakSet<Exchange>();

    /** Kong's two steps: the origin, then whether credentials ask for another answer. */
    function originHeaders(origin: string | null): Allowed & { readonly credentials: boolean } {
      const allowed = allowedFor(origin);
      if (!config.credentials) return { ...allowed, credentials: false };
      if (!allowed.all) return { ...allowed, credentials: true };
      // No browser takes `*` with credentials.
      if (origin === null) return { ...allowed, credentials: false };
      return { origin, all: true, varies: true, credentials: true };
    }

    function preflightHeaders({ request: { headers } }: Exchange, origin: string): Record<string, string> {
      const { origin: named, varies, credentials } = originHeaders(origin);
      const asked = headers.get('access-control-request-headers');
      const answer: Record<string, string> = {};
      if (varies) answer['Vary'] = 'Origin';
      if (named !== null) answer['Access-Control-Allow-Origin'] = named;
      if (credentials) answer['Access-Control-Allow-Credentials'] = 'true';
      const allowed = allowedHeaders === '' ? asked : allowedHeaders;
      if (allowed !== undefined) answer['Access-Control-Allow-Headers'] = allowed;
      if (methods !== '') answer['Access-Control-Allow-Methods'] = methods;
      if (config.max_age !== null) answer['Access-Control-Max-Age'] = String(config.max_age);
      if (config.private_network && headers.get('access-control-request-private-network') === 'true') {
        answer['Access-Control-Allow-Private-Network'] = 'true';
      }
      return answer;
    }

    return {
      access(exchange) {
        const { method, headers } = exchange.request;
        if (method !== 'OPTIONS' || !headers.has('access-control-request-method')) return undefined;
        const origin = originOf(exchange);
        if (origin === null) return undefined;
        preflights.add(exchange);
        return config.preflight_continue ? undefined : reply(200, null, preflightHeaders(exchange, origin));
      },
      headerFilter(exchange) {
        if (preflights.has(exchange)) return;
        const origin = originOf(exchange);
        if (origin === null && !config.allow_origin_absent) return;
        const { headers } = exchange.response;
        const { origin: named, varies, credentials } = originHeaders(origin);
        if (varies) headers.add('Vary', 'Origin');
        if (named === null) headers.remove('Access-Control-Allow-Origin');
        else headers.set('Access-Control-Allow-Origin', named);
        if (credentials) headers.set('Access-Control-Allow-Credentials', 'true');
        if (exposed !== '') headers.set('Access-Control-Expose-Headers', exposed);
      },
    };
  },
});

/** Null: there is none; an empty one is none. */
function originOf({ request }: Exchange): string | null {
  return request.headers.get('origin') || null;
}
