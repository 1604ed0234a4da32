/**
 * The Status API: what load balancers and orchestrators ask, on a listener of its own. Reading is open to everybody;
 * what changes the node (`POST /status/ready`) is guarded as the Admin API is. Without a database it also tells the health
 * of targets, as Kong's does.
 */
import type { Gateway } from '../gateway.ts';
import type { Authenticator } from '../access/authenticator.ts';
import { NODE } from '../access/principal.ts';
import type { Settings } from '../../settings/settings.ts';
import { guardDoor } from './access.ts';
import { registerHealth } from './entities.ts';
import { ready } from './ready.ts';
import { errorText } from './request-error.ts';
import { type AdminApp, createApp, resource } from './resource.ts';
import { status } from './status.ts';

export function statusApp(gateway: Gateway, authenticator: Authenticator): AdminApp {
  const settings = (): Settings => gateway.reloader.settings;
  const app = createApp({
    settings,
    onError: (error) => gateway.log.status.error('error', errorText(error)),
    door: guardDoor({ settings, authenticator, openReads: true }),
  });
  resource(app, '/status', status(gateway));
  resource(app, '/status/ready', ready(gateway), NODE);
  if (settings().database === 'off') {
    registerHealth(app, {
      store: () => gateway.store,
      records: () => null,
      settings,
      resolver: () => gateway.resolver,
    });
  }
  return app;
}
