/** The Status API: what load balancers and orchestrators ask, on a listener of its own. */
import type { Gateway } from '../main.ts';
import { ready } from './ready.ts';
import { type AdminApp, createApp, resource } from './resource.ts';
import { status } from './status.ts';

export function statusApp(gateway: Gateway): AdminApp {
  const app = createApp(
    () => gateway.reloader.settings,
    (error) => gateway.log.status.error('error', error.stack ?? error.message),
  );
  resource(app, '/status', status(gateway));
  resource(app, '/status/ready', ready(gateway));
  return app;
}
