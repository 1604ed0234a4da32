/**
 * What every resource of the Admin API has: Kong's headers and content type, HEAD wherever there is GET, OPTIONS, and
 * 405 for the methods that it does not have.
 */
import type { IncomingMessage } from 'node:http';
import { type Context, Hono } from 'hono';
import type { Settings } from '../../settings/settings.ts';
import { KONG_VERSION, VERSION } from '../../lib/version.ts';
import { refusal } from './browser-guard.ts';

export interface AdminEnv {
  Bindings: { readonly incoming?: IncomingMessage | object };
}

export type AdminApp = Hono<AdminEnv>;
export type AdminContext = Context<AdminEnv>;
export type Handler = (context: AdminContext) => Response | Promise<Response>;
export type Methods = Readonly<Partial<Record<'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', Handler>>>;

const JSON_TYPE = 'application/json; charset=utf-8';

export function json(
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return jsonText(status, JSON.stringify(body), headers);
}

/** A body that is JSON already. */
export function jsonText(
  status: number,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(body, { status, headers: { ...headers, 'content-type': JSON_TYPE } });
}

export function empty(status: number, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(null, { status, headers });
}

/** An application without resources: Kong's headers, the guard against browsers, 404 and 500. */
export function createApp(settings: () => Settings, onError: (error: Error) => void): AdminApp {
  const app: AdminApp = new Hono<AdminEnv>({ strict: false });
  app.use(async (context, next) => {
    const start = performance.now();
    const refused = refusal(context);
    if (refused !== null) context.res = json(403, { message: refused });
    else await next();
    decorate(context, settings(), performance.now() - start);
  });
  app.notFound(() => json(404, { message: 'Not found' }));
  app.onError((error) => {
    onError(error);
    return json(500, { message: 'An unexpected error occurred' });
  });
  return app;
}

/** Kong's `headers` setting decides which of its headers an admin answer has. */
function decorate(context: AdminContext, settings: Settings, milliseconds: number): void {
  const { headers } = settings;
  if (headers.has('server')) context.res.headers.set('Server', serverName(settings));
  if (headers.has('x-kong-admin-latency')) {
    context.res.headers.set('X-Kong-Admin-Latency', String(Math.round(milliseconds)));
  }
  const origin = context.req.header('origin');
  if (origin !== undefined && context.res.status !== 403) {
    context.res.headers.set('Access-Control-Allow-Origin', origin);
    context.res.headers.set('Access-Control-Allow-Credentials', 'true');
  }
  context.res.headers.set('Vary', 'Origin');
}

function serverName({ server_name }: Settings): string {
  return server_name === 'kong' ? `kong/${KONG_VERSION}` : `sluice/${VERSION}`;
}

export function resource(app: AdminApp, path: string, methods: Methods): void {
  const allowed = Object.keys(methods);
  if (methods.GET !== undefined) allowed.push('HEAD');
  const allow = [...allowed, 'OPTIONS'].sort().join(', ');
  for (const [method, handler] of Object.entries(methods)) app.on(method, path, handler);
  app.on('OPTIONS', path, () =>
    empty(204, {
      Allow: allow,
      'Access-Control-Allow-Methods': allow,
      'Access-Control-Allow-Headers': 'Content-Type',
    }),
  );
  app.all(path, () => json(405, { message: 'Method not allowed' }, { Allow: allow }));
}
