/** Routes (Kong's `routes`): which requests go to a service. */
import { headerRegex } from './formats/header-regex.ts';
import { checkHostPattern } from './formats/host.ts';
import { checkPercent, hasUndecodedBytes, normalizePath } from './formats/path.ts';
import { regexProblem } from './formats/regex.ts';
import { isNonEmpty } from './schema/entity-checks.ts';
import type {
  CheckContext,
  Entity,
  EntityCheck,
  EntityDefinition,
  EntityVariant,
  Field,
  Fields,
  RouterFlavor,
  Values,
} from './schema/field.ts';
import * as t from './typedefs.ts';

export type RouteProtocol = (typeof t.PROTOCOLS)[number];

const hostPattern = {
  type: 'string',
  match_all: [
    {
      pattern: t.pattern('^[^*]*%*?[^*]*$', /^[^*]*(?:\*[^*]*)?$/),
      err: 'invalid wildcard: must have at most one wildcard',
    },
  ],
  match_any: {
    patterns: [t.pattern('^%*%.', /^\*\./), t.pattern('%.%*$', /\.\*$/), t.pattern('^[^*]*$', /^[^*]*$/)],
    err: 'invalid wildcard: must be placed at leftmost or rightmost label',
  },
  custom_validator: checkHostPattern,
} as const satisfies Field;

const routePath = {
  type: 'string',
  match_none: [t.EMPTY_SEGMENT],
  match_any: {
    patterns: [t.pattern('^/', /^\//), t.pattern('^~/', /^~\//)],
    err: 'should start with: / (fixed path) or ~/ (regex path)',
  },
  custom_validator: checkRoutePath,
} as const satisfies Field;

/** Each is compiled where the whole node waits. */
const MAX_REGEXES = 2000;
const TOO_MANY_REGEXES = `a route may have ${MAX_REGEXES} regexes`;

function limitRegexes(list: readonly unknown[]): string | null {
  if (list.length <= MAX_REGEXES) return null;
  const regexes = list.filter((path) => typeof path === 'string' && path.startsWith('~'));
  return regexes.length > MAX_REGEXES ? TOO_MANY_REGEXES : null;
}

function checkRoutePath(path: string, context: CheckContext): string | null {
  const percent = checkPercent(path);
  if (percent !== null) return percent;
  if (path.startsWith('~')) {
    const problem = (context.checkRegex ?? regexProblem)(path.slice(1));
    return problem === null ? null : `invalid regex: '${path.slice(1)}' (${problem})`;
  }
  const normalized = normalizePath(path);
  if (hasUndecodedBytes(normalized))
    return `invalid path: '${path}' (percent-encoded bytes that are not UTF-8)`;
  return path === normalized ? null : `non-normalized path, consider use '${normalized}' instead`;
}

const headerName = {
  ...t.headerName,
  match_none: [
    {
      pattern: t.pattern('^[Hh][Oo][Ss][Tt]$', /^host$/i),
      err: "cannot contain 'host' header, which must be specified in the 'hosts' attribute",
    },
  ],
} as const satisfies Field;

const fields = {
  id: t.uuid,
  name: t.utf8Name,
  protocols: {
    type: 'set',
    required: true,
    len_min: 1,
    elements: t.protocol,
    mutually_exclusive_subsets: [
      ['http', 'https'],
      ['tcp', 'tls', 'udp'],
      ['tls_passthrough'],
      ['grpc', 'grpcs'],
    ],
    default: ['http', 'https'],
  },
  methods: { type: 'set', elements: t.httpMethod },
  hosts: { type: 'array', elements: hostPattern },
  paths: { type: 'array', elements: routePath, limit: limitRegexes },
  headers: { ...t.headers, keys: headerName },
  snis: { type: 'set', elements: t.wildcardHost },
  sources: t.sources,
  destinations: t.sources,
  regex_priority: { type: 'integer', default: 0 },
  strip_path: { type: 'boolean', required: true, default: true },
  path_handling: { type: 'string', default: 'v0', one_of: ['v0', 'v1'] },
  preserve_host: { type: 'boolean', required: true, default: false },
  https_redirect_status_code: {
    type: 'integer',
    required: true,
    default: 426,
    one_of: [426, 301, 302, 307, 308],
  },
  request_buffering: { type: 'boolean', required: true, default: true },
  response_buffering: { type: 'boolean', required: true, default: true },
  service: { type: 'foreign', reference: 'services' },
  tags: t.tags,
  created_at: t.timestamp,
  updated_at: t.timestamp,
} as const satisfies Fields;

/** Only with `router_flavor = expressions`. */
const expressionFields = {
  expression: { type: 'string' },
  priority: { type: 'integer', required: true, default: 0, between: [0, 2 ** 46 - 1] },
} as const satisfies Fields;

/** A route as it stands in a configuration: every field present, unset ones null. */
export interface Route extends Entity<typeof fields>, Partial<Entity<typeof expressionFields>> {}

const MATCHERS = ['methods', 'hosts', 'paths', 'headers', 'snis', 'sources', 'destinations'] as const;
const MATCHER_LIST = "'methods', 'hosts', 'paths', 'headers', 'snis', 'sources' or 'destinations'";

/** What Kong's router refuses when the route is built; the text is what follows Kong's prefix. */
function expressionProblem(route: Values, context: CheckContext): string | null {
  const plain = MATCHERS.some((name) => isNonEmpty(route[name]));
  const { expression, regex_priority: regexPriority, priority } = route;
  if (typeof expression !== 'string') {
    if (plain && typeof priority === 'number' && priority !== 0) {
      return `cannot set 'priority' with ${MATCHER_LIST} simultaneously`;
    }
    return headerRegexProblem(route['headers'], context);
  }
  if (plain) return `cannot set 'expression' with ${MATCHER_LIST} simultaneously`;
  if (regexPriority !== 0) return "cannot set 'regex_priority' with 'expression' simultaneously";
  return context.checkExpression?.(expression, route['protocols'] as readonly string[]) ?? null;
}

function headerRegexProblem(headers: unknown, { flavor, checkRegex }: CheckContext): string | null {
  const check = checkRegex ?? regexProblem;
  let regexes = 0;
  for (const [name, values] of Object.entries((headers ?? {}) as Record<string, readonly string[]>)) {
    for (const value of values) {
      const source = headerRegex(value, values, flavor);
      if (source !== null && ++regexes > MAX_REGEXES) return TOO_MANY_REGEXES;
      const problem = source === null ? null : check(source);
      if (problem !== null) return `invalid regex in header '${name}': '${source}' (${problem})`;
    }
  }
  return null;
}

const routerCheck: EntityCheck = {
  custom_entity_check: {
    field_sources: ['id', 'protocols', ...MATCHERS, 'expression', 'regex_priority', 'priority'],
    fn: (route, context) => {
      const problem = expressionProblem(route, context);
      if (problem === null) return null;
      return context.flavor === 'traditional' ? problem : `Router Expression failed validation: ${problem}`;
    },
  },
};

const snisNeedTls: EntityCheck = {
  conditional: {
    if_field: 'protocols',
    if_match: {
      mutually_exclusive_subsets: undefined,
      elements: { type: 'string', not_one_of: ['grpcs', 'https', 'tls', 'tls_passthrough'] },
    },
    then_field: 'snis',
    then_match: { len_eq: 0 },
    then_err: "'snis' can only be set when 'protocols' is 'grpcs', 'https', 'tls' or 'tls_passthrough'",
  },
};

type Family = 'http' | 'stream' | 'grpc';

const FAMILIES: Readonly<Record<string, Family>> = {
  http: 'http',
  https: 'http',
  tcp: 'stream',
  tls: 'stream',
  udp: 'stream',
  tls_passthrough: 'stream',
  grpc: 'grpc',
  grpcs: 'grpc',
};

const FAMILY_NAMES: Readonly<Record<Family, string>> = {
  http: "'http' or 'https'",
  stream: "'tcp', 'tls', 'tls_passthrough' or 'udp'",
  grpc: "'grpc' or 'grpcs'",
};

function forbid(family: Family, ...names: Array<keyof typeof fields>): Fields {
  return Object.fromEntries(
    names.map((name) => {
      const err = `cannot set '${name}' when 'protocols' is ${FAMILY_NAMES[family]}`;
      return [name, { ...fields[name], eq: null, err }];
    }),
  );
}

function oneOfWhen(protocol: string, names: readonly string[], plain: string | null): EntityCheck {
  const check = {
    if_field: 'protocols',
    if_match: { contains: protocol },
    then_at_least_one_of: names,
    then_err: `must set one of %s when 'protocols' is '${protocol}'`,
  };
  if (plain === null) return { conditional_at_least_one_of: check };
  return {
    conditional_at_least_one_of: {
      ...check,
      else_match: { contains: plain },
      else_then_at_least_one_of: names.filter((name) => name !== 'snis'),
      else_then_err: `must set one of %s when 'protocols' is '${plain}'`,
    },
  };
}

function streamChecks(more: readonly string[]): EntityCheck[] {
  const when = (protocols: readonly string[], names: readonly string[], err: string): EntityCheck => ({
    conditional_at_least_one_of: {
      if_field: 'protocols',
      if_match: { elements: { type: 'string', one_of: protocols } },
      then_at_least_one_of: [...names, ...more],
      then_err: err,
    },
  });
  return [
    when(
      ['tcp', 'tls', 'udp'],
      ['sources', 'destinations', 'snis'],
      "must set one of %s when 'protocols' is 'tcp', 'tls' or 'udp'",
    ),
    when(['tls_passthrough'], ['snis'], "must set snis when 'protocols' is 'tls_passthrough'"),
  ];
}

function flavored(flavor: RouterFlavor): Fields {
  if (flavor === 'expressions') return expressionFields;
  return flavor === 'traditional' ? { snis: { type: 'set', elements: t.sni } } : {};
}

function variant(family: Family, flavor: RouterFlavor): EntityVariant {
  const expressions = flavor === 'expressions';
  const more = expressions ? ['expression'] : [];
  const common = flavored(flavor);
  const noAddresses = (of: Family): Fields => (expressions ? {} : forbid(of, 'sources', 'destinations'));
  switch (family) {
    case 'http':
      return {
        fields: { ...common, ...noAddresses('http') },
        entity_checks: [
          oneOfWhen('https', ['methods', 'hosts', 'headers', 'paths', 'snis', ...more], 'http'),
        ],
      };
    case 'grpc':
      return {
        fields: {
          ...common,
          ...noAddresses('grpc'),
          ...forbid('grpc', 'methods'),
          strip_path: grpcStripPath,
        },
        entity_checks: [oneOfWhen('grpcs', ['hosts', 'headers', 'paths', 'snis', ...more], 'grpc')],
      };
    default:
      return {
        fields: { ...common, ...forbid('stream', 'methods', 'hosts', 'paths', 'headers') },
        entity_checks: streamChecks(more),
      };
  }
}

const grpcStripPath = {
  type: 'boolean',
  required: true,
  default: false,
  ne: true,
  err: "cannot set 'strip_path' when 'protocols' is 'grpc' or 'grpcs'",
} as const satisfies Field;

const variants = new Map<string, EntityVariant>();

function variantOf(input: Values, flavor: RouterFlavor): EntityVariant | null {
  const { protocols } = input;
  const list: readonly unknown[] = Array.isArray(protocols) ? protocols : [];
  const known = list.find((one) => typeof one === 'string' && Object.hasOwn(FAMILIES, one));
  const family = FAMILIES[known as string] ?? 'http';
  const key = `${flavor} ${family}`;
  let found = variants.get(key);
  if (found === undefined) variants.set(key, (found = variant(family, flavor)));
  return found;
}

export const routes: EntityDefinition = {
  name: 'routes',
  endpoint_key: 'name',
  fields,
  entity_checks: [snisNeedTls, routerCheck],
  subschema_key: 'protocols',
  subschema_error: (protocols) => {
    const list: readonly unknown[] = Array.isArray(protocols) ? protocols : [];
    const known = list.some((one) => typeof one === 'string' && Object.hasOwn(FAMILIES, one));
    const first = list[0];
    return known || typeof first !== 'string' ? null : `unknown type: ${first}`;
  },
  variants: variantOf,
  flavored,
};
