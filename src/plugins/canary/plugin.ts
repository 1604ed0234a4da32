/**
 * canary: who is sent to another version of a service is decided anew with each request, from the configuration and the clock
 * alone. There is no state and no timer: a configuration that says less, or is gone, takes everybody back with the next request.
 */
import { definePlugin } from '../kit/define.ts';
import type { Exchange } from '../kit/exchange.ts';
import { clientKey } from '../versions/client-key.ts';
import { Destination } from '../versions/destination.ts';
import { placeOf, seedOf, shareAt } from '../versions/draw.ts';
import { VersionLedger } from '../versions/ledger.ts';
import { isMember } from './membership.ts';
import { canary } from './schema.ts';

const CANARY = 'canary';
const STABLE = 'stable';

export default definePlugin({
  ...canary,
  create(config, gateway) {
    const destination = new Destination(config, gateway.log);
    const ledger = new VersionLedger(gateway, { field: 'canary', header: config.version_header });
    const groups = new Set(config.groups);
    const seed = seedOf(config.salt ?? '');
    const kind = config.hash ?? 'consumer';
    const ramp = {
      start: (config.start ?? gateway.plugin.created_at) * 1000,
      duration: (config.duration ?? 3600) * 1000,
      steps: config.steps ?? 1000,
    };
    const share = (): number =>
      config.percentage === null ? shareAt(ramp, Date.now()) : config.percentage / 100;

    const draw = (exchange: Exchange): Drawn => {
      if (kind === 'allow' || kind === 'deny') {
        const inside = isMember(exchange, gateway.entities, groups);
        return { canary: inside === (kind === 'allow'), setCookie: null };
      }
      if (kind === 'none') return { canary: Math.random() < share(), setCookie: null };
      const { key, setCookie } = clientKey(exchange, kind, config);
      return { canary: placeOf(key, seed) < share(), setCookie };
    };

    return {
      access(exchange) {
        const name = config.canary_by_header_name;
        const wish = name === null ? undefined : exchange.request.headers.get(name);
        const forced = wish === 'always';
        const drawn = forced || wish === 'never' ? { canary: forced, setCookie: null } : draw(exchange);
        let version = drawn.canary ? CANARY : STABLE;
        if (drawn.canary && config.upstream_fallback && !forced && !destination.isHealthy(exchange)) {
          version = STABLE;
          ledger.fallback(CANARY);
        }
        ledger.note(exchange, version, drawn.setCookie);
        return version === CANARY ? destination.apply(exchange) : undefined;
      },
      headerFilter: (exchange) => ledger.headerFilter(exchange),
      log: (exchange) => ledger.log(exchange),
    };
  },
});

interface Drawn {
  readonly canary: boolean;
  readonly setCookie: string | null;
}
