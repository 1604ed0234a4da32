/** The Admin API: Kong's paths, as far as they are there. Everything else is 404 as with Kong. */
import type { Settings } from '../../settings/settings.ts';
import type { Gateway } from '../main.ts';
import type { Authenticator } from '../access/authenticator.ts';
import { guardDoor } from './access.ts';
import { config } from './config.ts';
import { type AdminApp, createApp, resource } from './resource.ts';
import { root } from './root.ts';
import { status } from './status.ts';

export function adminApp(gateway: Gateway, authenticator: Authenticator): AdminApp {
  const settings = (): Settings => gateway.reloader.settings;
  const app = createApp({
    settings,
    onError: (error) => gateway.log.admin.error('error', error.stack ?? error.message),
    door: guardDoor({ settings, authenticator, openReads: false }),
  });
  resource(app, '/', root(gateway));
  resource(app, '/status', status(gateway));
  resource(app, '/config', config(gateway));
  return app;
}
