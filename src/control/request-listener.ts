/** Requests of `node:http` become those of a Hono application. Loaded with the first request. */
import { getRequestListener } from '@hono/node-server';
import { type AdminApp, json } from './admin/resource.ts';
import { shownTarget } from './admin/shown-target.ts';
import type { Front } from './http-listener.ts';

/** @param listenAddress that the listener is bound to. */
export function frontOf(app: AdminApp, listenAddress: string): Front {
  const listener = getRequestListener(
    (request, { incoming }) => app.fetch(request, { incoming, listenAddress }),
    {
      overrideGlobalObjects: false,
      // A check of HTTP/1.0 need not name a host.
      hostname: 'localhost',
      // Only of a target or a host that none can be: the application answers its own errors.
      errorHandler: () => json(400, { message: 'Bad request' }),
    },
  );
  return { answer: listener, shownTarget };
}
