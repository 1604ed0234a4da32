/** The calls of Kong's plugin development kit that plugins of `kong-pdk` can make, by name. */
import { CLIENT, CONTEXT, NODE } from './methods-context.ts';
import { REQUEST } from './methods-request.ts';
import { RESPONSE } from './methods-response.ts';
import { SERVICE } from './methods-service.ts';
import type { Session } from './session.ts';

export type Method = (session: Session, ...args: unknown[]) => unknown;
export type Methods = Readonly<Record<string, Method>>;

/** Calls that Kong has and Sluice has not: they reject, and say so. */
const MISSING: Readonly<Record<string, string>> = {
  'client.authenticate_consumer_group_by_consumer_id': 'groups come from the consumer',
  'client.get_consumer_group': 'kong.client.getConsumerGroups gives the groups of the consumer',
  'client.set_authenticated_consumer_group': 'groups come from the consumer',
  'client.set_authenticated_consumer_groups': 'groups come from the consumer',
  'client.tls.disable_session_reuse': 'a handshake cannot be changed by a plugin',
  'client.tls.request_client_certificate': 'a handshake cannot be changed by a plugin',
  'client.tls.set_client_verify': 'a handshake cannot be changed by a plugin',
  'cluster.get_id': 'nodes have no id in common',
  'enterprise_edition.jwe.decode': 'use a package of npm',
  'enterprise_edition.jwe.decrypt': 'use a package of npm',
  'enterprise_edition.jwe.encrypt': 'use a package of npm',
  'log.serialize': 'the log entry is made when the request is over',
  'nginx.get_statistics': 'GET /status of the Admin API has them',
  'nginx.shared.get': 'there is no memory of nginx',
  'nginx.shared.set': 'there is no memory of nginx',
  'node.get_memory_stats': 'GET /status of the Admin API has them',
  'service.request.disable_tls': 'use kong.service.request.setScheme',
  'service.set_target_retry_callback': 'a function cannot be called between tries',
  'service.set_tls_verify': 'the service says it',
  'service.set_tls_verify_depth': 'the service says it',
  'telemetry.log': 'there is no telemetry of plugins',
  'vault.flush': 'vaults are not cached by plugins',
  'vault.init_worker': 'vaults are not cached by plugins',
  'vault.parse_reference': 'kong.vault.get takes the reference',
  'vault.update': 'kong.vault.get takes the reference',
  'vault.warmup': 'vaults are not cached by plugins',
};

function missing(reason: string): Method {
  return () => {
    throw new Error(`Sluice does not have it: ${reason}`);
  };
}

export const METHODS: ReadonlyMap<string, Method> = new Map(
  [
    ...Object.entries({ ...CLIENT, ...CONTEXT, ...NODE, ...REQUEST, ...RESPONSE, ...SERVICE }),
    ...Object.entries(MISSING).map(([name, reason]) => [name, missing(reason)] as const),
  ].map(([name, method]) => [`kong.${name}`, method]),
);
