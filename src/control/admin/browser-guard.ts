/**
 * The Admin API has no password and listens on loopback, so any page in a browser on that machine could reach it. Two
 * doors are closed:
 *
 * - A page of another site: a browser names it in `Origin` with every request that may change something and with
 *   every one whose answer the page could read. Such a request is refused unless the origin is the host that it asks.
 * - A page whose own name was pointed at this machine (DNS rebinding), which makes it the same origin. Its name is
 *   one with dots that only the attacker's name server knows: on a loopback connection, and from a browser on any, a
 *   Host must be an address, a name without dots, or this machine's name.
 *
 * Kong answers everybody (`Access-Control-Allow-Origin: *`). Its clients, curl, decK and Terraform, send no Origin.
 */
import { hostname } from 'node:os';
import { isIP } from 'node:net';
import type { AdminContext } from './resource.ts';

/** Why the request is refused, or null. */
export function refusal(context: AdminContext): string | null {
  const host = context.req.header('host') ?? '';
  const origin = context.req.header('origin');
  // Every browser says this with every request, and no command-line client does.
  const browser = context.req.header('sec-fetch-site') !== undefined;
  return judge({ host, origin, browser, loopback: isLoopback(localAddress(context)) });
}

export interface Asked {
  readonly host: string;
  readonly origin: string | undefined;
  /** A browser asks, whatever it says of its origin. */
  readonly browser: boolean;
  /** The connection came in on a loopback address. */
  readonly loopback: boolean;
}

export function judge({ host, origin, browser, loopback }: Asked): string | null {
  if (origin !== undefined && !isOriginOf(origin, host)) {
    return `requests of the origin ${origin.slice(0, 100)} are not accepted`;
  }
  if ((loopback || browser || origin !== undefined) && !isOwnName(host)) {
    return 'the Host of a request must be an address, a local name or the name of this machine';
  }
  return null;
}

function isOriginOf(origin: string, host: string): boolean {
  return URL.canParse(origin) && new URL(origin).host === host.toLowerCase();
}

function isOwnName(host: string): boolean {
  const name = host.replace(/:\d*$/, '').toLowerCase();
  if (!name.includes('.') && !name.startsWith('[')) return true;
  const address = name.startsWith('[') ? name.slice(1, -1) : name;
  return isIP(address) !== 0 || name.endsWith('.localhost') || name === hostname().toLowerCase();
}

function localAddress(context: AdminContext): string {
  const incoming = (context.env as AdminContext['env'] | undefined)?.incoming;
  if (incoming === undefined || !('socket' in incoming)) return '';
  const { socket } = incoming;
  return socket.localAddress ?? '';
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.') || address.startsWith('::ffff:127.');
}
