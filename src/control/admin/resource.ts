/**
 * What every resource of the Admin API has: Kong's headers and content type, HEAD wherever there is GET, OPTIONS, 405
 * for the methods that it does not have, and 403 for what the one who asks may not do.
 */
import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import { type Context, Hono, type MiddlewareHandler } from 'hono';
import type { Settings } from '../../settings/settings.ts';
import { type Principal, WHOLE, denial } from '../access/principal.ts';
import { DiskFailure } from '../../store/disk-failure.ts';
import { BODIES } from './body.ts';
import { JSON_TYPE, kongHeaders } from './kong-headers.ts';
import { allowedHeaders, corsHeaders, isOwnOrigin } from './origins.ts';
import { refusalOf } from './request-error.ts';

export interface AdminEnv {
  Bindings: {
    readonly incoming?: IncomingMessage | Http2ServerRequest;
    /** That the listener is bound to. */
    readonly listenAddress: string;
  };
  Variables: {
    /** Who asks; null when nobody has to say. */
    principal: Principal | null;
  };
}

export type AdminApp = Hono<AdminEnv>;
export type AdminContext = Context<AdminEnv>;
export type Handler = (context: AdminContext) => Response | Promise<Response>;
export type Methods = Readonly<Partial<Record<'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', Handler>>>;

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

export interface AppOptions {
  readonly settings: () => Settings;
  readonly onError: (error: Error) => void;
  /** Lets in who may come in, and sets `principal`. */
  readonly door: MiddlewareHandler<AdminEnv>;
}

/** An application without resources: Kong's headers, the door, 404 and 500. */
export function createApp({ settings, onError, door }: AppOptions): AdminApp {
  const app: AdminApp = new Hono<AdminEnv>({ strict: false });
  app.use(async (context, next) => {
    const start = performance.now();
    await next();
    BODIES.release(context.req.raw);
    decorate(context, settings(), performance.now() - start);
  });
  app.use(door);
  app.notFound(() => json(404, { message: 'Not found' }));
  app.onError((error, context) => {
    const known = refusalOf(error, context.req.header('if-match') !== undefined);
    if (known !== null) {
      if (error instanceof DiskFailure) onError(error);
      return known.body === null
        ? empty(known.status, known.headers)
        : json(known.status, known.body, known.headers);
    }
    onError(error);
    return json(500, { message: 'An unexpected error occurred' });
  });
  return app;
}

function decorate(context: AdminContext, settings: Settings, milliseconds: number): void {
  for (const [name, value] of kongHeaders(settings, milliseconds)) context.res.headers.set(name, value);
  const origin = context.req.header('origin');
  if (origin !== undefined && isOwnOrigin(origin, hostOf(context), settings)) {
    for (const [name, value] of Object.entries(corsHeaders(origin))) context.res.headers.set(name, value);
  }
}

/** The `Host`, of HTTP/2 the `:authority`. */
export function hostOf({ req }: AdminContext): string {
  return req.header('host') ?? new URL(req.url).host;
}

/**
 * @param kind of the entities that it is about, for what the one who asks may do; `WHOLE` and `NODE` are none. Null: the
 * handlers ask for each thing that they do.
 */
export function resource(app: AdminApp, path: string, methods: Methods, kind: string | null = WHOLE): void {
  const allow = allowOf(methods);
  for (const [method, handler] of Object.entries(methods)) {
    app.on(method, path, (context) => allowed(context, handler, method, kind));
  }
  app.on('OPTIONS', path, (context) => options(context, allow));
  app.all(path, () => otherMethod(allow));
}

/** The same for one request, of a path that the application does not know. Hono makes HEAD of GET after it was routed. */
export async function respond(
  context: AdminContext,
  methods: Methods,
  kind: string | null,
): Promise<Response> {
  const { method } = context.req;
  const name = method === 'HEAD' ? 'GET' : method;
  const handler = Object.hasOwn(methods, name) ? methods[name as keyof Methods] : undefined;
  if (handler !== undefined) return await allowed(context, handler, name, kind);
  return method === 'OPTIONS' ? options(context, allowOf(methods)) : otherMethod(allowOf(methods));
}

function allowed(
  context: AdminContext,
  handler: Handler,
  method: string,
  kind: string | null,
): Response | Promise<Response> {
  const operation = method === 'GET' ? 'read' : 'write';
  const denied = kind === null ? null : denial(context.get('principal'), { operation, kind });
  return denied === null ? handler(context) : json(403, { message: denied });
}

function allowOf(methods: Methods): string {
  const names = Object.keys(methods);
  if (methods.GET !== undefined) names.push('HEAD');
  return [...names, 'OPTIONS'].sort().join(', ');
}

function options(context: AdminContext, allow: string): Response {
  return empty(204, {
    Allow: allow,
    'Access-Control-Allow-Methods': allow,
    'Access-Control-Allow-Headers': allowedHeaders(context.req.header('origin')),
  });
}

function otherMethod(allow: string): Response {
  return json(405, { message: 'Method not allowed' }, { Allow: allow });
}

/** RFC 7234 section 5.5, code 199. */
export function warningField(warnings: readonly string[]): string {
  return warnings.map((text) => `199 sluice "${text.replaceAll(/["\\\r\n]/g, ' ')}"`).join(', ');
}
