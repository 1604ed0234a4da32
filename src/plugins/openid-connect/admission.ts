/** Whether what is known of a client is enough, which consumer it is, and what the upstream is told. */
import type { Consumer } from '../../entities/consumer.ts';
import type { Attempt } from '../common/identity.ts';
import type { Exchange } from '../kit/exchange.ts';
import type { Reply } from '../kit/reply.ts';
import type { EntityLookup } from '../kit/services.ts';
import type { Parts } from './authenticator.ts';
import { claimAt, findClaim, hasOneOf, listOf } from './claims.ts';
import type { OidcConfig } from './config.ts';
import type { Evidence } from './tokens.ts';

const LONGEST_CREDENTIAL = 1024;
const MOST_GROUPS = 1000;

export function decide(parts: Parts, exchange: Exchange, evidence: Evidence): Attempt {
  const { config, gateway, responses, sessions, headers, outbox } = parts;
  const refused = (why: string, scope = false): Reply => {
    gateway.log.info(why);
    if (evidence.session !== null && config.forbidden_destroy_session) sessions.drop(exchange);
    return responses.forbidden(why, evidence.client, scope);
  };
  const missing = missingClaim(config, evidence);
  if (missing !== null)
    return refused(`the token has not the ${missing} that are required`, missing === 'scopes');
  const sources = [evidence.access, evidence.id, evidence.user];
  const consumer = consumerOf(config, gateway.entities, sources);
  if (consumer === undefined) return refused('the token names no consumer');
  const { authenticated_groups_claim: path } = config;
  const groups = path === null ? null : listOf(findClaim(sources, path)).slice(0, MOST_GROUPS);
  const hidden = config.hide_credentials && evidence.hide !== null;
  if (hidden) evidence.hide?.(exchange);
  headers.tell(exchange, evidence, outbox, hidden);
  const claim = findClaim(sources, config.credential_claim);
  const named =
    typeof claim === 'string' && claim !== '' && claim.length <= LONGEST_CREDENTIAL ? claim : null;
  const id = named ?? consumer?.id ?? 'openid-connect';
  const credential = { id, consumerId: consumer?.id ?? null };
  return { consumer, credential, identifier: identifierOf(named), groups };
}

/** Headers hold no control characters. */
function identifierOf(claim: string | null): string | null {
  // eslint-disable-next-line no-control-regex
  return claim === null || /[\u0000-\u001f\u007f]/.test(claim) ? null : claim;
}

/**
 * Of what a client shows itself, one of those that are asked for is expected where it names any: the provider signs tokens
 * for others as well.
 */
function audiencesOf(config: OidcConfig, { access, bearer }: Evidence): readonly string[] | null {
  const { audience_required: required, audience: asked, audience_claim: path } = config;
  if (required !== null && required.length > 0) return required;
  return bearer && claimAt(access, path) !== undefined ? asked : null;
}

function missingClaim(config: OidcConfig, evidence: Evidence): string | null {
  const { access } = evidence;
  const required = [
    ['audiences', audiencesOf(config, evidence), config.audience_claim],
    ['scopes', config.scopes_required, config.scopes_claim],
    ['groups', config.groups_required, config.groups_claim],
    ['roles', config.roles_required, config.roles_claim],
  ] as const;
  for (const [what, values, path] of required) {
    if (!hasOneOf(claimAt(access, path), values)) return what;
  }
  return null;
}

/** Null: it need not be anybody. Undefined: it would have to be, and is nobody. */
function consumerOf(
  config: OidcConfig,
  entities: EntityLookup,
  sources: ReadonlyArray<Evidence['access']>,
): Consumer | null | undefined {
  if (config.consumer_claim === null) return null;
  const nobody = config.consumer_optional ? null : undefined;
  const name = findClaim(sources, config.consumer_claim);
  if (typeof name !== 'string' || name === '') return nobody;
  for (const field of config.consumer_by) {
    const found = field === 'id' ? entities.get('consumers', name) : entities.find('consumers', field, name);
    if (found !== null) return found;
  }
  return nobody;
}
