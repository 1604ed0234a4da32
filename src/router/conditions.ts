/**
 * What a route asks of a request beside its path and method, as plain functions: headers, SNIs, addresses, and hosts
 * where they are not indexed.
 */
import { headerRegex } from '../entities/formats/header-regex.ts';
import type { RouteProtocol } from '../entities/route.ts';
import { IpSet } from '../lib/ip-set.ts';
import { CompiledRegex, encodeBytes, lowerBytes } from './regex.ts';
import type { RouterFlavor, RouterInput } from './router.ts';

export type Condition = (input: RouterInput) => boolean;

/** A host of a route: `*.x` is the suffix `.x`, `x.*` the prefix `x.`. */
export interface HostPattern {
  readonly kind: 'exact' | 'suffix' | 'prefix';
  readonly text: string;
  /** Null: any. */
  readonly port: number | null;
}

export function parseHost(configured: string): HostPattern {
  const match = /^(.*):(\d{1,5})$/s.exec(configured);
  const port = match === null ? null : Number(match[2]);
  const host = encodeBytes(match?.[1] ?? configured);
  if (host.startsWith('*')) return { kind: 'suffix', text: host.slice(1), port };
  if (host.endsWith('*')) return { kind: 'prefix', text: host.slice(0, -1), port };
  return { kind: 'exact', text: host, port };
}

/**
 * The hosts of a route that has too many for the index: looked up, since there may be 100,000.
 * @param strict a wildcard stands for at least one char (the flavor `traditional`).
 */
export function hostCondition(patterns: readonly HostPattern[], strict: boolean): Condition {
  const sets = { exact: new Set<string>(), suffix: new Set<string>(), prefix: new Set<string>() };
  for (const { kind, text, port } of patterns) sets[kind].add(port === null ? text : `${text} ${port}`);
  const { exact, suffix, prefix } = sets;
  const ported = patterns.some(({ port }) => port !== null);
  // The texts of wildcards begin or end with a dot. A longer host is not tried at each of its dots.
  const longest = patterns.reduce((most, { text }) => Math.max(most, text.length), 0);
  const spare = strict ? 1 : 0;
  return ({ host, port }) => {
    const isIn = (set: ReadonlySet<string>, text: string): boolean =>
      set.has(text) || (ported && set.has(`${text} ${port}`));
    if (isIn(exact, host)) return true;
    let dot = suffix.size === 0 ? -1 : host.indexOf('.', Math.max(spare, host.length - longest));
    for (; dot !== -1; dot = host.indexOf('.', dot + 1)) if (isIn(suffix, host.slice(dot))) return true;
    dot = prefix.size === 0 ? -1 : host.indexOf('.');
    for (; dot !== -1 && dot < longest && dot + spare < host.length; dot = host.indexOf('.', dot + 1))
      if (isIn(prefix, host.slice(0, dot + 1))) return true;
    return false;
  };
}

/**
 * One of the values, compared in lower case with any occurrence of the header; a regex is searched in the lower-case
 * value.
 * @param name lower case.
 * @throws RegexSyntaxError
 */
export function headerCondition(name: string, values: readonly string[], flavor: RouterFlavor): Condition {
  const plain = new Set<string>();
  const regexes: CompiledRegex[] = [];
  for (const value of values) {
    const source = headerRegex(value, values, flavor);
    if (source === null) plain.add(lowerBytes(encodeBytes(value)));
    else regexes.push(new CompiledRegex(source));
  }
  return (input) => {
    for (const raw of input.headerValues(name)) {
      const value = lowerBytes(raw);
      if (plain.has(value) || regexes.some((regex) => regex.test(value))) return true;
    }
    return false;
  };
}

/**
 * Server names say nothing of a request without TLS, so there they are ignored.
 * @param wildcards `*.x` and `x.*` mean something (not in the flavor `traditional`).
 */
export function sniCondition(configured: readonly string[], wildcards: boolean): Condition {
  const names = configured.map((name) => (name.length > 1 && name.endsWith('.') ? name.slice(0, -1) : name));
  return ({ scheme, sni }) => scheme !== 'https' || names.some((name) => sniMatches(name, sni, wildcards));
}

export function sniMatches(name: string, sni: string, wildcards: boolean): boolean {
  if (wildcards && name.startsWith('*')) return sni.endsWith(name.slice(1));
  if (wildcards && name.endsWith('*')) return sni.startsWith(name.slice(0, -1));
  return sni === name;
}

/**
 * The flavor `expressions` counts the protocols among what is matched, except for a route of `https` alone, which must
 * also meet requests over http to redirect them. Null: any scheme.
 */
export function schemeCondition(protocols: readonly RouteProtocol[]): Condition | null {
  if (protocols.length === 1 && protocols[0] === 'https') return null;
  const http = protocols.some((protocol) => protocol === 'http' || protocol === 'grpc');
  const https = protocols.some((protocol) => protocol === 'https' || protocol === 'grpcs');
  if (http && https) return null;
  const scheme = http ? 'http' : 'https';
  return (input) => input.scheme === scheme;
}

/** @throws SyntaxError when an address is none. */
export function addressCondition(
  entries: ReadonlyArray<{ readonly ip: string | null; readonly port: number | null }>,
  side: 'source' | 'destination',
): Condition {
  const checks = entries.map(({ ip, port }) => ({ set: ip === null ? null : new IpSet([ip]), port }));
  return (input) => {
    const address = side === 'source' ? input.srcIp : input.dstIp;
    const port = side === 'source' ? input.srcPort : input.dstPort;
    return checks.some(
      (check) => (check.port === null || check.port === port) && (check.set?.has(address) ?? true),
    );
  };
}
