/** traffic-mirror: draws requests and counts copies. They are made and sent by the forward phase (`MirrorPolicy`). */
import type { Entity } from '../../entities/schema/field.ts';
import { FoldedNames } from '../../wire/folded-names.ts';
import { definePlugin } from '../kit/define.ts';
import type { MirrorDrop, MirrorPolicy, MirrorUrl } from '../kit/mirror.ts';
import type { PluginServices } from '../kit/services.ts';
import { withoutArgs } from './query.ts';
import { trafficMirror } from './schema.ts';

type Config = Entity<typeof trafficMirror.config>;

const CREDENTIAL_HEADERS = [
  'authorization',
  'proxy-authorization',
  'cookie',
  'apikey',
  'api-key',
  'x-api-key',
];
const CREDENTIAL_ARGS = ['apikey', 'api_key', 'access_token', 'jwt'];

/** Milliseconds. */
const LATENCIES = [5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000];

/** The name as it is written: names of upstreams are compared so. */
const URL_PARTS = /^(https?):\/\/(\[[^\]]+\]|[^:/]+)(?::(\d+))?(\/.*)?$/i;

export default definePlugin({
  ...trafficMirror,
  create(config, gateway) {
    const mirror = new Mirror(config, gateway);
    return {
      access({ upstreamRequest }) {
        if (Math.random() * 100 < config.percentage) upstreamRequest.mirror = mirror;
      },
    };
  },
});

class Mirror implements MirrorPolicy {
  readonly to: string | MirrorUrl;
  readonly timeout: number;
  readonly maxBody: number;
  readonly maxAnswer: number;
  readonly mark: readonly [string, string];
  readonly removed: FoldedNames;
  readonly #removedArgs: ReadonlySet<string>;
  readonly #max: number;
  readonly #service: string;
  readonly #log: PluginServices['log'];
  #inFlight = 0;
  /** It has been said that the service is not there: once for each configuration is enough. */
  #told = false;
  readonly #countSent: (status: number, ms: number) => void;
  readonly #countFailed: (reason: string) => void;
  readonly #countDropped: (reason: string) => void;

  constructor(config: Config, { metrics, plugin, log }: PluginServices) {
    this.to = destinationOf(config);
    this.timeout = config.timeout;
    this.maxBody = config.max_body_size;
    this.maxAnswer = config.max_response_size;
    this.mark = [config.mark_header, 'sluice'];
    const strips = config.strip_credentials;
    this.removed = new FoldedNames([...(strips ? CREDENTIAL_HEADERS : []), ...config.remove_headers]);
    this.#removedArgs = new Set([...(strips ? CREDENTIAL_ARGS : []), ...config.remove_args]);
    this.#max = config.max_in_flight;
    this.#service = config.service ?? '';
    this.#log = log;
    const name = plugin.instance_name ?? plugin.id;
    const sent = metrics.counter('sent_total', 'Copies that were answered.', ['name', 'status']);
    const latency = metrics.histogram('latency_milliseconds', 'Until the head of the answer.', LATENCIES, [
      'name',
    ]);
    const failed = metrics.counter('failed_total', 'Copies that were not answered.', ['name', 'reason']);
    const dropped = metrics.counter('dropped_total', 'Requests that were drawn and not copied.', [
      'name',
      'reason',
    ]);
    this.#countSent = (status, ms) => {
      sent(1, [name, `${Math.floor(status / 100)}xx`]);
      latency(ms, [name]);
    };
    this.#countFailed = (reason) => failed(1, [name, reason]);
    this.#countDropped = (reason) => dropped(1, [name, reason]);
  }

  query(query: string): string {
    return withoutArgs(query, this.#removedArgs);
  }

  enter(): boolean {
    if (this.#inFlight >= this.#max) return false;
    this.#inFlight++;
    return true;
  }

  dropped(reason: MirrorDrop): void {
    this.#countDropped(reason);
    if (reason !== 'no_service' || this.#told) return;
    this.#told = true;
    this.#log.error(`there is no service '${this.#service}' that takes requests`);
  }

  sent(status: number, ms: number): void {
    this.#inFlight--;
    this.#countSent(status, ms);
  }

  failed(reason: string): void {
    this.#inFlight--;
    this.#countFailed(reason);
  }
}

/** @throws Error when neither is there. */
function destinationOf({ service, url, tls_verify: tlsVerify }: Config): string | MirrorUrl {
  if (service !== null) return service;
  const [, scheme = '', host = '', port, path = '/'] = URL_PARTS.exec(url ?? '') ?? [];
  if (host === '') throw new Error(`'${url}' is not a URL`);
  const tls = scheme.toLowerCase() === 'https';
  const bare = host.startsWith('[') ? host.slice(1, -1) : host;
  return { tls, host: bare, port: port === undefined ? (tls ? 443 : 80) : Number(port), path, tlsVerify };
}
