/**
 * What the upstream and the client are told: tokens and claims, in headers that the configuration names. What a client
 * sends of them itself goes no further, whoever it is.
 */
import { FoldedNames } from '../../wire/folded-names.ts';
import { headerText } from '../common/header-text.ts';
import type { Exchange } from '../kit/exchange.ts';
import { findClaim } from './claims.ts';
import type { Claims, OidcConfig } from './config.ts';
import type { Outbox } from './outbox.ts';
import type { Evidence } from './tokens.ts';

interface Side {
  readonly claims: readonly string[];
  readonly names: readonly string[];
  /** Header, whether as a bearer token, and what it holds. */
  readonly texts: ReadonlyArray<
    readonly [name: string, bearer: boolean, text: (evidence: Evidence) => string | null]
  >;
}

const TEXTS: ReadonlyArray<readonly [field: string, text: (evidence: Evidence) => string | null]> = [
  ['access_token', ({ tokens }) => tokens?.access ?? null],
  ['id_token', ({ tokens }) => tokens?.id ?? null],
  ['refresh_token', ({ tokens }) => tokens?.refresh ?? null],
  ['user_info', ({ user }) => encoded(user)],
  ['introspection', ({ introspection }) => encoded(introspection)],
];

function encoded(claims: Claims | null): string | null {
  return claims === null ? null : Buffer.from(JSON.stringify(claims), 'utf8').toString('base64');
}

function sideOf(config: OidcConfig, side: 'upstream' | 'downstream'): Side {
  const texts: Array<Side['texts'][number]> = [];
  for (const [field, text] of TEXTS) {
    const spec = (config as Readonly<Record<string, unknown>>)[`${side}_${field}_header`];
    if (typeof spec !== 'string') continue;
    const [name = '', bearer] = spec.split(':');
    texts.push([name.toLowerCase(), bearer === 'bearer', text]);
  }
  return {
    claims: config[`${side}_headers_claims`] ?? [],
    names: config[`${side}_headers_names`] ?? [],
    texts,
  };
}

export class IdentityHeaders {
  readonly #upstream: Side;
  readonly #downstream: Side;
  /** Names that are the gateway's own. */
  readonly #own: FoldedNames;

  constructor(config: OidcConfig) {
    this.#upstream = sideOf(config, 'upstream');
    this.#downstream = sideOf(config, 'downstream');
    const credentials = new Set(['authorization', config.refresh_token_param_name.toLowerCase()]);
    const names = [...this.#upstream.names, ...this.#upstream.texts.map(([name]) => name)];
    this.#own = new FoldedNames(names.filter((name) => !credentials.has(name.toLowerCase())));
  }

  /** Somebody is told what the provider says of the user. */
  static needUser(config: OidcConfig): boolean {
    const {
      upstream_user_info_header: up,
      downstream_user_info_header: down,
      search_user_info: search,
    } = config;
    return up !== null || down !== null || search;
  }

  strip(exchange: Exchange): void {
    exchange.upstreamRequest.headers.removeSpellings(this.#own);
  }

  /** @param hidden the client's credential is not to reach the upstream: it is not put back, either. */
  tell(exchange: Exchange, evidence: Evidence, outbox: Outbox, hidden: boolean): void {
    const { headers } = exchange.upstreamRequest;
    for (const [name, value] of told(this.#upstream, evidence)) {
      if (hidden && name === 'authorization') continue;
      headers.set(name, value);
    }
    for (const [name, value] of told(this.#downstream, evidence)) outbox.header(exchange, name, value);
  }
}

function* told(side: Side, evidence: Evidence): IterableIterator<[name: string, value: string]> {
  const sources = [evidence.access, evidence.id, evidence.user];
  for (const [index, claim] of side.claims.entries()) {
    const name = side.names[index];
    const value = name === undefined ? null : headerText(findClaim(sources, [claim]));
    if (name !== undefined && value !== null) yield [name, value];
  }
  for (const [name, bearer, text] of side.texts) {
    const value = headerText(text(evidence));
    if (value !== null) yield [name, bearer ? `Bearer ${value}` : value];
  }
}
