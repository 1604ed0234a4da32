/**
 * sticky-session: what a client brings is the name of a target (tokens.ts); the exchange is told to want that one, and
 * whoever has answered in the end is named to the client, unless that is what it brought. Nothing is kept of clients.
 *
 * A cookie that comes twice counts as its first; one that names no target is as good as none.
 */
import type { Affinity } from '../../balancer/affinity.ts';
import type { Balancer } from '../../balancer/balancer.ts';
import type { BalancerTarget } from '../../balancer/target.ts';
import { definePlugin } from '../kit/define.ts';
import type { Exchange } from '../kit/exchange.ts';
import { attributesText } from '../common/sealed-cookie.ts';
import { type StickyConfig, stickySession } from './schema.ts';
import { Tokens } from './tokens.ts';

class Visit implements Affinity {
  readonly strict: boolean;
  readonly brought: string | null;
  /** Of who has answered; null: nobody has. */
  served: string | null = null;
  readonly #tokens: Tokens;

  constructor(tokens: Tokens, brought: string | null, strict: boolean) {
    this.#tokens = tokens;
    this.brought = brought;
    this.strict = strict;
  }

  wanted(balancer: Balancer): number {
    return this.brought === null ? -1 : this.#tokens.indexOf(balancer, this.brought);
  }

  met(balancer: Balancer, target: BalancerTarget): void {
    this.served = this.#tokens.of(balancer, target);
  }
}

/** What stands behind the cookie's value, over plain HTTP and over HTTPS. */
function attributesOf(config: StickyConfig): Readonly<Record<'http' | 'https', string>> {
  const text = (secure: boolean): string =>
    attributesText({
      path: config.cookie_path,
      domain: config.cookie_domain ?? null,
      sameSite: config.cookie_same_site,
      httpOnly: config.cookie_http_only,
      secure: config.cookie_secure ?? secure,
      maxAge: config.cookie_max_age ?? null,
    });
  return { http: text(false), https: text(true) };
}

export default definePlugin({
  ...stickySession,
  create(config, gateway) {
    const tokens = new Tokens(gateway.secret(config.secret));
    const key = `sticky-session:${gateway.plugin.id}`;
    const { source, header_name: header, cookie_name: cookie } = config;
    const strict = config.on_unavailable === 'fail';
    const attributes = attributesOf(config);
    const broughtBy = ({ request }: Exchange): string | undefined =>
      source === 'cookie' ? request.cookies.get(cookie) : request.headers.get(header);

    return {
      access(exchange) {
        const visit = new Visit(tokens, broughtBy(exchange) ?? null, strict);
        exchange.upstreamRequest.setAffinity(visit);
        exchange.shared.set(key, visit);
      },
      headerFilter(exchange) {
        const visit = exchange.shared.get(key);
        if (!(visit instanceof Visit) || exchange.response.source !== 'service') return;
        const { served, brought } = visit;
        if (served === null || served === brought) return;
        const { headers } = exchange.response;
        if (source === 'header') headers.set(header, served);
        else headers.add('Set-Cookie', `${cookie}=${served}${attributes[exchange.request.scheme]}`);
      },
    };
  },
});
