/** Every kind of entity: what is valid, and what is said of what is not. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as pem from './pem.fixture.ts';
import { DEFINITIONS } from './registry.ts';
import type { CheckContext, RouterFlavor, Values } from './schema/field.ts';
import { ENTITY, pathText } from './schema/issue.ts';
import { EntityValidator } from './schema/validate.ts';

const NOW = 1_700_000_000;
const ID = '11111111-2222-4333-8444-555555555555';

const validators = new Map(DEFINITIONS.map((one) => [one.name, new EntityValidator(one)]));

function validate(kind: string, input: Values, more: Partial<CheckContext> = {}) {
  const validator = validators.get(kind);
  assert.ok(validator, kind);
  return validator.validate({ input }, { flavor: 'traditional_compatible', now: NOW, ...more });
}

/** What is wrong, as `path: message`; `@entity: message` for the whole. */
function wrong(kind: string, input: Values, more: Partial<CheckContext> = {}): string[] {
  const { issues } = validate(kind, input, more);
  return (issues ?? []).map(
    ({ at, message }) => `${at.at(-1) === ENTITY ? ENTITY : pathText(at)}: ${message}`,
  );
}

function entity(kind: string, input: Values, more: Partial<CheckContext> = {}): Record<string, unknown> {
  const result = validate(kind, input, more);
  assert.deepEqual(result.issues, null);
  return result.entity ?? {};
}

type Case = readonly [input: Values, ...messages: string[]];

function cases(kind: string, list: readonly Case[], flavor: RouterFlavor = 'traditional_compatible'): void {
  for (const [input, ...messages] of list) {
    const shown = JSON.stringify(input).slice(0, 100);
    test(`${kind} ${shown}`, () => assert.deepEqual(wrong(kind, input, { flavor }), messages));
  }
}

const PROTOCOLS = 'expected one of: grpc, grpcs, http, https, tcp, tls, tls_passthrough, udp';
const conditional = (field: string): string =>
  `@entity: failed conditional validation given value of field '${field}'`;

describe('services', () => {
  test('defaults', () => {
    assert.deepEqual(entity('services', { id: ID, host: 'example.com' }), {
      id: ID,
      name: null,
      retries: 5,
      protocol: 'http',
      host: 'example.com',
      port: 80,
      path: null,
      connect_timeout: 60000,
      write_timeout: 60000,
      read_timeout: 60000,
      tags: null,
      client_certificate: null,
      tls_verify: null,
      tls_verify_depth: null,
      ca_certificates: null,
      enabled: true,
      created_at: NOW,
      updated_at: NOW,
    });
  });

  test('null in a field with a default is the default; updated_at is always now', () => {
    const service = entity('services', { host: 'a', retries: null, created_at: 5, updated_at: 6, port: 1 });
    assert.equal(service['retries'], 5);
    assert.equal(service['created_at'], 5);
    assert.equal(service['updated_at'], NOW);
  });

  const urls: ReadonlyArray<readonly [string, string, string, number, string | null]> = [
    ['http://example.com', 'http', 'example.com', 80, null],
    ['https://example.com/', 'https', 'example.com', 443, '/'],
    ['http://example.com:8080/a/b?x=1#f', 'http', 'example.com', 8080, '/a/b'],
    ['//example.com:443/x', 'https', 'example.com', 443, '/x'],
    ['//example.com:80', 'http', 'example.com', 80, null],
    ['http://user:pw@example.com/x', 'http', 'example.com', 80, '/x'],
    ['http://[::1]:81/x', 'http', '::1', 81, '/x'],
    ['grpc://example.com', 'grpc', 'example.com', 80, null],
  ];
  for (const [url, protocol, host, port, path] of urls) {
    test(`url ${url}`, () => {
      const service = entity('services', { url, port: 1, protocol: 'https', path: '/lost' });
      assert.deepEqual(
        [service['protocol'], service['host'], service['port'], service['path']],
        [protocol, host, port, path],
      );
      assert.ok(!('url' in service));
    });
  }

  cases('services', [
    [{}, 'host: required field missing'],
    [{ host: null }, 'host: required field missing'],
    [{ host: '' }, 'host: length must be at least 1'],
    [{ host: 5 }, 'host: expected a string'],
    [{ host: 'a b' }, 'host: invalid value: a b'],
    [{ host: 'a.com:80' }, 'host: must not have a port'],
    [{ host: '1.2.3.4' }],
    [{ host: '1.2.3.444' }, 'host: invalid value: 1.2.3.444'],
    [{ host: '::1' }],
    [{ host: '[::1]' }],
    [{ host: '::g' }, 'host: invalid value: ::g'],
    [{ host: 'a-.com' }, 'host: invalid value: a-.com'],
    [{ host: 'a..com' }, 'host: invalid value: a..com'],
    [{ host: 'under_score.example.' }],
    [{ url: 5 }, 'url: expected a string'],
    [{ url: 'nonsense' }, 'host: required field missing', 'path: should start with: /'],
    [{ url: 'ftp://a' }, `protocol: ${PROTOCOLS}`],
    [{ host: 'a', port: 65536 }, 'port: value should be between 0 and 65535'],
    [{ host: 'a', port: 1.5 }, 'port: expected an integer'],
    [{ host: 'a', port: '80' }, 'port: expected an integer'],
    [{ host: 'a', retries: -1 }, 'retries: value should be between 0 and 32767'],
    [{ host: 'a', read_timeout: 0 }, 'read_timeout: value should be between 1 and 2147483646'],
    [{ host: 'a', enabled: 'yes' }, 'enabled: expected a boolean'],
    [{ host: 'a', enabled: null }, 'enabled: required field missing'],
    [{ host: 'a', bogus: null }, 'bogus: unknown field'],
    [{ host: 'a', id: 'x' }, 'id: expected a valid UUID'],
    [{ host: 'a', created_at: 0 }, 'created_at: expected a valid timestamp'],
    [{ host: 'a', name: 'ok-_.~é' }],
    [
      { host: 'a', name: 'a b' },
      "name: invalid value 'a b': the only accepted ascii characters are alphanumerics or ., -, _, and ~",
    ],
    [{ host: 'a', name: 'é\ud800' }, 'name: invalid utf-8 character sequence detected at position 3'],
    [{ host: 'a', tags: ['a', 'b c', 'é'] }],
    [{ host: 'a', tags: 'a' }, 'tags: expected a set'],
    [
      { host: 'a', tags: ['ok', 'a/b'] },
      "tags[1]: invalid tag 'a/b': expected printable ascii (except `,` and `/`) or valid utf-8 sequences",
    ],
    [{ host: 'a', tags: [null] }, 'tags[0]: required field missing'],
    [{ host: 'a', path: 'x' }, 'path: should start with: /'],
    [{ host: 'a', path: '/a//b' }, 'path: must not have empty segments'],
    [
      { host: 'a', path: '/ü' },
      "path: invalid path: '/ü' (characters outside of the reserved list of RFC 3986 found)",
    ],
    [{ host: 'a', path: '/a%2' }, "path: invalid url-encoded value: '%2'"],
    [{ host: 'a', path: '/a%2Fb' }],
    [{ host: 'a', protocol: 'tcp', path: '/x' }, 'path: value must be null', conditional('protocol')],
    [{ host: 'a', tls_verify: true }, 'tls_verify: value must be null', conditional('protocol')],
    [{ host: 'a', protocol: 'https', tls_verify: true, tls_verify_depth: 3, ca_certificates: [ID] }],
    [
      { host: 'a', protocol: 'https', tls_verify_depth: 65 },
      'tls_verify_depth: value should be between 0 and 64',
    ],
    [{ host: 'a', protocol: 'https', ca_certificates: ['x'] }, 'ca_certificates[0]: expected a valid UUID'],
    // Kong's own tests show these two at the id (`service.id: missing primary key`).
    [{ host: 'a', protocol: 'https', client_certificate: {} }, 'client_certificate.id: missing primary key'],
    [
      { host: 'a', protocol: 'https', client_certificate: { id: null } },
      'client_certificate.id: required field missing',
    ],
    [
      { host: 'a', protocol: 'https', client_certificate: { id: 'x' } },
      'client_certificate.id: expected a valid UUID',
    ],
  ]);
});

describe('routes', () => {
  test('defaults, and grpc defaults', () => {
    const route = entity('routes', { id: ID, paths: ['/'] });
    assert.deepEqual(route, {
      id: ID,
      name: null,
      protocols: ['http', 'https'],
      methods: null,
      hosts: null,
      paths: ['/'],
      headers: null,
      snis: null,
      sources: null,
      destinations: null,
      regex_priority: 0,
      strip_path: true,
      path_handling: 'v0',
      preserve_host: false,
      https_redirect_status_code: 426,
      request_buffering: true,
      response_buffering: true,
      service: null,
      tags: null,
      created_at: NOW,
      updated_at: NOW,
    });
    assert.equal(entity('routes', { protocols: ['grpc'], paths: ['/'] })['strip_path'], false);
  });

  test('sets drop repeated values and keep the order', () => {
    assert.deepEqual(entity('routes', { methods: ['PUT', 'GET', 'PUT'] })['methods'], ['PUT', 'GET']);
  });

  test('a header named __proto__ is a header', () => {
    const input = { headers: JSON.parse('{"__proto__":["x"]}') as unknown };
    assert.deepEqual(Object.keys(entity('routes', input)['headers'] as object), ['__proto__']);
  });

  const must = (list: string, protocols: string): string =>
    `@entity: must set one of ${list} when 'protocols' is ${protocols}`;
  const START = 'should start with: / (fixed path) or ~/ (regex path)';
  const WILDCARD = 'invalid wildcard: must be placed at leftmost or rightmost label';

  cases('routes', [
    [{}, must("'methods', 'hosts', 'headers', 'paths', 'snis'", "'https'")],
    [{ protocols: ['http'] }, must("'methods', 'hosts', 'headers', 'paths'", "'http'")],
    [{ protocols: ['grpc'] }, must("'hosts', 'headers', 'paths'", "'grpc'")],
    [{ protocols: ['grpcs'] }, must("'hosts', 'headers', 'paths', 'snis'", "'grpcs'")],
    [{ protocols: ['tcp'] }, must("'sources', 'destinations', 'snis'", "'tcp', 'tls' or 'udp'")],
    [{ protocols: ['tls_passthrough'] }, "@entity: must set snis when 'protocols' is 'tls_passthrough'"],
    [{ protocols: [], paths: ['/'] }, 'protocols: length must be at least 1'],
    [{ protocols: null, paths: ['/'] }, 'protocols: required field missing'],
    [{ protocols: ['nope'], paths: ['/'] }, 'protocols: unknown type: nope'],
    [{ protocols: ['http', 'nope'], paths: ['/'] }, `protocols[1]: ${PROTOCOLS}`],
    [
      { protocols: ['http', 'tcp'], paths: ['/'] },
      "protocols: these sets are mutually exclusive: ('http', 'https'), ('tcp', 'tls', 'udp')",
    ],
    [{ methods: ['get'] }, 'methods[0]: invalid value: get'],
    [{ hosts: ['a.com', '*.a.com', 'a.*', 'a.com:80', '1.2.3.4'] }],
    [{ hosts: ['a.*.com'] }, `hosts[0]: ${WILDCARD}`],
    [{ hosts: ['*a.com'] }, `hosts[0]: ${WILDCARD}`],
    [{ hosts: ['*.*.com'] }, 'hosts[0]: invalid wildcard: must have at most one wildcard'],
    [{ hosts: ['a b'] }, 'hosts[0]: invalid hostname: a b'],
    [{ hosts: ['a.com:99999'] }, 'hosts[0]: invalid port number'],
    [{ hosts: { 1: 'a' } }, 'hosts: expected an array'],
    [{ paths: ['x'] }, `paths[0]: ${START}`],
    [{ paths: ['/ok', '~x'] }, `paths[1]: ${START}`],
    [{ paths: ['/a//b'] }, 'paths[0]: must not have empty segments'],
    [{ paths: ['/a/../b'] }, "paths[0]: non-normalized path, consider use '/b' instead"],
    [{ paths: ['/%61'] }, "paths[0]: non-normalized path, consider use '/a' instead"],
    [{ paths: ['/%C3%A9'] }, "paths[0]: non-normalized path, consider use '/é' instead"],
    [{ paths: ['/%EF%BF%BD'] }, "paths[0]: non-normalized path, consider use '/\ufffd' instead"],
    [{ paths: ['/%2f'] }, "paths[0]: non-normalized path, consider use '/%2F' instead"],
    [
      { paths: ['/%FF', '/%2F%C3%A9%E9'] },
      "paths[0]: invalid path: '/%FF' (percent-encoded bytes that are not UTF-8)",
      "paths[1]: invalid path: '/%2F%C3%A9%E9' (percent-encoded bytes that are not UTF-8)",
    ],
    [{ paths: ['/%2F', '/é', '/a b', '/a.b/'] }],
    [{ paths: ['/%zz'] }, "paths[0]: invalid url-encoded value: '%zz'"],
    [{ paths: ['~/a/(?<id>\\d+)$'] }],
    [{ paths: ['~/(a'] }, "paths[0]: invalid regex: '/(a' (error parsing regexp: missing closing ): `/(a`)"],
    [
      { paths: ['~/a(?=b)'] },
      "paths[0]: invalid regex: '/a(?=b)' (error parsing regexp: invalid or unsupported Perl syntax: `(?=`)",
    ],
    [{ headers: { 'x-a': ['1', '~*^v[12]$'] } }],
    [{ headers: { 'x-a': 'one' } }, 'headers["x-a"]: expected an array'],
    [
      { headers: { Host: ['a'] } },
      `headers["Host"]: cannot contain 'host' header, which must be specified in the 'hosts' attribute`,
    ],
    [
      { headers: { 'a b': ['a'] } },
      `headers["a b"]: bad header name 'a b', allowed characters are A-Z, a-z, 0-9, '_', and '-'`,
    ],
    [
      { headers: { a: ['~*('] } },
      "@entity: Router Expression failed validation: invalid regex in header 'a': '(' (error parsing regexp: missing closing ): `(`)",
    ],
    [
      { headers: { a: ['~*(?P<n>b)'] } },
      "@entity: Router Expression failed validation: invalid regex in header 'a': '(?p<n>b)' (error parsing regexp: invalid or unsupported Perl syntax: `(?p`)",
    ],
    [{ snis: ['a.com', '*.a.com', 'a.*'] }],
    [{ snis: ['a.com:443'] }, 'snis[0]: must not have a port'],
    [{ snis: ['1.2.3.4'] }, 'snis[0]: must not be an IP'],
    [{ snis: ['a*.com'] }, 'snis[0]: wildcard must be leftmost or rightmost character'],
    [{ snis: ['*.a.*'] }, 'snis[0]: only one wildcard must be specified'],
    [
      { protocols: ['http'], paths: ['/'], snis: ['a.com'] },
      'snis: length must be 0',
      "@entity: 'snis' can only be set when 'protocols' is 'grpcs', 'https', 'tls' or 'tls_passthrough'",
    ],
    [
      { paths: ['/'], sources: [{ ip: '1.2.3.4' }] },
      "sources: cannot set 'sources' when 'protocols' is 'http' or 'https'",
    ],
    [{ protocols: ['tcp'], sources: [{ ip: '10.0.0.0/8', port: 1 }, { ip: '::1/128' }] }],
    [
      { protocols: ['tcp'], sources: [{ ip: '10.0.0.0/33' }] },
      "sources[0].ip: invalid ip or cidr range: '10.0.0.0/33'",
    ],
    [
      { protocols: ['tcp'], sources: [{ ip: 'fe80::1%eth0' }] },
      "sources[0].ip: invalid ip or cidr range: 'fe80::1%eth0'",
    ],
    [
      { protocols: ['tcp'], sources: [{}] },
      "@entity: at least one of these fields must be non-empty: 'ip', 'port'",
    ],
    [
      { protocols: ['tcp'], snis: ['a'], paths: ['/'] },
      "paths: cannot set 'paths' when 'protocols' is 'tcp', 'tls', 'tls_passthrough' or 'udp'",
      'snis: length must be 0',
      "@entity: 'snis' can only be set when 'protocols' is 'grpcs', 'https', 'tls' or 'tls_passthrough'",
    ],
    [
      { protocols: ['grpc'], paths: ['/'], strip_path: true, methods: ['GET'] },
      "methods: cannot set 'methods' when 'protocols' is 'grpc' or 'grpcs'",
      "strip_path: cannot set 'strip_path' when 'protocols' is 'grpc' or 'grpcs'",
    ],
    [
      { paths: ['/'], https_redirect_status_code: 303 },
      'https_redirect_status_code: expected one of: 426, 301, 302, 307, 308',
    ],
    [{ paths: ['/'], path_handling: 'v2' }, 'path_handling: expected one of: v0, v1'],
    [{ paths: ['/'], expression: 'x' }, 'expression: unknown field'],
    [{ paths: ['/'], service: 'x' }, 'service: expected a record'],
  ]);

  const cannot = (
    what: string,
    fields = "'methods', 'hosts', 'paths', 'headers', 'snis', 'sources' or 'destinations'",
  ): string =>
    `@entity: Router Expression failed validation: cannot set '${what}' with ${fields} simultaneously`;
  cases(
    'routes',
    [
      [{}, must("'methods', 'hosts', 'headers', 'paths', 'snis', 'expression'", "'https'")],
      [{ expression: 'http.path == "/"', priority: 5 }],
      [{ expression: 'http.path == "/"', paths: ['/'] }, cannot('expression')],
      [{ priority: 5, paths: ['/'] }, cannot('priority')],
      [{ expression: 'x', regex_priority: 1 }, cannot('regex_priority', "'expression'")],
      [{ expression: 'x', priority: 2 ** 46 }, `priority: value should be between 0 and ${2 ** 46 - 1}`],
      [{ paths: ['/'], sources: [{ port: 80 }] }],
    ],
    'expressions',
  );
  cases('routes', [[{ snis: ['*.a.com'] }, 'snis[0]: invalid value: *.a.com']], 'traditional');

  test("the router's own checks are asked", () => {
    const more = { flavor: 'expressions', checkExpression: () => 'no', checkRegex: () => 'bad' } as const;
    assert.deepEqual(wrong('routes', { expression: 'x' }, more), [
      '@entity: Router Expression failed validation: no',
    ]);
    assert.deepEqual(wrong('routes', { paths: ['~/a'] }, more), ["paths[0]: invalid regex: '/a' (bad)"]);
  });
});

describe('certificates and keys', () => {
  const SAME =
    '@entity: certificate and alternative certificate need to have different type (e.g. RSA and ECDSA), the provided certificates were both of the same type';
  const rsa = { cert: pem.RSA_CERT, key: pem.RSA_KEY };
  cases('certificates', [
    [rsa],
    [{ ...rsa, cert_alt: pem.EC_CA_CERT, key_alt: pem.EC_KEY }],
    [{ cert: '{vault://env/cert}', key: '{vault://env/key}' }],
    [{ cert: pem.RSA_CERT }, 'key: required field missing'],
    [
      { cert: 'x', key: 'y' },
      'cert: invalid certificate: not a PEM encoded X.509 certificate',
      'key: invalid key: not a PEM encoded private key',
    ],
    [{ cert: pem.RSA_CERT, key: pem.EC_KEY }, '@entity: certificate does not match key'],
    [
      { ...rsa, cert_alt: pem.EC_CA_CERT },
      "@entity: all or none of these fields must be set: 'cert_alt', 'key_alt'",
    ],
    [
      { ...rsa, cert_alt: pem.EC_CA_CERT, key_alt: pem.OTHER_EC_KEY },
      '@entity: alternative certificate does not match key',
    ],
    [{ ...rsa, cert_alt: pem.RSA_CERT, key_alt: pem.RSA_KEY }, SAME],
  ]);
  cases('snis', [
    [{ name: '*.a.com', certificate: { id: ID } }],
    [{ name: 'a.com' }, 'certificate: required field missing'],
    [{ name: '*.a.*', certificate: { id: ID } }, 'name: only one wildcard must be specified'],
  ]);
  cases('ca_certificates', [
    [{ cert: pem.EC_CA_CERT }],
    [{ cert: pem.EC_CA_CERT + pem.EC_CA_CERT }, '@entity: please submit only one certificate at a time'],
    [
      { cert: pem.RSA_CERT },
      '@entity: certificate does not appear to be a CA because it is missing the "CA" basic constraint',
    ],
  ]);
  test('an expired CA certificate is refused', () => {
    const later = { now: 7_000_000_000 };
    assert.deepEqual(wrong('ca_certificates', { cert: pem.EC_CA_CERT }, later), [
      '@entity: certificate expired, "Not After" time is in the past',
    ]);
  });
  test('the digest of a CA certificate is the SHA-256 of its DER', () => {
    const definition = DEFINITIONS.find(({ name }) => name === 'ca_certificates');
    const stored = entity('ca_certificates', { cert: pem.EC_CA_CERT });
    definition?.transform?.(stored);
    assert.equal(stored['cert_digest'], '1f85b15482f1a044e6bccf6ab6f5ea8890eb53286e03240d8df4c08564b38925');
  });
  const jwk = (more: object = {}): string => JSON.stringify({ kty: 'oct', k: 'c2VjcmV0', kid: 'a', ...more });
  const ONE = "only one or none of these fields must be set: 'jwk', 'pem'";
  cases('keys', [
    [{ kid: 'a', jwk: jwk() }],
    [{ kid: 'a', jwk: '{vault://env/jwk}' }],
    [{ kid: 'a', pem: { private_key: pem.EC_KEY, public_key: pem.EC_PUBLIC_KEY } }],
    [{ kid: 'a', pem: { public_key: pem.EC_PUBLIC_KEY } }],
    [{ kid: 'a' }, "@entity: at least one of these fields must be non-empty: 'jwk', 'pem'"],
    [{ jwk: jwk() }, 'kid: required field missing'],
    [{ kid: 'a', jwk: jwk(), pem: { public_key: pem.EC_PUBLIC_KEY } }, `@entity: ${ONE}`],
    [{ kid: 'b', jwk: jwk() }, '@entity: kid in jwk.kid must be equal to keys.kid'],
    [{ kid: 'a', jwk: '{' }, '@entity: could not json decode jwk string'],
    [{ kid: 'a', jwk: jwk({ kty: 'EC' }) }, '@entity: could not load JWK, likely not a valid key'],
    [
      { kid: 'a', jwk: {} },
      'jwk: expected a string',
      "@entity: at least one of these fields must be non-empty: 'jwk', 'pem'",
    ],
    [
      { kid: 'a', pem: {} },
      "@entity: at least one of these fields must be non-empty: 'private_key', 'public_key'",
      "@entity: at least one of these fields must be non-empty: 'jwk', 'pem'",
    ],
    [{ kid: 'a', pem: { public_key: 'x' } }, 'pem: could not load public key'],
    [{ kid: 'a', pem: { private_key: 'x' } }, 'pem: could not load private key'],
    [
      { kid: 'a', pem: { private_key: pem.OTHER_EC_KEY, public_key: pem.EC_PUBLIC_KEY } },
      'pem: public key does not match private key',
    ],
  ]);
  cases('key_sets', [[{ name: 'a' }], [{}], [{ name: 1 }, 'name: expected a string']]);
});

describe('upstreams and targets', () => {
  const ALGORITHMS = 'expected one of: consistent-hashing, least-connections, round-robin, latency';
  const COOKIE =
    'contains one or more invalid characters. ASCII control characters (0-31;127), space, tab and the characters ()<>@,;:\\"/?={}[] are not allowed.';
  const required = (field: string, by: string): string[] => [
    `${field}: required field missing`,
    conditional(by),
  ];
  test('health check defaults', () => {
    const upstream = entity('upstreams', { name: 'u' });
    const { active, passive, threshold } = upstream['healthchecks'] as Record<
      string,
      Record<string, unknown>
    >;
    assert.deepEqual(active?.['healthy'], { interval: 0, http_statuses: [200, 302], successes: 0 });
    assert.equal(active?.['concurrency'], 10);
    assert.deepEqual(passive?.['unhealthy'], {
      http_statuses: [429, 500, 503],
      tcp_failures: 0,
      timeouts: 0,
      http_failures: 0,
    });
    assert.equal(threshold, 0);
    assert.equal(upstream['slots'], 10000);
  });
  const algorithms: ReadonlyArray<readonly [Values, string, string]> = [
    [{}, 'round-robin', 'none'],
    [{ hash_on: 'ip' }, 'consistent-hashing', 'ip'],
    [{ hash_on: 'ip', algorithm: 'round-robin' }, 'consistent-hashing', 'ip'],
    [{ hash_on: 'none', algorithm: 'consistent-hashing' }, 'round-robin', 'none'],
    [{ hash_on: 'ip', algorithm: 'latency' }, 'latency', 'none'],
    [{ algorithm: 'least-connections' }, 'least-connections', 'none'],
    [{ hash_on: null, algorithm: 'consistent-hashing' }, 'consistent-hashing', 'none'],
  ];
  for (const [input, algorithm, hashOn] of algorithms) {
    test(`upstreams ${JSON.stringify(input)} → ${algorithm}, ${hashOn}`, () => {
      const upstream = entity('upstreams', { name: 'u', ...input });
      assert.deepEqual([upstream['algorithm'], upstream['hash_on']], [algorithm, hashOn]);
    });
  }
  cases('upstreams', [
    [{}, 'name: required field missing'],
    [{ name: '1.2.3.4' }, "name: Invalid name ('1.2.3.4'); no ip addresses allowed"],
    [{ name: 'a:80' }, "name: Invalid name ('a:80'); no port allowed"],
    [{ name: 'a b' }, "name: Invalid name ('a b'); must be a valid hostname"],
    [{ name: 'u', hash_on: 'header' }, ...required('hash_on_header', 'hash_on')],
    [{ name: 'u', hash_on: 'cookie' }, ...required('hash_on_cookie', 'hash_on')],
    [
      { name: 'u', hash_on: 'ip', hash_fallback: 'query_arg' },
      ...required('hash_fallback_query_arg', 'hash_fallback'),
    ],
    [{ name: 'u', hash_fallback: 'ip' }, 'hash_fallback: expected one of: none', conditional('hash_on')],
    [
      { name: 'u', hash_on: 'path', hash_fallback: 'path' },
      'hash_fallback: expected one of: none, consumer, ip, header, cookie, query_arg, uri_capture',
      conditional('hash_on'),
    ],
    [
      {
        name: 'u',
        hash_on: 'header',
        hash_on_header: 'a',
        hash_fallback: 'header',
        hash_fallback_header: 'a',
      },
      "@entity: values of these fields must be distinct: 'hash_on_header', 'hash_fallback_header'",
    ],
    [{ name: 'u', algorithm: 'x' }, `algorithm: ${ALGORITHMS}`],
    [{ name: 'u', slots: 9 }, 'slots: value should be between 10 and 65536'],
    [{ name: 'u', host_header: 'a.com:8080' }],
    [{ name: 'u', host_header: 'a b' }, 'host_header: invalid hostname: a b'],
    [
      { name: 'u', healthchecks: { active: { healthy: { http_statuses: [99] } }, threshold: 101 } },
      'healthchecks.active.healthy.http_statuses[0]: value should be between 100 and 999',
      'healthchecks.threshold: value should be between 0 and 100',
    ],
    [{ name: 'u', healthchecks: { bogus: 1 } }, 'healthchecks.bogus: unknown field'],
    [{ name: 'u', healthchecks: null }, 'healthchecks: required field missing'],
    [{ name: 'u', healthchecks: { passive: null } }, 'healthchecks.passive: required field missing'],
    [{ name: 'u', hash_on: 'ip', algorithm: 5 }, 'algorithm: expected a string'],
    [{ name: 'u', hash_on: 'ip', algorithm: '' }, `algorithm: ${ALGORITHMS}`],
    [{ name: 'u', hash_on_cookie: 'a b' }, `hash_on_cookie: ${COOKIE}`],
    [{ name: 'u', hash_on_cookie: 'é' }, `hash_on_cookie: ${COOKIE}`],
  ]);
  const upstream = { id: ID };
  cases('targets', [
    [{ upstream, target: 'a.com' }],
    [{ target: 'a.com' }, 'upstream: required field missing'],
    [{ upstream, target: 'a b' }, "target: Invalid target ('a b'); not a valid hostname or ip address"],
    [{ upstream, target: 'a', weight: 65536 }, 'weight: value should be between 0 and 65535'],
  ]);
  for (const [target, stored] of [
    ['a.com', 'a.com:8000'],
    ['a.com:80', 'a.com:80'],
    ['1.2.3.4', '1.2.3.4:8000'],
    ['[::1]:80', '[0000:0000:0000:0000:0000:0000:0000:0001]:80'],
    ['::1', '[0000:0000:0000:0000:0000:0000:0000:0001]:8000'],
  ] as const) {
    test(`target ${target} is stored as ${stored}`, () => {
      const made = entity('targets', { upstream, target });
      DEFINITIONS.find(({ name }) => name === 'targets')?.transform?.(made);
      assert.equal(made['target'], stored);
    });
  }
});

describe('consumers and credentials', () => {
  const consumer = { id: ID };
  cases('consumers', [
    [{ username: 'any thing, really' }],
    [{ custom_id: 'x' }],
    [{}, "@entity: at least one of these fields must be non-empty: 'custom_id', 'username'"],
  ]);
  cases('keyauth_credentials', [
    [{ consumer, key: 'x', ttl: 10 }],
    [{ key: 'x' }, 'consumer: required field missing'],
    [{ consumer, ttl: 1e9 }, 'ttl: value should be between 0 and 100000000'],
  ]);
  test('keys and secrets that are missing are made up', () => {
    assert.match(String(entity('keyauth_credentials', { consumer })['key']), /^[A-Za-z0-9]{32}$/);
    assert.notEqual(
      entity('jwt_secrets', { consumer })['secret'],
      entity('jwt_secrets', { consumer })['secret'],
    );
  });
  cases('basicauth_credentials', [
    [{ consumer, username: 'u', password: 'p' }],
    [{ consumer, username: 'u' }, 'password: required field missing'],
  ]);
  test('a password is stored as SHA-1 of it and the consumer id', () => {
    const made = entity('basicauth_credentials', { consumer, username: 'u', password: 'p' });
    DEFINITIONS.find(({ name }) => name === 'basicauth_credentials')?.transform?.(made);
    assert.equal(made['password'], '9d35b211574265dbb8cf4ddcaf4860182991f27a');
  });
  cases('jwt_secrets', [
    [{ consumer }],
    [{ consumer, algorithm: 'RS256' }, 'rsa_public_key: required field missing', conditional('algorithm')],
    [
      { consumer, algorithm: 'RS256', rsa_public_key: 'x' },
      'rsa_public_key: invalid key',
      conditional('algorithm'),
    ],
    [{ consumer, algorithm: 'ES256', rsa_public_key: 'x' }],
    [{ consumer, algorithm: 'EdDSA', rsa_public_key: pem.EC_PUBLIC_KEY }],
    [
      { consumer, algorithm: 'none' },
      'algorithm: expected one of: HS256, HS384, HS512, RS256, RS384, RS512, ES256, ES384, ES512, PS256, PS384, PS512, EdDSA',
    ],
  ]);
  cases('hmacauth_credentials', [
    [{ consumer, username: 'u' }],
    [{ consumer }, 'username: required field missing'],
  ]);
  cases('acls', [[{ consumer, group: 'g' }], [{ consumer }, 'group: required field missing']]);
  cases('oauth2_credentials', [
    [{ consumer, name: 'app', redirect_uris: ['https://a.com/cb'] }],
    [{ consumer, name: 'app', redirect_uris: ['/cb'] }, "redirect_uris[0]: cannot parse '/cb'"],
    [
      { consumer, name: 'app', redirect_uris: ['https://a.com/#x'] },
      "redirect_uris[0]: fragment not allowed in 'https://a.com/#x'",
    ],
    [{ consumer, name: 'app', client_type: 'x' }, 'client_type: expected one of: confidential, public'],
  ]);
  cases('oauth2_tokens', [
    [{ credential: { id: ID }, expires_in: 10 }],
    [{ credential: { id: ID } }, 'expires_in: required field missing'],
    [{ credential: { id: ID }, expires_in: 1, token_type: 'mac' }, 'token_type: expected one of: bearer'],
  ]);
});

describe('plugins, vaults, filter chains, workspaces', () => {
  cases('plugins', [
    [{ name: 'zipkin' }],
    [{}, 'name: required field missing'],
    [{ name: 'nope' }, "name: plugin 'nope' not enabled; add it to the 'plugins' configuration property"],
    [{ name: 'zipkin', config: 5 }, 'config: expected a record'],
    [{ name: 'zipkin', protocols: ['x'] }, `protocols[0]: ${PROTOCOLS}`],
    [{ name: 'zipkin', enabled: 1 }, 'enabled: expected a boolean'],
  ]);
  cases('vaults', [
    [{ name: 'env', prefix: 'my-env', config: { prefix: 'SECRET_' } }],
    [{ name: 'hcv', prefix: 'my' }, "name: vault 'hcv' is not installed"],
    [{ name: 'env', prefix: 'env' }, 'prefix: must not be one of: env'],
    [{ name: 'env', prefix: 'My' }, 'prefix: invalid value: My'],
    [{ name: 'env', prefix: 'ab', config: { prefix: '1x' } }, 'config.prefix: invalid value: 1x'],
  ]);
  const filters = [{ name: 'f', config: { any: 1 } }];
  cases('filter_chains', [
    [{ filters, route: { id: ID } }],
    [{ filters }, "@entity: at least one of these fields must be non-empty: 'service', 'route'"],
    [
      { filters, route: { id: ID }, service: { id: ID } },
      "@entity: only one or none of these fields must be set: 'service', 'route'",
    ],
    [{ filters: [], route: { id: ID } }, 'filters: length must be at least 1'],
    [{ filters: [{}], route: { id: ID } }, 'filters[0].name: required field missing'],
  ]);
  cases('workspaces', [
    [{ name: 'default' }],
    [{}, 'name: required field missing'],
    [{ name: 'a', meta: null }, 'meta: required field missing'],
  ]);
});
