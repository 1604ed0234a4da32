/** Field descriptions that several entities share; the names are those of Kong's typedefs. */
import { checkCertificate, checkPrivateKey } from './formats/crypto.ts';
import { checkHost, checkHostWithPort, checkSni, checkWildcardHost } from './formats/host.ts';
import { checkIpOrCidr } from './formats/ip.ts';
import { checkPath } from './formats/path.ts';
import type { Field, Pattern } from './schema/field.ts';

/** A pattern as Kong's schema prints it and as JavaScript runs it. */
export function pattern(lua: string, js: RegExp): Pattern {
  return { lua, js };
}

export const PROTOCOLS = ['grpc', 'grpcs', 'http', 'https', 'tcp', 'tls', 'tls_passthrough', 'udp'] as const;

export const uuid = { type: 'string', uuid: true, auto: true } as const satisfies Field;
export const timestamp = { type: 'integer', timestamp: true, auto: true } as const satisfies Field;
/** Targets: seconds with a fraction. */
export const timestampMs = { type: 'number', timestamp: true, auto: true } as const satisfies Field;
export const protocol = { type: 'string', one_of: PROTOCOLS } as const satisfies Field;
export const port = { type: 'integer', between: [0, 65535] } as const satisfies Field;
export const host = { type: 'string', custom_validator: checkHost } as const satisfies Field;
export const hostWithOptionalPort = {
  type: 'string',
  custom_validator: checkHostWithPort,
} as const satisfies Field;
export const wildcardHost = { type: 'string', custom_validator: checkWildcardHost } as const satisfies Field;
export const sni = { type: 'string', custom_validator: checkSni } as const satisfies Field;
export const certificate = { type: 'string', custom_validator: checkCertificate } as const satisfies Field;
export const key = { type: 'string', custom_validator: checkPrivateKey } as const satisfies Field;

export const EMPTY_SEGMENT = {
  pattern: pattern('//', /\/\//),
  err: 'must not have empty segments',
} as const;

export const path = {
  type: 'string',
  starts_with: '/',
  match_none: [EMPTY_SEGMENT],
  custom_validator: checkPath,
} as const satisfies Field;

export const headerName = {
  type: 'string',
  custom_validator: (name) =>
    /^[a-zA-Z0-9\-_]+$/.test(name)
      ? null
      : `bad header name '${name}', allowed characters are A-Z, a-z, 0-9, '_', and '-'`,
} as const satisfies Field;

/** An HTTP token. */
export const cookieName = {
  type: 'string',
  custom_validator: (name) =>
    /[^!-~]|[()<>@,;:\\"/?={}[\]]/.test(name)
      ? 'contains one or more invalid characters. ASCII control characters (0-31;127), space, tab and the ' +
        'characters ()<>@,;:\\"/?={}[] are not allowed.'
      : null,
} as const satisfies Field;

/** What may stand in an attribute of a cookie (RFC 6265 §4.1.1). */
export const cookieAttribute = {
  type: 'string',
  custom_validator: (text) =>
    /^[\u0020-\u003a\u003c-\u007e]+$/.test(text) ? null : 'has characters that no cookie attribute may have',
} as const satisfies Field;

export const httpMethod = { type: 'string', match: pattern('^%u+$', /^[A-Z]+$/) } as const satisfies Field;

export const headers = {
  type: 'map',
  keys: headerName,
  values: { type: 'array', elements: { type: 'string' } },
} as const satisfies Field;

/** Half of a surrogate pair has no UTF-8. */
function utf8Problem(text: string): string | null {
  if (text.isWellFormed()) return null;
  const at = text.search(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/);
  return `invalid utf-8 character sequence detected at position ${Buffer.byteLength(text.slice(0, at)) + 1}`;
}

export const utf8Name = {
  type: 'string',
  unique: true,
  custom_validator: (name) =>
    utf8Problem(name) ??
    (/^[A-Za-z0-9.\-_~\u0080-\u{10ffff}]+$/u.test(name)
      ? null
      : `invalid value '${name}': the only accepted ascii characters are alphanumerics or ., -, _, and ~`),
} as const satisfies Field;

const tag = {
  type: 'string',
  required: true,
  custom_validator: (text) =>
    utf8Problem(text) ??
    (/^[ !-+\-.0-~\u0080-\u{10ffff}]+$/u.test(text)
      ? null
      : `invalid tag '${text}': expected printable ascii (except \`,\` and \`/\`) or valid utf-8 sequences`),
} as const satisfies Field;

export const tags = { type: 'set', elements: tag } as const satisfies Field;

const ipAndPort = {
  type: 'record',
  fields: {
    ip: { type: 'string', custom_validator: checkIpOrCidr },
    port,
  },
  entity_checks: [{ at_least_one_of: ['ip', 'port'] }],
} as const satisfies Field;

export const sources = { type: 'set', elements: ipAndPort } as const satisfies Field;

/** Plugins: all protocols are accepted, HTTP's are the default. */
export const pluginProtocols = {
  type: 'set',
  required: true,
  default: ['grpc', 'grpcs', 'http', 'https'],
  elements: protocol,
} as const satisfies Field;

/** Seconds; Kong's DAO_MAX_TTL is the bound. */
export const ttl = { type: 'number', between: [0, 1e8] } as const satisfies Field;
