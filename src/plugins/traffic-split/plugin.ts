/** traffic-split: each client has a version by the hash of what tells it apart; there is no state. */
import { hash32 } from '../../zone/hash32.ts';
import { definePlugin } from '../kit/define.ts';
import type { Exchange } from '../kit/exchange.ts';
import type { PluginLog } from '../kit/services.ts';
import { clientKey } from '../versions/client-key.ts';
import { Destination, type DestinationConfig } from '../versions/destination.ts';
import { seedOf, WeightedDraw } from '../versions/draw.ts';
import { VersionLedger } from '../versions/ledger.ts';
import { trafficSplit } from './schema.ts';

class Version {
  readonly name: string;
  readonly weight: number;
  readonly destination: Destination;

  constructor(
    config: DestinationConfig & { readonly name: string; readonly weight: number },
    log: PluginLog,
  ) {
    this.name = config.name;
    this.weight = config.weight;
    this.destination = new Destination(config, log);
  }
}

export default definePlugin({
  ...trafficSplit,
  create(config, gateway) {
    const versions = config.versions.map((version) => new Version(version, gateway.log));
    const byName = new Map(versions.map((version) => [version.name, version]));
    const seed = seedOf(config.salt ?? '');
    const draw = new WeightedDraw(versions, seed);
    const ledger = new VersionLedger(gateway, { field: 'traffic_split', header: config.version_header });

    /** The version of a client, or another one that can be asked; the first when none can. */
    const reachable = (exchange: Exchange, key: number): Version | null => {
      const first = draw.of(key);
      if (first === null || !config.upstream_fallback) return first;
      let passed: Set<Version> | null = null;
      for (let version: Version | null = first; version !== null; version = draw.of(key, passed)) {
        if (version.destination.isHealthy(exchange)) return version;
        ledger.fallback(version.name);
        (passed ??= new Set()).add(version);
      }
      return first;
    };

    const wished = (exchange: Exchange): Version | undefined => {
      const { version_by_header_name: name } = config;
      return name === null ? undefined : byName.get(exchange.request.headers.get(name) ?? '');
    };

    return {
      access(exchange) {
        let version: Version | null = wished(exchange) ?? null;
        let setCookie: string | null = null;
        if (version === null) {
          let key = 0;
          if (config.hash === 'none') key = Math.floor(Math.random() * 2 ** 32);
          else {
            const client = clientKey(exchange, config.hash, config);
            key = hash32(client.key, seed);
            setCookie = client.setCookie;
          }
          version = reachable(exchange, key);
        }
        if (version === null) return undefined;
        ledger.note(exchange, version.name, setCookie);
        return version.destination.apply(exchange);
      },
      headerFilter: (exchange) => ledger.headerFilter(exchange),
      log: (exchange) => ledger.log(exchange),
    };
  },
});
