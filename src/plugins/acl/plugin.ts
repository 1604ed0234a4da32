/**
 * acl: who may pass is decided by groups: those of the consumer (`acls`), or those that the plugin found that authenticated.
 *
 * Nobody known is 401, known and not welcome 403. The upstream is told all groups of who passes, and only what is told here:
 * what the client says of groups is taken out.
 */
import { headerValue } from '../common/header-value.ts';
import { GROUP_HEADERS } from '../common/identity.ts';
import { definePlugin } from '../kit/define.ts';
import type { Exchange } from '../kit/exchange.ts';
import { refuse } from '../kit/reply.ts';
import { FoldedNames } from '../../wire/folded-names.ts';
import { acl } from './schema.ts';

const UNKNOWN = refuse(401);
const UNWELCOME = refuse(403, 'You cannot consume this service');
const [OF_CONSUMER, OF_CLIENT] = GROUP_HEADERS;
const HEADERS = new FoldedNames(GROUP_HEADERS);

interface Membership {
  readonly groups: readonly string[];
  readonly header: typeof OF_CONSUMER | typeof OF_CLIENT;
}

export default definePlugin({
  ...acl,
  create(config, { entities }) {
    const deny = config.deny !== null && config.deny.length > 0;
    const listed = new Set(deny ? config.deny : config.allow);

    function groupsOfConsumer(exchange: Exchange, consumerId: string): readonly string[] {
      const groups = entities.owned('acls', consumerId).map(({ group }) => group);
      if (!config.include_consumer_groups) return groups;
      return [...new Set([...groups, ...exchange.groups.map(({ name }) => name)])];
    }

    /** Null: nobody knows who calls. */
    function membershipOf(exchange: Exchange): Membership | null {
      const { consumer, credential, authenticatedGroups: found } = exchange;
      const consumerId = consumer?.id ?? credential?.consumerId ?? null;
      // Found groups stand for a client without a consumer of its own, the anonymous one included.
      const ofClient = consumerId === null || credential === null || config.always_use_authenticated_groups;
      if (ofClient && found !== null) return { groups: found, header: OF_CLIENT };
      if (consumerId === null) return credential === null ? null : { groups: [], header: OF_CLIENT };
      return { groups: groupsOfConsumer(exchange, consumerId), header: OF_CONSUMER };
    }

    return {
      access(exchange) {
        const membership = membershipOf(exchange);
        if (membership === null) return UNKNOWN;
        const { groups, header } = membership;
        const inside = groups.some((group) => listed.has(group));
        const none = groups.length === 0 && header === OF_CONSUMER;
        if (!deny && none) return exchange.credential === null ? UNKNOWN : UNWELCOME;
        if (inside === deny) return UNWELCOME;
        // A credential of nobody is in no group, and no list says that it may pass.
        if (header === OF_CLIENT && exchange.authenticatedGroups === null) return UNWELCOME;
        const { headers } = exchange.upstreamRequest;
        headers.removeSpellings(HEADERS);
        if (!config.hide_groups_header && groups.length > 0)
          headers.set(header, headerValue(groups.join(', ')));
        return undefined;
      },
    };
  },
});
