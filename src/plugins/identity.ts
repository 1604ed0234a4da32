/**
 * What all plugins that authenticate have in common (Kong's): who the upstream is told about, the anonymous consumer, and
 * that one of several may do ("logical or").
 */
import type { Consumer } from '../entities/consumer.ts';
import { type Credential, type Exchange } from './kit/exchange.ts';
import type { FilterResult } from './kit/filters.ts';
import { refuse, Reply } from './kit/reply.ts';
import type { EntityLookup, PluginServices } from './kit/services.ts';

/** Headers that tell the upstream who calls; what a client sends of them never reaches it. */
export const IDENTITY_HEADERS = [
  'X-Consumer-ID',
  'X-Consumer-Custom-ID',
  'X-Consumer-Username',
  'X-Credential-Identifier',
  'X-Anonymous-Consumer',
] as const;

/** Who was recognized. */
export interface Identity {
  /** Null: a credential that belongs to nobody. */
  readonly consumer: Consumer | null;
  readonly credential: Credential;
  /** What the upstream is told of the credential (`X-Credential-Identifier`); null: nothing. */
  readonly identifier: string | null;
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
  { entities }: PluginServices,
  config: AnonymousConfig,
  attempt: (exchange: Exchange) => Attempt | Promise<Attempt>,
): (exchange: Exchange) => FilterResult | Promise<FilterResult> {
  const { anonymous } = config;
  const conclude = (exchange: Exchange, outcome: Attempt): FilterResult => {
    if (!(outcome instanceof Reply)) return identify(exchange, outcome);
    // A fault of ours is no reason to let anybody in.
    if (anonymous === null || outcome.status >= 500) return outcome;
    return becomeAnonymous(exchange, entities, anonymous);
  };
  return (exchange) => {
    if (config.run_on_preflight === false && exchange.request.method === 'OPTIONS') return undefined;
    if (anonymous !== null && exchange.credential !== null) return undefined;
    const outcome = attempt(exchange);
    if (outcome instanceof Promise) return outcome.then((settled) => conclude(exchange, settled));
    return conclude(exchange, outcome);
  };
}

/** Says who calls, to the plugins behind and to the upstream. */
export function identify(exchange: Exchange, { consumer, credential, identifier }: Identity): void {
  exchange.authenticate(consumer, credential);
  tellConsumer(exchange, consumer);
  tell(exchange, 'X-Credential-Identifier', identifier);
  exchange.upstreamRequest.headers.remove('X-Anonymous-Consumer');
}

function becomeAnonymous(exchange: Exchange, entities: EntityLookup, name: string): FilterResult {
  const consumer = findConsumer(entities, name);
  if (consumer === null) return refuse(500, `anonymous consumer ${name} is configured but doesn't exist`);
  exchange.authenticate(consumer, null);
  tellConsumer(exchange, consumer);
  exchange.upstreamRequest.headers.remove('X-Credential-Identifier');
  exchange.upstreamRequest.headers.set('X-Anonymous-Consumer', 'true');
  return undefined;
}

/** By id, else by username. */
export function findConsumer(entities: EntityLookup, name: string): Consumer | null {
  return entities.get('consumers', name) ?? entities.find('consumers', 'username', name);
}

function tellConsumer(exchange: Exchange, consumer: Consumer | null): void {
  tell(exchange, 'X-Consumer-ID', consumer?.id ?? null);
  tell(exchange, 'X-Consumer-Custom-ID', consumer?.custom_id ?? null);
  tell(exchange, 'X-Consumer-Username', consumer?.username ?? null);
}

/** Headers are Latin-1: names beyond it go as the bytes of their UTF-8, as Kong sends them. */
function tell(exchange: Exchange, name: string, value: string | null): void {
  const { headers } = exchange.upstreamRequest;
  if (value === null) headers.remove(name);
  else headers.set(name, Buffer.from(value, 'utf8').toString('latin1'));
}
