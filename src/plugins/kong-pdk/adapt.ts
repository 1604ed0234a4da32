/**
 * Plugins that were written for `kong-pdk` (npm), run in process: what such a module exports, as a plugin of the kit.
 *
 * Kong runs them in a process of their own, where a call of `kong` is a message; here it is a function call that answers a
 * promise all the same. A plugin that throws is a 500 for its request, as any other of Sluice's; with Kong the
 * request would go on as if nothing had happened.
 */
import { ALL_PROTOCOLS } from '../../entities/plugin-description.ts';
import { EarlyChanges } from '../common/early-changes.ts';
import type { PluginDefinition } from '../kit/define.ts';
import type { Exchange } from '../kit/exchange.ts';
import type { Filters, FilterResult } from '../kit/filters.ts';
import type { PluginServices } from '../kit/services.ts';
import { bridge } from './bridge.ts';
import { fieldsOf } from './fields.ts';
import { KONG_PHASES, type KongPhase, Session, type SessionOptions } from './session.ts';

type Handler = (kong: unknown) => unknown;
type Instance = Readonly<Record<string, Handler>>;

interface KongModule {
  readonly Plugin: (new (config: unknown) => Instance) & { readonly prototype: object };
  readonly Name?: unknown;
  readonly Schema?: unknown;
  readonly Version?: unknown;
  readonly Priority?: unknown;
}

function isKongModule(exported: unknown): exported is KongModule {
  return (
    typeof exported === 'object' && exported !== null && typeof (exported as KongModule).Plugin === 'function'
  );
}

/**
 * @param exported what the file exports (`module.exports`, or the default export of an ES module).
 * @param name of the file without its ending: the plugin's, unless the module says another.
 * @returns null: it is no plugin of `kong-pdk`. @throws Error what is wrong with it.
 */
export function adaptKongPdk(exported: unknown, name: string): PluginDefinition | null {
  if (!isKongModule(exported)) return null;
  const { Plugin, Name = name, Schema = [], Version = '0.0.0', Priority = 0 } = exported;
  if (typeof Name !== 'string') throw new TypeError('Name must be a string');
  if (typeof Priority !== 'number' || !Number.isFinite(Priority))
    throw new TypeError('Priority must be a number');
  if (typeof Version !== 'string') throw new TypeError("Version must be a string like '1.0.0'");
  const prototype = Plugin.prototype as Instance;
  const phases = KONG_PHASES.filter((phase) => typeof prototype[phase] === 'function');
  if (phases.length === 0) {
    throw new TypeError(`class Plugin has none of the methods ${KONG_PHASES.join(', ')}`);
  }
  return {
    name: Name.toLowerCase(),
    priority: Priority,
    version: Version,
    description: 'A plugin for kong-pdk.',
    protocols: ALL_PROTOCOLS,
    config: fieldsOf(Schema),
    create: (config: unknown, gateway) => filters(new Plugin(structuredClone(config)), phases, gateway),
  };
}

function filters(plugin: Instance, phases: readonly KongPhase[], gateway: PluginServices): Filters {
  const early = new EarlyChanges();
  const buffers = phases.includes('response');
  const run = (phase: KongPhase, of: Partial<SessionOptions>): Promise<FilterResult> =>
    settle(plugin, new Session({ phase, gateway, early, buffers, ...of }));
  const all: Required<Pick<Filters, KongPhase>> = {
    certificate: async (handshake) => void (await run('certificate', { handshake })),
    rewrite: (exchange) => run('rewrite', { exchange }),
    access: (exchange) => run('access', { exchange }),
    response: (exchange, body) => run('response', { exchange, body }),
    preread: async (stream) => void (await run('preread', { stream })),
    log: async (exchange) => void (await run('log', { exchange })),
  };
  const used: Filters = Object.fromEntries(phases.map((phase) => [phase, all[phase]]));
  const isEarly = phases.includes('rewrite') || phases.includes('access');
  return isEarly ? { ...used, headerFilter: (exchange: Exchange) => early.apply(exchange) } : used;
}

/** Until the method has ended, or has answered the request, whichever is first. */
async function settle(plugin: Instance, session: Session): Promise<FilterResult> {
  const answered = new Promise<void>((resolve) => {
    session.onReply = resolve;
  });
  await Promise.race([plugin[session.phase]?.(bridge(session)), answered]);
  return session.reply ?? undefined;
}
