/**
 * The Admin API: Kong's paths, as far as they are there. Everything else is 404 as with Kong. Entities come last: their
 * paths have placeholders in which other resources stand (`/plugins/enabled`).
 */
import type { Settings } from '../../settings/settings.ts';
import type { Gateway } from '../main.ts';
import type { Authenticator } from '../access/authenticator.ts';
import { guardDoor } from './access.ts';
import { registerEntities } from './entities.ts';
import { groupHandlers, showGroup } from './consumer-groups.ts';
import { type AdminApp, createApp, resource } from './resource.ts';
import { honoPath, specialResources } from './special.ts';
import { wasmOff } from './switched-off.ts';

export function adminApp(gateway: Gateway, authenticator: Authenticator): AdminApp {
  const settings = (): Settings => gateway.reloader.settings;
  const app = createApp({
    settings,
    onError: (error) => gateway.log.admin.error('error', error.stack ?? error.message),
    door: guardDoor({ settings, authenticator, openReads: false }),
  });
  specialResources(app, gateway);
  for (const [path, methods] of Object.entries(groupHandlers(gateway)))
    resource(app, honoPath(path), methods);
  // One method of a path whose others are those of all entities.
  app.get('/consumer_groups/:consumer_groups', showGroup(gateway));
  for (const path of WASM_PATHS) resource(app, honoPath(path), wasmOff());
  registerEntities(app, { store: () => gateway.store, settings });
  return app;
}

const WASM_PATHS = [
  '/filter-chains',
  '/filter-chains/{filter_chains}',
  '/filter-chains/{filter_chains}/route',
  '/filter-chains/{filter_chains}/service',
  ...['routes', 'services'].flatMap((kind) => [
    `/${kind}/{${kind}}/filter-chains`,
    `/${kind}/{${kind}}/filter-chains/{filter_chains}`,
  ]),
  ...['all', 'disabled', 'enabled'].map((which) => `/routes/{routes}/filters/${which}`),
];
