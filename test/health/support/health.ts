/** What the Admin API says of targets, and the parts of a configuration with health checks. */
import { type Gateway } from '../../support/gateway.ts';
import { waitFor } from '../../support/wait.ts';
import type { Target } from './target.ts';

type Json = Readonly<Record<string, unknown>>;

/** Of each target of the upstream. */
export async function healthOf(
  gateway: Gateway,
  upstream: string,
  side = gateway.adminUrl,
): Promise<Record<string, string>> {
  const response = await fetch(`${side}/upstreams/${upstream}/health?size=1000`);
  const { data } = (await response.json()) as { data: Json[] };
  return Object.fromEntries(data.map((one) => [String(one['target']), String(one['health'])]));
}

export async function waitHealth(
  gateway: Gateway,
  upstream: string,
  target: { readonly at: string },
  wanted: string,
): Promise<void> {
  await waitFor(async () => (await healthOf(gateway, upstream))[target.at] === wanted, {
    what: `${target.at} to be ${wanted}`,
  });
}

export async function tell(gateway: Gateway, upstream: string, path: string): Promise<number> {
  const response = await fetch(`${gateway.adminUrl}/upstreams/${upstream}/targets/${path}`, {
    method: 'PUT',
  });
  await response.arrayBuffer();
  return response.status;
}

export interface Balanced {
  readonly name: string;
  readonly healthchecks: object;
  readonly targets: ReadonlyArray<Target | string>;
  readonly service?: object;
  readonly upstream?: object;
}

/** Upstreams with a service and a route `/NAME` each. */
export function configOf(all: readonly Balanced[]): Json {
  return {
    _format_version: '3.0',
    upstreams: all.map(({ name, healthchecks, targets, upstream }) => ({
      name: `${name}.up`,
      healthchecks,
      ...upstream,
      targets: targets.map((target) => ({ target: typeof target === 'string' ? target : target.at })),
    })),
    services: all.map(({ name, service }) => ({
      name,
      host: `${name}.up`,
      retries: 0,
      ...service,
      routes: [{ paths: [`/${name}`], strip_path: false }],
    })),
  };
}
