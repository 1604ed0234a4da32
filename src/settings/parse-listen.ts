/**
 * `proxy_listen`, `admin_listen`, `status_listen`: `off`, or a comma-separated list of `host:port flag flag=value` with
 * the flags of nginx's `listen`. A flag that is not there yet is refused by name, never dropped: a listener that was
 * asked to be TLS must not come up as plain text.
 */
import { isIPv4, isIPv6 } from 'node:net';
import { InvalidValue, list } from './parse-value.ts';
import type { Listener } from './settings.ts';

/** nginx's default accept queue on Linux. */
const DEFAULT_BACKLOG = 511;

const REFUSED: Readonly<Record<string, string>> = {
  ssl: 'TLS listeners are not there yet',
  http2: 'HTTP/2 listeners are not there yet',
  proxy_protocol: 'the PROXY protocol is not there yet',
  deferred: 'TCP_DEFER_ACCEPT cannot be set here',
  so_keepalive: 'TCP keep-alive of client connections cannot be set here',
  udp: 'UDP listeners are not there yet',
};

interface MutableListener {
  host: string;
  port: number;
  backlog: number;
  reuseport: boolean;
  ipv6only: boolean;
  ssl: boolean;
  http2: boolean;
}

export function listeners(value: string): readonly Listener[] {
  return parseListeners(value, false);
}

/** Those of the main thread, which may have TLS and HTTP/2. */
export function adminListeners(value: string): readonly Listener[] {
  return parseListeners(value, true);
}

function parseListeners(value: string, tls: boolean): readonly Listener[] {
  if (value === 'off') return [];
  const result = list((entry) => parseListener(entry, tls))(value);
  const seen = new Set<string>();
  for (const { host, port } of result) {
    const address = formatAddress(host, port);
    if (seen.has(address) && port !== 0) throw new InvalidValue(`'${address}' is listed twice`);
    seen.add(address);
  }
  return result;
}

/** `host:port`, an IPv6 host in brackets. */
export function formatAddress(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function parseListener(entry: string, tls: boolean): Listener {
  const [address = '', ...flags] = entry.split(/\s+/);
  if (address === 'off') throw new InvalidValue(`'off' cannot stand beside other listeners`);
  const listener: MutableListener = {
    ...parseAddress(address),
    backlog: DEFAULT_BACKLOG,
    reuseport: false,
    ipv6only: true,
    ssl: false,
    http2: false,
  };
  for (const flag of flags) {
    if (tls && (flag === 'ssl' || flag === 'http2')) listener[flag] = true;
    else applyFlag(listener, flag, entry);
  }
  if (listener.http2 && !listener.ssl) {
    throw new InvalidValue(`flag 'http2' of '${entry}': HTTP/2 needs ssl beside it`);
  }
  return listener;
}

function parseAddress(address: string): { host: string; port: number } {
  if (address.startsWith('unix:')) throw new InvalidValue(`'${address}': unix sockets are not there yet`);
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(address);
  const port = Number(match?.[3]);
  const ipv6 = match?.[1];
  const named = match?.[2] === '*' ? '0.0.0.0' : match?.[2];
  const goodHost = ipv6 !== undefined ? isIPv6(ipv6) : named !== undefined && isHost(named);
  if (!goodHost || !(port <= 65535)) {
    throw new InvalidValue(`'${address}' is not an address such as 0.0.0.0:8000 or [::]:8000`);
  }
  return { host: ipv6 ?? named ?? '', port };
}

function isHost(name: string): boolean {
  // Digits and dots alone are an IPv4 address or a mistake.
  return /^[\d.]+$/.test(name) ? isIPv4(name) : /^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/.test(name);
}

function applyFlag(listener: MutableListener, flag: string, entry: string): void {
  const [name = '', value] = flag.split('=', 2);
  // Every address has a socket of its own here, which is all that nginx's `bind` asks for.
  if (flag === 'bind' || flag === 'so_keepalive=off') return;
  if (flag === 'reuseport') {
    listener.reuseport = true;
  } else if (flag === 'ipv6only=on' || flag === 'ipv6only=off') {
    listener.ipv6only = value === 'on';
  } else if (name === 'backlog' && /^[1-9]\d{0,5}$/.test(value ?? '')) {
    listener.backlog = Number(value);
  } else if (Object.hasOwn(REFUSED, name)) {
    throw new InvalidValue(`flag '${flag}' of '${entry}': ${REFUSED[name]}`);
  } else {
    throw new InvalidValue(
      `unknown flag '${flag}' of '${entry}' (known: reuseport, backlog=N, ipv6only=on|off, bind)`,
    );
  }
}
