/**
 * `proxy_listen`, `stream_listen`, `admin_listen`, `status_listen`: `off`, or a comma-separated list of
 * `host:port flag flag=value` with the flags of nginx's `listen`. A flag that has no meaning where it stands is refused
 * by name, never dropped: a listener that was asked to be TLS must not come up as plain text.
 */
import { isIPv4, isIPv6 } from 'node:net';
import { isAbsolute } from 'node:path';
import { InvalidValue, list } from './parse-value.ts';
import type { KeepAlive, Listener } from './settings.ts';

/** nginx's default accept queue on Linux. */
const DEFAULT_BACKLOG = 511;

/** What a kind of listener may be asked for, beside the flags of every socket. */
const SIDES = {
  proxy: new Set(['ssl', 'http2', 'proxy_protocol']),
  stream: new Set(['ssl', 'udp', 'proxy_protocol']),
  admin: new Set(['ssl', 'http2', 'proxy_protocol']),
} as const satisfies Record<string, ReadonlySet<string>>;

type Side = keyof typeof SIDES;

type MutableListener = { -readonly [K in keyof Listener]: Listener[K] };

export const listeners = (value: string): readonly Listener[] => parseListeners(value, 'proxy');
export const streamListeners = (value: string): readonly Listener[] => parseListeners(value, 'stream');
/** Those of the main thread. */
export const adminListeners = (value: string): readonly Listener[] => parseListeners(value, 'admin');

function parseListeners(value: string, side: Side): readonly Listener[] {
  if (value === 'off') return [];
  const result = list((entry) => parseListener(entry, side))(value);
  const seen = new Set<string>();
  for (const listener of result) {
    const address = `${formatListener(listener)}${listener.udp ? ' udp' : ''}`;
    if (seen.has(address) && (listener.port !== 0 || listener.path !== null)) {
      throw new InvalidValue(`'${address}' is listed twice`);
    }
    seen.add(address);
  }
  return result;
}

/** `host:port`, an IPv6 host in brackets. */
function formatAddress(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The address as the setting has it. */
export function formatListener({ host, port, path }: Pick<Listener, 'host' | 'port' | 'path'>): string {
  return path === null ? formatAddress(host, port) : `unix:${path}`;
}

function parseListener(entry: string, side: Side): Listener {
  const [address = '', ...flags] = entry.split(/\s+/);
  if (address === 'off') throw new InvalidValue(`'off' cannot stand beside other listeners`);
  const listener: MutableListener = {
    ...parseAddress(address),
    backlog: DEFAULT_BACKLOG,
    reuseport: false,
    ipv6only: true,
    ssl: false,
    http2: false,
    proxyProtocol: false,
    udp: false,
    keepAlive: null,
  };
  for (const flag of flags) applyFlag(listener, flag, entry, side);
  checkTogether(listener, entry, side);
  return listener;
}

function parseAddress(address: string): { host: string; port: number; path: string | null } {
  if (address.startsWith('unix:')) return { host: '', port: 0, path: unixPath(address.slice(5)) };
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(address);
  const port = Number(match?.[3]);
  const ipv6 = match?.[1];
  const named = match?.[2] === '*' ? '0.0.0.0' : match?.[2];
  const goodHost = ipv6 !== undefined ? isIPv6(ipv6) : named !== undefined && isHost(named);
  if (!goodHost || !(port <= 65535)) {
    throw new InvalidValue(
      `'${address}' is not an address such as 0.0.0.0:8000, [::]:8000 or unix:/run/sluice.sock`,
    );
  }
  return { host: ipv6 ?? named ?? '', port, path: null };
}

/** The kernel's `sun_path` has 108 octets with a zero at the end; a longer path would be cut silently. */
const MAX_PATH_BYTES = 107;

function unixPath(path: string): string {
  if (!isAbsolute(path)) throw new InvalidValue(`'unix:${path}': the path must be absolute`);
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) {
    throw new InvalidValue(`'unix:${path}': the path of a unix socket has at most ${MAX_PATH_BYTES} octets`);
  }
  return path;
}

function isHost(name: string): boolean {
  // Digits and dots alone are an IPv4 address or a mistake.
  return /^[\d.]+$/.test(name) ? isIPv4(name) : /^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/.test(name);
}

function applyFlag(listener: MutableListener, flag: string, entry: string, side: Side): void {
  const [name = '', value] = flag.split('=', 2);
  const allowed: ReadonlySet<string> = SIDES[side];
  // Every address has a socket of its own here, which is all that nginx's `bind` asks for. A deferred accept is a hint
  // to the kernel that changes nothing that a client could see.
  if (flag === 'bind' || flag === 'deferred') return;
  if (flag === 'reuseport') listener.reuseport = true;
  else if (flag === 'ssl' && allowed.has(flag)) listener.ssl = true;
  else if (flag === 'http2' && allowed.has(flag)) listener.http2 = true;
  else if (flag === 'udp' && allowed.has(flag)) listener.udp = true;
  else if (flag === 'proxy_protocol' && allowed.has(flag)) listener.proxyProtocol = true;
  else if (flag === 'ipv6only=on' || flag === 'ipv6only=off') listener.ipv6only = value === 'on';
  else if (name === 'backlog' && /^[1-9]\d{0,5}$/.test(value ?? '')) listener.backlog = Number(value);
  else if (name === 'so_keepalive') listener.keepAlive = parseKeepAlive(value ?? 'on', entry);
  else {
    const known = [
      'reuseport',
      'backlog=N',
      'ipv6only=on|off',
      'so_keepalive=…',
      'bind',
      'deferred',
      ...allowed,
    ];
    throw new InvalidValue(`unknown flag '${flag}' of '${entry}' (known: ${known.join(', ')})`);
  }
}

function parseKeepAlive(value: string, entry: string): KeepAlive {
  if (value === 'on' || value === 'off') {
    return { enable: value === 'on', idle: null, interval: null, count: null };
  }
  const match = /^(?:(\d{1,5})(m|s)?)?:(?:(\d{1,5})(m|s)?)?:(\d{1,3})?$/.exec(value);
  if (match === null || value === '::') {
    throw new InvalidValue(`so_keepalive of '${entry}' is on, off or [keepidle]:[keepintvl]:[keepcnt]`);
  }
  const [, idle, idleUnit, interval, intervalUnit, count] = match;
  const seconds = (figure: string | undefined, unit: string | undefined): number | null =>
    figure === undefined ? null : Number(figure) * (unit === 'm' ? 60 : 1);
  return {
    enable: true,
    idle: seconds(idle, idleUnit),
    interval: seconds(interval, intervalUnit),
    count: count === undefined ? null : Number(count),
  };
}

function checkTogether(listener: Listener, entry: string, side: Side): void {
  if (side === 'admin' && listener.http2 && !listener.ssl) {
    throw new InvalidValue(`flag 'http2' of '${entry}': HTTP/2 needs ssl beside it`);
  }
  // The main thread knows its clients by the addresses of their connections.
  if (side === 'admin' && listener.proxyProtocol && listener.path !== null) {
    throw new InvalidValue(`'${entry}': proxy_protocol cannot stand with a unix socket here`);
  }
  if (listener.udp && (listener.ssl || listener.proxyProtocol || listener.path !== null)) {
    throw new InvalidValue(`'${entry}': udp has neither ssl nor proxy_protocol, and no unix socket`);
  }
}
