/**
 * The Admin API: Kong's paths, as far as they are there. Everything else is 404 as with Kong. Entities come last: their
 * paths have placeholders in which other resources stand (`/plugins/enabled`).
 */
import type { Settings } from '../../settings/settings.ts';
import type { Gateway } from '../gateway.ts';
import type { Authenticator } from '../access/authenticator.ts';
import { guardDoor } from './access.ts';
import { registerEntities } from './entities.ts';
import { errorText } from './error-text.ts';
import { pluginEndpoints } from './plugin-endpoints.ts';
import { type AdminApp, createApp } from './resource.ts';
import { specialResources } from './special.ts';

export function adminApp(gateway: Gateway, authenticator: Authenticator): AdminApp {
  const settings = (): Settings => gateway.reloader.settings;
  const app = createApp({
    settings,
    onError: (error) => gateway.log.admin.error('error', errorText(error)),
    door: guardDoor({ settings, authenticator, openReads: false }),
  });
  specialResources(app, gateway);
  pluginEndpoints(app, gateway, 'admin');
  registerEntities(app, {
    store: () => gateway.store,
    records: () => gateway.records.store,
    settings,
    resolver: () => gateway.resolver,
    health: () => gateway.health,
  });
  return app;
}
