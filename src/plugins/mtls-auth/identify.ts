/** From the holder of a trusted certificate to who calls (Kong Enterprise's order), for mtls-auth and header-cert-auth. */
import type { Consumer } from '../../entities/consumer.ts';
import { headerValue } from '../common/header-value.ts';
import { type Attempt, findConsumer } from '../common/identity.ts';
import { FoldedNames } from '../../wire/folded-names.ts';
import type { Exchange } from '../kit/exchange.ts';
import type { FilterResult } from '../kit/filters.ts';
import { refuse } from '../kit/reply.ts';
import type { EntityLookup, PluginServices } from '../kit/services.ts';
import type { Holder, Verdict } from './judge.ts';

export interface IdentifyConfig {
  readonly consumer_by: ReadonlyArray<'username' | 'custom_id'> | null;
  readonly skip_consumer_lookup: boolean;
  readonly authenticated_group_by: 'CN' | 'DN' | null;
  readonly default_consumer: string | null;
}

export const FAILED = 'TLS certificate failed verification';

const HEADERS = new FoldedNames(['X-Client-Cert-Dn', 'X-Client-Cert-San']);

/** Whose headers one of the two plugins has written. */
const told = new WeakSet<Exchange>();

/** With `skip_consumer_lookup` the upstream goes by these headers: what a client sends of them goes no further. */
export function cleared<R extends FilterResult | Promise<FilterResult>>(
  config: IdentifyConfig,
  access: (exchange: Exchange) => R,
): (exchange: Exchange) => R {
  if (!config.skip_consumer_lookup) return access;
  return (exchange) => {
    if (!told.has(exchange)) exchange.upstreamRequest.headers.removeSpellings(HEADERS);
    return access(exchange);
  };
}

/** What a client reads is the same whatever was wrong; the log tells more. */
export function attemptOf(
  exchange: Exchange,
  gateway: PluginServices,
  config: IdentifyConfig,
  verdict: Verdict,
): Attempt {
  const { log, entities } = gateway;
  if (!verdict.ok) {
    log.info(`${FAILED}: ${verdict.reason}`);
    return refuse(401, FAILED);
  }
  const { holder } = verdict;
  if (config.skip_consumer_lookup) return nobody(exchange, config, holder);
  const mapped = mappedBy(entities, holder);
  if (mapped !== null) return mapped;
  const consumer = consumerOf(entities, config, holder);
  if (consumer === null) {
    log.info(`no consumer for the certificate of '${holder.distinguishedName}'`);
    return refuse(401, FAILED);
  }
  return { consumer, credential: { id: consumer.id, consumerId: consumer.id }, identifier: null };
}

/** Credentials go before names of consumers. */
function mappedBy(entities: EntityLookup, { names, authorities }: Holder): Attempt | null {
  for (const name of names) {
    const credential = entities.find('mtls_auth_credentials', 'subject_name', name);
    if (credential === null) continue;
    const { id, ca_certificate: authority } = credential;
    if (authority !== null && !authorities.includes(authority.id)) continue;
    const consumer = entities.get('consumers', credential.consumer.id);
    if (consumer !== null) return { consumer, credential: { id, consumerId: consumer.id }, identifier: id };
  }
  return null;
}

function consumerOf(entities: EntityLookup, config: IdentifyConfig, { names }: Holder): Consumer | null {
  for (const name of names) {
    for (const field of config.consumer_by ?? []) {
      const found = entities.find('consumers', field, name);
      if (found !== null) return found;
    }
  }
  return config.default_consumer === null ? null : findConsumer(entities, config.default_consumer);
}

function nobody(exchange: Exchange, config: IdentifyConfig, holder: Holder): Attempt {
  const { headers } = exchange.upstreamRequest;
  told.add(exchange);
  headers.set('X-Client-Cert-Dn', headerValue(holder.distinguishedName));
  if (holder.alternativeNames.length === 0) headers.remove('X-Client-Cert-San');
  else headers.set('X-Client-Cert-San', headerValue(holder.alternativeNames.map(printable).join(', ')));
  const group = config.authenticated_group_by === 'DN' ? holder.distinguishedName : holder.commonName;
  return {
    consumer: null,
    credential: { id: holder.fingerprint, consumerId: null },
    identifier: null,
    groups: group === null ? [] : [group],
  };
}

/** Nothing in a certificate begins a line of a header, or an entry of its list. */
function printable(name: string): string {
  return name.replaceAll(
    // eslint-disable-next-line no-control-regex
    /[\u0000-\u001f\u007f,\\]/g,
    (one) => `\\${one.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}
