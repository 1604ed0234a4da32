/** Where a version is, and whether it can be asked. */
import type { Exchange } from '../kit/exchange.ts';
import { refuse, type Reply } from '../kit/reply.ts';
import type { PluginLog } from '../kit/services.ts';

export interface DestinationConfig {
  readonly service: string | null;
  readonly upstream_host: string | null;
  readonly upstream_port: number | null;
  readonly upstream_uri: string | null;
}

/** As a route without a service is answered. */
const MISSING = refuse(503, 'no Service found with those values');

export class Destination {
  readonly #config: DestinationConfig;
  readonly #log: PluginLog;
  /** It has been said that the service is not there: once for each configuration is enough. */
  #told = false;

  constructor(config: DestinationConfig, log: PluginLog) {
    this.#config = config;
    this.#log = log;
  }

  /** Its upstream has a target that takes requests, as far as health checks know. */
  isHealthy(exchange: Exchange): boolean {
    const { service, upstream_host: host } = this.#config;
    const { upstreamRequest } = exchange;
    if (service === null) return host === null || upstreamRequest.isHealthy(host);
    const found = upstreamRequest.findService(service);
    if (found === null) this.#tell(service);
    return found !== null && upstreamRequest.isHealthy(found.host);
  }

  /** Sends the request there. A reply: there is no such service. */
  apply(exchange: Exchange): Reply | undefined {
    const { service, upstream_host: host, upstream_port: port, upstream_uri: uri } = this.#config;
    const { upstreamRequest } = exchange;
    if (service !== null) {
      if (upstreamRequest.findService(service) === null) {
        this.#tell(service);
        return MISSING;
      }
      upstreamRequest.setService(service);
    } else if (exchange.service !== null && (host !== null || port !== null)) {
      // Without a service there is nothing to be sent to another host: the request is answered so.
      upstreamRequest.setTarget(host, port);
    }
    if (uri !== null) upstreamRequest.path = uri;
    return undefined;
  }

  #tell(service: string): void {
    if (this.#told) return;
    this.#told = true;
    this.#log.error(`there is no service '${service}' that is enabled`);
  }
}
