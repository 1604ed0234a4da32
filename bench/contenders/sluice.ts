/** Sluice itself, as its users run it, with one worker on one core. */
import { startGateway, type Gateway, type KongConfig } from '../../test/support/gateway.ts';
import { CORES, on } from '../support/cores.ts';
import { freePort } from '../../test/support/ports.ts';
import type { BenchPair, Contender, Running } from './contender.ts';

export interface SluiceOptions {
  readonly config: KongConfig;
  readonly accessLog?: boolean;
  readonly settings?: Readonly<Record<string, string | number>>;
  readonly tls?: BenchPair | undefined;
}

export type RunningSluice = Running & { readonly gateway: Gateway };

/** One service, one route that takes everything. */
export function plainConfig(upstreamPort: number): KongConfig {
  return {
    _format_version: '3.0',
    services: [
      {
        name: 'upstream',
        url: `http://127.0.0.1:${upstreamPort}`,
        routes: [{ name: 'all', paths: ['/'], strip_path: false }],
      },
    ],
  };
}

export async function startSluice(options: SluiceOptions): Promise<RunningSluice> {
  const { tls } = options;
  const tlsPort = tls === undefined ? null : await freePort();
  const gateway = await startGateway({
    config: options.config,
    wrapper: on(CORES.gateway),
    timeout: 60_000,
    settings: {
      nginx_worker_processes: 1,
      proxy_access_log: options.accessLog === true ? 'logs/access.log' : 'off',
      ...(tls === undefined
        ? {}
        : {
            proxy_listen: `127.0.0.1:${tlsPort} ssl backlog=16384`,
            ssl_cert: tls.cert,
            ssl_cert_key: tls.key,
          }),
      ...options.settings,
    },
  });
  return {
    gateway,
    port: tlsPort ?? gateway.proxyPort,
    pid: gateway.pid,
    [Symbol.asyncDispose]: () => gateway[Symbol.asyncDispose](),
  };
}

export const sluice: Contender = {
  name: 'sluice',
  start: ({ upstreamPort, accessLog, tls }) =>
    startSluice({ config: plainConfig(upstreamPort), accessLog, tls }),
};
