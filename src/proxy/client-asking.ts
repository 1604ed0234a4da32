/**
 * Which clients are asked for a certificate because of plugins (mtls-auth), as a snapshot has them
 * (docs/adr/0036-tokens-and-certificates.md).
 *
 * A plugin on a route that has `snis` concerns handshakes with those names; any other concerns all. When every such plugin
 * names its authorities to clients, all of these names are sent; else none, as a client that reads names may keep a
 * certificate to itself that another route would take.
 */
import type { PluginInstance } from '../plugins/engine/instance.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';

export interface ClientAsking {
  /** Lower case; null: whoever comes is asked. */
  readonly names: ReadonlySet<string> | null;
  /** PEM of the authorities whose names are sent; '' for none. */
  readonly authorities: string;
}

/** Null: nobody is asked. */
export function clientAsking({ plugins, router, trust }: Snapshot): ClientAsking | null {
  const instances = [...plugins.instances.values()].filter(
    ({ filters }) => filters.clientCertificates !== undefined,
  );
  if (instances.length === 0) return null;
  const named = instances.map((instance) => namesOf(instance, router));
  const names = named.includes(null) ? null : new Set(named.flatMap((some) => some ?? []));
  const ids = instances.map(({ filters }) => filters.clientCertificates?.authorities ?? []);
  const pems = ids.some((some) => some.length === 0)
    ? []
    : new Set(ids.flat().map((id) => trust.authorities.get(id)?.cert ?? ''));
  return { names, authorities: [...pems].join('\n') };
}

function namesOf({ entity }: PluginInstance, router: Snapshot['router']): readonly string[] | null {
  const snis = entity.route === null ? null : router.valueOf(entity.route.id)?.entity.snis;
  if (snis === null || snis === undefined || snis.length === 0) return null;
  return snis.some((name) => name.includes('*'))
    ? null
    : snis.map((name) => name.toLowerCase().replace(/\.$/, ''));
}

export function asks({ names }: ClientAsking, serverName: string): boolean {
  return names === null || names.has(serverName);
}
