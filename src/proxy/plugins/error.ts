/** What fails in a plugin is its request's failure: the client hears that something failed, the log hears what. */
import { GatewayError } from '../../lib/gateway-error.ts';
import type { PluginInstance } from '../../plugins/engine/instance.ts';
import { BodyTooLarge } from '../../plugins/kit/exchange.ts';
import { payloadTooLarge } from '../request-body.ts';

export function pluginError({ entity, cost }: PluginInstance, cause: unknown): GatewayError {
  if (cause instanceof GatewayError) return cause;
  if (cause instanceof BodyTooLarge) return payloadTooLarge();
  cost?.failed();
  const init = {
    source: 'plugin',
    status: 500,
    cause: `plugin ${entity.name} (${entity.id}): ${causeText(cause)}`,
  } as const;
  return new GatewayError('plugin_failed', 'An unexpected error occurred', init);
}

/** A filter's promise did not settle. */
export function pluginTimeout({ entity, cost }: PluginInstance, phase: string, ms: number): GatewayError {
  cost?.failed();
  const init = {
    source: 'plugin',
    status: 504,
    cause: `plugin ${entity.name} (${entity.id}) has not settled in ${phase} after ${ms} ms`,
  } as const;
  return new GatewayError('plugin_timeout', 'The gateway took too long to answer', init);
}

/** Neither a plugin nor anybody outside is at fault. */
export function defect(cause: unknown): GatewayError {
  const init = { source: 'gateway', status: 500, cause: causeText(cause) } as const;
  return new GatewayError('defect', 'An unexpected error occurred', init);
}

/** For the log. */
export function causeText(cause: unknown): string {
  try {
    return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
  } catch {
    return 'it threw something that has no text';
  }
}
