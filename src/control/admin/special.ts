/** The handlers of `special-endpoints.ts`, by path. */
import type { Gateway } from '../gateway.ts';
import { NODE, WHOLE } from '../access/principal.ts';
import { cache, cacheEntry } from './cache.ts';
import { config } from './config.ts';
import { changeLogLevel, showLogLevel } from './log-level.ts';
import { endpoints, openapi } from './openapi/serve.ts';
import { metrics, pluginCost } from './metrics.ts';
import { enabledPlugins } from './plugin-list.ts';
import { type AdminApp, type Methods, json, resource } from './resource.ts';
import { root } from './root.ts';
import {
  entitySchema,
  filterSchema,
  pluginConfigSchema,
  pluginSchema,
  validateEntity,
  vaultSchema,
} from './schemas.ts';
import { signerKeys } from './signer-keys.ts';
import { SPECIAL_ENDPOINTS } from './special-endpoints.ts';
import { status } from './status.ts';
import { clustering, dnsStatistics, robots } from './switched-off.ts';
import { timers } from './timers.ts';

function specialHandlers(gateway: Gateway): Readonly<Record<string, Methods>> {
  return {
    '/': root(gateway),
    '/robots.txt': robots(),
    '/openapi.json': openapi(gateway),
    '/endpoints': endpoints(),
    '/status': status(gateway),
    '/status/dns': dnsStatistics(),
    '/timers': timers(gateway),
    '/config': config(gateway),
    '/schemas/plugins/validate': validateEntity(gateway, 'plugins'),
    '/schemas/vaults/validate': validateEntity(gateway, 'vaults'),
    '/schemas/plugins/{name}': pluginSchema(gateway),
    '/schemas/vaults/{name}': vaultSchema(),
    '/schemas/filters/{name}': { GET: filterSchema },
    '/schemas/{name}/validate': validateEntity(gateway, null),
    '/schemas/{name}': entitySchema(gateway),
    '/plugins/enabled': {
      GET: () => json(200, { enabled_plugins: [...enabledPlugins(gateway.reloader.settings).keys()] }),
    },
    '/plugins/schema/{name}': pluginConfigSchema(gateway),
    '/plugins/{id}/cost': pluginCost(gateway),
    '/metrics': metrics(gateway),
    '/cache': cache(),
    '/cache/{key}': cacheEntry(),
    '/debug/node/log-level': showLogLevel(gateway),
    '/debug/node/log-level/{level}': changeLogLevel(gateway, 'node'),
    '/debug/cluster/log-level/{level}': changeLogLevel(gateway, 'cluster'),
    '/jwt-signer/jwks/{name}': signerKeys(gateway),
    '/clustering/data-planes': clustering(),
    '/clustering/status': clustering(),
  };
}

/** Registers them, before the entities' endpoints: `/plugins/enabled` is no plugin. */
export function specialResources(app: AdminApp, gateway: Gateway): void {
  const handlers = specialHandlers(gateway);
  for (const { path } of SPECIAL_ENDPOINTS) {
    const methods = handlers[path];
    if (methods === undefined) throw new Error(`${path} has no handler`);
    resource(app, honoPath(path), methods, questionOf(path));
  }
}

/** What is asked of whoever changes something there. Validation changes nothing, and decK's users have it who only read. */
function questionOf(path: string): string | null {
  if (path.endsWith('/validate')) return null;
  return path.startsWith('/debug/') || path.startsWith('/cache') ? NODE : WHOLE;
}

/** `/cache/{key}` → `/cache/:key` */
function honoPath(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ':$1');
}
