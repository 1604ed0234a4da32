/** `/` (Admin API): what this node is. Kong's clients read `version`, `configuration.database` and the plugins. */
import { pluginKinds } from '../../entities/plugin-entities.ts';
import { relationsOf } from '../../entities/registry.ts';
import { apiName } from './endpoints.ts';
import { hostname } from 'node:os';
import { KONG_VERSION, VERSION } from '../../lib/version.ts';
import { MEANINGLESS_KEYS, REFUSED_KEYS } from '../../settings/kong-keys.ts';
import { formatListener } from '../../settings/parse-listen.ts';
import type { Listener, Settings } from '../../settings/settings.ts';
import { SETTINGS } from '../../settings/table.ts';
import type { Gateway } from '../gateway.ts';
import { nodeId } from '../../settings/node-id.ts';
import { UsedPlugins, enabledPlugins } from './plugin-list.ts';
import { type Methods, json } from './resource.ts';
import { waitingTimers } from './timers.ts';

/** Kong's mask. */
const MASKED = '******';

export function root(gateway: Gateway): Methods {
  const node_id = nodeId(gateway.reloader.settings);
  const used = new UsedPlugins();
  return {
    GET: async () => {
      const { settings } = gateway.reloader;
      const available = [...enabledPlugins(settings)].map(([name, { version, priority }]) => {
        return [name, { version, priority }] as const;
      });
      return json(200, {
        tagline: 'Welcome to kong',
        version: KONG_VERSION,
        edition: 'community',
        sluice_version: VERSION,
        // A name that Kong's answer has; there is no Lua here, and whoever reads it shows it to people.
        lua_version: `none (Node.js ${process.version})`,
        hostname: hostname(),
        node_id,
        timers: { running: 0, pending: waitingTimers() },
        plugins: {
          available_on_server: Object.fromEntries(available),
          enabled_in_cluster: await used.of(gateway.store),
        },
        ...pluginEntities(),
        configuration: configuration(settings),
        pids: { master: process.pid, workers: gateway.supervisor.workers.map(() => process.pid) },
      });
    },
  };
}

/** What plugins bring, for clients that read and write all there is: `sluice config` does. Kong's answer has no such key. */
function pluginEntities(): object {
  const kinds = [...pluginKinds().values()].map(({ plugin, definition }) => {
    const { name, endpoint_key: key = null, cache_key: together, fields, ttl = false } = definition;
    const entries = Object.entries(fields);
    const references = relationsOf(definition).map((one) => [one.name, one.field.reference]);
    const uniques = entries.filter(([, { unique }]) => unique === true).map(([field]) => [field]);
    const identities = together === undefined ? uniques : [...uniques, together];
    const secrets = entries
      .filter(([, one]) => one.type === 'string' && (one.secret ?? false))
      .map(([field]) => field);
    const path = apiName(definition);
    return { name, plugin, path, key, references: Object.fromEntries(references), identities, secrets, ttl };
  });
  return kinds.length === 0 ? {} : { plugin_entities: kinds };
}

/**
 * Every setting, and Kong's without meaning here with its default. Listeners are written as in kong.conf and, as Kong has
 * it, once more as objects.
 */
function configuration(settings: Settings): Record<string, unknown> {
  const shown = kongDefaults();
  for (const [name, value] of Object.entries(settings) as [keyof Settings, unknown][]) {
    const unset = value === null || (Array.isArray(value) && value.length === 0);
    const hidden = SETTINGS[name].secret === true && !unset;
    shown[name] = hidden ? MASKED : value instanceof Set ? [...(value as Set<unknown>)] : value;
  }
  for (const name of ['proxy', 'stream', 'admin', 'status'] as const) {
    const listeners = settings[`${name}_listen`];
    shown[`${name}_listen`] = listeners.length === 0 ? ['off'] : listeners.map(listenText);
    shown[`${name}_listeners`] = listeners.map((listener) => ({
      ip: listener.host,
      port: listener.port,
      ssl: listener.ssl,
      http2: listener.http2,
      proxy_protocol: listener.proxyProtocol,
      reuseport: listener.reuseport,
      backlog: listener.backlog,
      listener: listenText(listener),
    }));
  }
  return shown;
}

function kongDefaults(): Record<string, unknown> {
  const shown: Record<string, unknown> = {};
  for (const [name, { silent }] of MEANINGLESS_KEYS) shown[name] = defaultValue(silent[0] ?? '');
  for (const [name, { accepted }] of REFUSED_KEYS) shown[name] = defaultValue(accepted[0] ?? '');
  return shown;
}

/** As Kong's own reading would type it; JSON has no entry for what is unset. */
function defaultValue(text: string): unknown {
  if (text === '') return undefined;
  if (text === 'on' || text === 'off') return text === 'on';
  return /^-?\d+(?:\.\d+)?$/.test(text) ? Number(text) : text;
}

function listenText(listener: Listener): string {
  const { ssl, http2, proxyProtocol, udp, reuseport, backlog } = listener;
  const flags = [
    http2 && ' http2',
    ssl && ' ssl',
    udp && ' udp',
    proxyProtocol && ' proxy_protocol',
    reuseport && ' reuseport',
  ].filter((flag) => flag !== false);
  return `${formatListener(listener)}${flags.join('')} backlog=${backlog}`;
}
