/** Whether who calls is in one of some groups: of `acl`, a consumer group, or one that the authenticating plugin found. */
import type { Exchange } from '../kit/exchange.ts';
import type { EntityLookup } from '../kit/services.ts';

export function isMember(exchange: Exchange, entities: EntityLookup, groups: ReadonlySet<string>): boolean {
  const { consumer, credential, authenticatedGroups } = exchange;
  if (authenticatedGroups?.some((group) => groups.has(group)) === true) return true;
  if (exchange.groups.some(({ name }) => groups.has(name))) return true;
  const id = consumer?.id ?? credential?.consumerId ?? null;
  return id !== null && entities.owned('acls', id).some(({ group }) => groups.has(group));
}
