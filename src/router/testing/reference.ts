/**
 * The router as Kong's text says it, for tests: every virtual route is evaluated in descending order of priority and
 * id, directly from its fields. Slow, and shares no code with the router but the uuid of virtual routes.
 * ASCII only; path regexes must be in the common subset of JavaScript and Rust.
 */
import type { Route } from '../../entities/route.ts';
import { virtualId } from '../rank.ts';
import type { RouterFlavor, RouterInput } from '../router.ts';

interface Virtual {
  readonly route: Route;
  readonly id: string;
  readonly paths: readonly string[];
  readonly key: bigint;
}

export interface ReferenceMatch {
  readonly routeId: string;
  readonly matchedPrefix: string;
}

export function referenceMatch(
  routes: readonly Route[],
  flavor: RouterFlavor,
  input: RouterInput,
): ReferenceMatch | null {
  const virtual = routes.flatMap(flavor === 'traditional' ? byPath : splitRoute).sort(compareFor(flavor));
  for (const candidate of virtual) {
    const prefix = evaluate(candidate, flavor, input);
    if (prefix !== null) return { routeId: candidate.route.id, matchedPrefix: prefix };
  }
  return null;
}

function compareFor(flavor: RouterFlavor): (a: Virtual, b: Virtual) => number {
  return (a, b) => {
    if (a.key !== b.key) return a.key > b.key ? -1 : 1;
    if (flavor === 'traditional' && a.route.created_at !== b.route.created_at) {
      return a.route.created_at - b.route.created_at;
    }
    if (a.id === b.id) return 0;
    return a.id > b.id ? -1 : 1;
  };
}

function splitRoute(route: Route): Virtual[] {
  const paths = route.paths ?? [];
  const kinds = [...new Set(paths.map((path) => (path.startsWith('~') ? 'true' : String(path.length))))];
  if (kinds.length <= 1) return [{ route, id: route.id, paths, key: compatKey(route, paths) }];
  return kinds.map((kind, i) => {
    const own = paths.filter((path) =>
      kind === 'true' ? path.startsWith('~') : !path.startsWith('~') && String(path.length) === kind,
    );
    return { route, id: virtualId(route.id, i + 1), paths: own, key: compatKey(route, own) };
  });
}

function compatKey(route: Route, paths: readonly string[]): bigint {
  const headers = Object.keys(route.headers ?? {}).length;
  const lists = [route.methods, route.hosts, route.snis, route.paths];
  const kinds = lists.filter((list) => list !== null && list.length > 0).length + (headers > 0 ? 1 : 0);
  const plain = route.hosts !== null && !route.hosts.some((host) => host.includes('*'));
  const regex = paths[0]?.startsWith('~') === true;
  return (
    (BigInt(kinds) << 61n) |
    (plain ? 1n << 60n : 0n) |
    (BigInt(headers) << 52n) |
    (regex ? 1n << 51n : 0n) |
    (BigInt(regex ? Math.max(0, route.regex_priority) : 0) << 19n) |
    BigInt(regex ? 0 : (paths[0]?.length ?? 0))
  );
}

/** Each path by itself, in the flavor `traditional`. */
function byPath(route: Route): Virtual[] {
  const paths = route.paths ?? [];
  if (paths.length === 0) return [{ route, id: route.id, paths, key: traditionalKey(route, '') }];
  return paths.map((path) => ({ route, id: route.id, paths: [path], key: traditionalKey(route, path) }));
}

function traditionalKey(route: Route, path: string): bigint {
  const headers = Object.keys(route.headers ?? {}).length;
  const present = [
    route.hosts !== null,
    headers > 0,
    route.paths !== null,
    route.methods !== null,
    route.snis !== null,
  ];
  const hosts = route.hosts ?? [];
  const regex = path.startsWith('~');
  const rules = [
    hosts.some((host) => host.includes('*') && host.includes(':')),
    hosts.length > 0 && !hosts.some((host) => host.includes('*')),
    regex,
  ];
  let key = BigInt(present.filter(Boolean).length);
  for (const bit of [...present, ...rules]) key = (key << 1n) | (bit ? 1n : 0n);
  key = (key << 8n) | BigInt(headers);
  key = (key << 40n) + (1n << 32n) + BigInt(regex ? route.regex_priority : 0);
  return (key << 19n) | BigInt(regex ? 0 : path.length);
}

/** The matched prefix, or null. */
function evaluate({ route, paths }: Virtual, flavor: RouterFlavor, input: RouterInput): string | null {
  if (route.methods !== null && !route.methods.includes(input.method)) return null;
  if (route.hosts !== null && !route.hosts.some((host) => hostOk(host, flavor, input))) return null;
  if (route.snis !== null && input.scheme === 'https' && !route.snis.includes(input.sni)) return null;
  for (const [name, values] of Object.entries(route.headers ?? {})) {
    const given = input.headerValues(name.toLowerCase()).map((value) => value.toLowerCase());
    if (!values.some((value) => given.some((text) => headerOk(value, values, flavor, text)))) return null;
  }
  if (paths.length === 0) return '';
  for (const path of paths) {
    if (!path.startsWith('~')) {
      if (input.path.startsWith(path)) return path;
      continue;
    }
    const body = path.slice(1);
    const match = new RegExp(flavor === 'traditional' ? `^(?:${body})` : `^${body}`).exec(input.path);
    if (match !== null) return match[0];
  }
  return null;
}

function headerOk(value: string, all: readonly string[], flavor: RouterFlavor, given: string): boolean {
  if (value.startsWith('~*') && !(flavor === 'traditional' && all.length > 1)) {
    const source = value.slice(2);
    return new RegExp(flavor === 'traditional' ? source : source.toLowerCase()).test(given);
  }
  return value.toLowerCase() === given;
}

function hostOk(configured: string, flavor: RouterFlavor, input: RouterInput): boolean {
  const [host = '', port] = configured.split(':');
  if (port !== undefined && Number(port) !== input.port) return false;
  const least = flavor === 'traditional' ? 1 : 0;
  if (host.startsWith('*'))
    return input.host.endsWith(host.slice(1)) && input.host.length >= host.length - 1 + least;
  if (host.endsWith('*'))
    return input.host.startsWith(host.slice(0, -1)) && input.host.length >= host.length - 1 + least;
  return input.host === host;
}
