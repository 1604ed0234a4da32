/**
 * The door of the admin and status listeners, as Hono middleware: who asks, and is anybody let in who is not known? In
 * this order: a listener that is closed answers nobody; the token or certificate; the guard against pages of other
 * sites; whether there must be one. What somebody may do, `resource` asks for each endpoint.
 */
import type { MiddlewareHandler } from 'hono';
import type { Settings } from '../../settings/settings.ts';
import type { Authentication, Authenticator } from '../access/authenticator.ts';
import { type Peer, isLoopback, peerOf } from '../access/peer.ts';
import { judge } from './browser-guard.ts';
import { type Mode, listenerMode } from './listener-mode.ts';
import { type AdminContext, type AdminEnv, hostOf, json } from './resource.ts';

export interface Door {
  readonly settings: () => Settings;
  readonly authenticator: Authenticator;
  /** Status API: reading is for load balancers, which have no tokens. */
  readonly openReads: boolean;
}

const NOBODY: Peer = { address: '', localAddress: '', subjects: [] };
const CLOSED =
  "this listener can be reached from other machines: it answers nobody until admin_auth is set to 'on' or 'off'";

export function guardDoor(door: Door): MiddlewareHandler<AdminEnv> {
  return async (context, next) => {
    const settings = door.settings();
    const reading = door.openReads && isRead(context);
    const mode = reading ? 'open' : listenerMode(settings, context.env.listenAddress);
    const peer = context.env.incoming === undefined ? NOBODY : peerOf(context.env.incoming);
    const found: Authentication =
      reading || mode === 'closed'
        ? { type: 'nobody' }
        : await door.authenticator.authenticate(credentials(context), peer, mode === 'tokens');
    context.set('principal', found.type === 'known' ? found.principal : null);
    const refused =
      mode === 'closed'
        ? unauthorized(CLOSED)
        : (foreign(context, found, peer, settings) ?? (isPreflight(context) ? null : unknown(mode, found)));
    if (refused === null) await next();
    else context.res = refused;
  };
}

function isRead({ req: { method } }: AdminContext): boolean {
  return method === 'GET' || method === 'HEAD';
}

/** A browser asks whether a page of ours may ask; it shows no token with that. */
function isPreflight({ req }: AdminContext): boolean {
  const named =
    req.header('origin') !== undefined && req.header('access-control-request-method') !== undefined;
  return req.method === 'OPTIONS' && named;
}

function foreign(
  context: AdminContext,
  found: Authentication,
  peer: Peer,
  consoles: Settings,
): Response | null {
  const { req } = context;
  const proof = found.type === 'known' ? found.proof : null;
  const problem = judge({
    host: hostOf(context),
    origin: req.header('origin'),
    fetchSite: req.header('sec-fetch-site'),
    navigation:
      isRead(context) &&
      req.header('sec-fetch-mode') === 'navigate' &&
      req.header('sec-fetch-dest') === 'document',
    loopback: isLoopback(peer.localAddress),
    proof,
    consoles,
  });
  return problem === null ? null : json(403, { message: problem });
}

/** An open listener asks nobody, so that a token that is no good there changes nothing. */
function unknown(mode: Mode, found: Authentication): Response | null {
  if (mode === 'open' || found.type === 'known') return null;
  if (found.type === 'nobody') return unauthorized('a token is needed: Authorization: Bearer sluice_…');
  const { status, message } = found;
  if (status === 401) return unauthorized(message, ', error="invalid_token"');
  return json(status, { message }, status === 429 ? { 'retry-after': '10' } : {});
}

function unauthorized(message: string, more = ''): Response {
  return json(401, { message }, { 'www-authenticate': `Bearer realm="sluice"${more}` });
}

function credentials({ req }: AdminContext): {
  authorization: string | undefined;
  kongAdminToken: string | undefined;
} {
  return { authorization: req.header('authorization'), kongAdminToken: req.header('kong-admin-token') };
}
