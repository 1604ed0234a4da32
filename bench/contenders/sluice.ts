/** Sluice itself, as its users run it, with one worker on one core. */
import { startGateway, type Gateway, type KongConfig } from '../../test/support/gateway.ts';
import { CORES, on } from '../support/cores.ts';
import type { Contender, Running } from './contender.ts';

export interface SluiceOptions {
  readonly config: KongConfig;
  readonly accessLog?: boolean;
  readonly settings?: Readonly<Record<string, string | number>>;
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
  const gateway = await startGateway({
    config: options.config,
    wrapper: on(CORES.gateway),
    timeout: 60_000,
    settings: {
      nginx_worker_processes: 1,
      proxy_access_log: options.accessLog === true ? 'logs/access.log' : 'off',
      ...options.settings,
    },
  });
  return {
    gateway,
    port: gateway.proxyPort,
    pid: gateway.pid,
    [Symbol.asyncDispose]: () => gateway[Symbol.asyncDispose](),
  };
}

export const sluice: Contender = {
  name: 'sluice',
  start: ({ upstreamPort, accessLog }) => startSluice({ config: plainConfig(upstreamPort), accessLog }),
};
