/**
 * What all plugins that authenticate have in common (Kong's): who the upstream is told about, the anonymous consumer, and
 * that one of several may do ("logical or").
 *
 * The upstream believes these headers, so what a client sends of them goes no further, whether it is let in or not asked, in
 * whatever spelling.
 */
import type { Consumer } from '../../entities/consumer.ts';
import { FoldedNames } from '../../wire/folded-names.ts';
import { CLAIMS } from './claims.ts';
import { headerValue } from './header-value.ts';
import { type Credential, type EditHeaders, type Exchange } from '../kit/exchange.ts';
import type { FilterResult } from '../kit/filters.ts';
import { refuse, Reply } from '../kit/reply.ts';
import type { EntityLookup, PluginServices } from '../kit/services.ts';

/** Headers that tell the upstream who calls. */
const IDENTITY_HEADERS = [
  'X-Consumer-ID',
  'X-Consumer-Custom-ID',
  'X-Consumer-Username',
  'X-Credential-Identifier',
  'X-Anonymous-Consumer',
] as const;

/** Headers that tell the upstream what groups the client belongs to: acl sets them. */
export const GROUP_HEADERS = ['X-Consumer-Groups', 'X-Authenticated-Groups'] as const;

const CLEARED = new FoldedNames([...IDENTITY_HEADERS, ...GROUP_HEADERS], CLAIMS);

/** Who was recognized. */
export interface Identity {
  /** Null: a credential that belongs to nobody. */
  readonly consumer: Consumer | null;
  readonly credential: Credential;
  /** What the upstream is told of the credential (`X-Credential-Identifier`); null: nothing. */
  readonly identifier: string | null;
  /** What the credential says of groups; whatever an earlier one has said does not hold for this one. */
  readonly groups?: readonly string[] | null;
}

/** An identity, or why there is none. */
export type Attempt = Identity | Reply;

interface AnonymousConfig {
  readonly anonymous: string | null;
  /** Some plugins have it: false lets OPTIONS requests pass. */
  readonly run_on_preflight?: boolean;
}

/**
 * The access filter of a plugin that authenticates.
 *
 * With `anonymous`, a request that another plugin has let in is not asked again, and one that fails counts as the anonymous
 * consumer's; without, it must succeed here.
 */
export function authentication(
  gateway: PluginServices,
  config: AnonymousConfig,
  attempt: (exchange: Exchange) => Attempt | Promise<Attempt>,
): (exchange: Exchange) => FilterResult | Promise<FilterResult> {
  const { anonymous } = config;
  const conclude = (exchange: Exchange, outcome: Attempt): FilterResult => {
    if (!(outcome instanceof Reply)) return identify(exchange, outcome);
    // A fault of ours is no reason to let anybody in.
    if (anonymous === null || outcome.status >= 500) return outcome;
    return becomeAnonymous(exchange, gateway, anonymous);
  };
  return (exchange) => {
    if (config.run_on_preflight === false && exchange.request.method === 'OPTIONS') {
      if (exchange.consumer === null && exchange.credential === null)
        exchange.upstreamRequest.headers.removeSpellings(CLEARED);
      return undefined;
    }
    if (anonymous !== null && exchange.credential !== null) return undefined;
    const outcome = attempt(exchange);
    if (outcome instanceof Promise) return outcome.then((settled) => conclude(exchange, settled));
    return conclude(exchange, outcome);
  };
}

/** Says who calls, to the plugins behind and to the upstream. */
export function identify(
  exchange: Exchange,
  { consumer, credential, identifier, groups = null }: Identity,
): void {
  exchange.authenticate(consumer, credential);
  exchange.authenticatedGroups = groups;
  const { headers } = exchange.upstreamRequest;
  headers.removeSpellings(CLEARED);
  tellConsumer(headers, consumer);
  tell(headers, 'X-Credential-Identifier', identifier);
}

function becomeAnonymous(exchange: Exchange, { entities, log }: PluginServices, name: string): FilterResult {
  const consumer = findConsumer(entities, name);
  if (consumer === null) {
    const message = `anonymous consumer ${name} is configured but doesn't exist`;
    log.error(message);
    return refuse(500, message);
  }
  exchange.authenticate(consumer, null);
  exchange.authenticatedGroups = null;
  const { headers } = exchange.upstreamRequest;
  headers.removeSpellings(CLEARED);
  tellConsumer(headers, consumer);
  headers.add('X-Anonymous-Consumer', 'true');
  return undefined;
}

/** By id, else by username. */
export function findConsumer(entities: EntityLookup, name: string): Consumer | null {
  return entities.get('consumers', name) ?? entities.find('consumers', 'username', name);
}

/** What is not set is not there any more. */
function tellConsumer(headers: EditHeaders, consumer: Consumer | null): void {
  if (consumer === null) return;
  headers.add('X-Consumer-ID', consumer.id);
  tell(headers, 'X-Consumer-Custom-ID', consumer.custom_id);
  tell(headers, 'X-Consumer-Username', consumer.username);
}

function tell(headers: EditHeaders, name: string, value: string | null): void {
  if (value !== null) headers.add(name, headerValue(value));
}
