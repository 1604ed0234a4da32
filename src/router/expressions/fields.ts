/** Fields of Kong's router expressions: their types, and how each is read from a request. */
import type { RouterInput } from '../router.ts';

export type FieldType = 'String' | 'Int' | 'IpAddr';

/** Values of a field in one request; none when the request does not have it. */
export type ReadField = (input: RouterInput) => ReadonlyArray<string | number>;

export interface Field {
  readonly name: string;
  readonly type: FieldType;
  readonly read: ReadField;
}

export type Subsystem = 'http' | 'stream';

const NONE: readonly string[] = [];
/** As nginx's Lua module: arguments beyond this are not looked at. */
const MAX_ARGUMENTS = 100;
/** `N` or `N_M`, without leading zeros. */
const SEGMENTS = /^http\.path\.segments\.(0|[1-9]\d{0,4})(?:_([1-9]\d{0,4}))?$/;

function field(name: string, type: FieldType, read: (input: RouterInput) => string | number): Field {
  return { name, type, read: (input) => [read(input)] };
}

/** An empty text is none. */
function optional(name: string, read: (input: RouterInput) => string): Field {
  return {
    name,
    type: 'String',
    read: (input) => {
      const text = read(input);
      return text === '' ? NONE : [text];
    },
  };
}

const SHARED: readonly Field[] = [
  field('net.protocol', 'String', (input) => input.scheme),
  optional('tls.sni', (input) => input.sni),
  field('net.src.ip', 'IpAddr', (input) => input.srcIp),
  field('net.src.port', 'Int', (input) => input.srcPort),
  field('net.dst.ip', 'IpAddr', (input) => input.dstIp),
  // The Host header's port counts first: a plain route's `host:port` is this field.
  field('net.dst.port', 'Int', (input) => input.port),
];

const HTTP: readonly Field[] = [
  field('http.method', 'String', (input) => input.method),
  optional('http.host', (input) => input.host),
  field('http.path', 'String', (input) => input.path),
  field('net.port', 'Int', (input) => input.port),
  field('http.path.segments.len', 'Int', (input) => segments(input.path).length),
];

const FIXED: Readonly<Record<Subsystem, ReadonlyMap<string, Field>>> = {
  http: new Map([...SHARED, ...HTTP].map((each) => [each.name, each])),
  stream: new Map(SHARED.map((each) => [each.name, each])),
};

/** Undefined: no such field. */
export function findField(name: string, subsystem: Subsystem): Field | undefined {
  const fixed = FIXED[subsystem].get(name);
  if (fixed !== undefined || subsystem === 'stream') return fixed;
  const header = /^http\.headers\.([a-z0-9_]+)$/.exec(name)?.[1];
  if (header !== undefined) {
    const lower = header.replaceAll('_', '-');
    return { name, type: 'String', read: (input) => input.headerValues(lower) };
  }
  const argument = /^http\.queries\.(\w+)$/.exec(name)?.[1];
  if (argument !== undefined) {
    return { name, type: 'String', read: (input) => queryValues(input.query, argument) };
  }
  return segmentField(name);
}

function segmentField(name: string): Field | undefined {
  const match = SEGMENTS.exec(name);
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = match[2] === undefined ? first : Number(match[2]);
  if (match[2] !== undefined && last <= first) return undefined;
  const read: ReadField = (input) => {
    const all = segments(input.path);
    return last < all.length ? [all.slice(first, last + 1).join('/')] : NONE;
  };
  return { name, type: 'String', read };
}

/** Without the empty one after a slash at the end. */
function segments(path: string): string[] {
  const all = path.split('/').slice(1);
  while (all.at(-1) === '') all.pop();
  return all;
}

function queryValues(query: string, name: string): string[] {
  if (query === '') return [];
  const values: string[] = [];
  for (const part of query.split('&', MAX_ARGUMENTS)) {
    const equals = part.indexOf('=');
    const key = equals === -1 ? part : part.slice(0, equals);
    if (unescapeArgument(key) === name)
      values.push(equals === -1 ? '' : unescapeArgument(part.slice(equals + 1)));
  }
  return values;
}

/** Bytes, with `+` for a space. */
function unescapeArgument(text: string): string {
  if (!/[%+]/.test(text)) return text;
  return text
    .replaceAll('+', ' ')
    .replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
