/**
 * The Status API: what load balancers and orchestrators ask, on a listener of its own. Reading is open to everybody;
 * what changes the node (`POST /status/ready`) is guarded as the Admin API is. Without a database it also tells the health
 * of targets, as Kong's does; what does that is loaded when it is first asked, since probes never ask it.
 */
import type { Gateway } from '../gateway.ts';
import type { Authenticator } from '../access/authenticator.ts';
import { NODE, WHOLE } from '../access/principal.ts';
import type { Settings } from '../../settings/settings.ts';
import { guardDoor } from './access.ts';
import type { Admin } from './crud/request.ts';
import { ENDPOINTS, type Shape, honoPath } from './endpoints.ts';
import { metrics } from './metrics.ts';
import { pluginEndpoints } from './plugin-endpoints.ts';
import { ready } from './ready.ts';
import { errorText } from './error-text.ts';
import { type AdminApp, type Handler, createApp, resource } from './resource.ts';
import { status } from './status.ts';

export interface StatusOptions {
  readonly gateway: Gateway;
  readonly authenticator: Authenticator;
  /** Opens what tells of entities, if it is not open yet. */
  readonly openStore: () => Promise<void>;
}

export function statusApp({ gateway, authenticator, openStore }: StatusOptions): AdminApp {
  const settings = (): Settings => gateway.reloader.settings;
  const app = createApp({
    settings,
    onError: (error) => gateway.log.status.error('error', errorText(error)),
    door: guardDoor({ settings, authenticator, openReads: true }),
  });
  resource(app, '/status', status(gateway));
  resource(app, '/status/ready', ready(gateway), NODE);
  resource(app, '/metrics', metrics(gateway));
  pluginEndpoints(app, gateway, 'status');
  if (settings().database === 'off') registerHealth(app, gateway, openStore);
  return app;
}

/** What the Status API has of entities: what Kong's has without a database, for reading. */
const SHAPES: ReadonlySet<Shape> = new Set(['health', 'targets', 'all-targets', 'target']);

function registerHealth(app: AdminApp, gateway: Gateway, openStore: () => Promise<void>): void {
  const admin: Admin = {
    store: () => gateway.store,
    records: () => null,
    settings: () => gateway.reloader.settings,
    resolver: () => gateway.resolver,
    health: () => gateway.health,
  };
  for (const endpoint of ENDPOINTS) {
    if (!SHAPES.has(endpoint.shape)) continue;
    const GET: Handler = async (context) => {
      const [{ handlerOf }] = await Promise.all([import('./entities.ts'), openStore()]);
      return handlerOf(endpoint, 'GET', admin)(context);
    };
    resource(app, honoPath(endpoint), { GET }, endpoint.kind ?? WHOLE);
  }
}
