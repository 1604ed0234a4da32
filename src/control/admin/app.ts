/** The Admin API: Kong's paths, as far as they are there. Everything else is 404 as with Kong. */
import type { Gateway } from '../main.ts';
import { config } from './config.ts';
import { type AdminApp, createApp, resource } from './resource.ts';
import { root } from './root.ts';
import { status } from './status.ts';

export function adminApp(gateway: Gateway): AdminApp {
  const app = createApp(
    () => gateway.reloader.settings,
    (error) => gateway.log.admin.error('error', error.stack ?? error.message),
  );
  resource(app, '/', root(gateway));
  resource(app, '/status', status(gateway));
  resource(app, '/config', config(gateway));
  return app;
}
