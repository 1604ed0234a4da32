import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Route } from '../entities/route.ts';
import type { Service } from '../entities/service.ts';
import { compileRoute, compileService, placeholderRoute, protocolMask } from './route-target.ts';
import { PROTOCOL_GRPC, PROTOCOL_GRPCS, PROTOCOL_HTTP, PROTOCOL_HTTPS } from './snapshot.ts';

const service = (fields: Partial<Service>): Service => ({ ...SERVICE, ...fields });
const route = (fields: Partial<Route>): Route => ({ ...ROUTE, ...fields });

const SERVICE: Service = {
  id: '11111111-1111-4111-8111-111111111111',
  name: 's',
  retries: 5,
  protocol: 'http',
  host: 'up.test',
  port: 80,
  path: null,
  connect_timeout: 1,
  write_timeout: 2,
  read_timeout: 3,
  tags: null,
  client_certificate: null,
  tls_verify: null,
  tls_verify_depth: null,
  ca_certificates: null,
  enabled: true,
  created_at: 1,
  updated_at: 1,
};

const ROUTE: Route = {
  id: '22222222-2222-4222-8222-222222222222',
  name: 'r',
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
  service: { id: SERVICE.id },
  tags: null,
  created_at: 1,
  updated_at: 1,
};

const HOSTS: ReadonlyArray<
  [protocol: Service['protocol'], host: string, port: number, host: string, header: string]
> = [
  ['http', 'up.test', 80, 'up.test', 'up.test'],
  ['http', 'up.test', 443, 'up.test', 'up.test:443'],
  ['http', 'up.test', 8080, 'up.test', 'up.test:8080'],
  ['https', 'up.test', 443, 'up.test', 'up.test'],
  ['https', 'up.test', 80, 'up.test', 'up.test:80'],
  ['http', '::1', 80, '::1', '[::1]'],
  ['http', '[::1]', 81, '::1', '[::1]:81'],
  ['https', '10.0.0.1', 8443, '10.0.0.1', '10.0.0.1:8443'],
];

test('the Host sent upstream has the port unless it is the default of the scheme', () => {
  for (const [protocol, host, port, wantedHost, header] of HOSTS) {
    const target = compileService(service({ protocol, host, port }));
    assert.deepEqual([target.host, target.hostHeader], [wantedHost, header], `${protocol} ${host} ${port}`);
  }
});

test('protocols become bits; those of streams have none', () => {
  assert.equal(protocolMask(['http', 'https']), PROTOCOL_HTTP | PROTOCOL_HTTPS);
  assert.equal(protocolMask(['grpc', 'grpcs']), PROTOCOL_GRPC | PROTOCOL_GRPCS);
  assert.equal(protocolMask(['tcp', 'tls', 'udp', 'tls_passthrough']), 0);
});

test('path_handling v1 holds only where the flavour honours it', () => {
  const target = compileService(SERVICE);
  const v1 = route({ path_handling: 'v1' });
  assert.equal(compileRoute(v1, target, true).pathHandling, 'v1');
  assert.equal(compileRoute(v1, target, false).pathHandling, 'v0');
});

test('a route is broken when its service is missing or cannot take HTTP, and only then', () => {
  const target = compileService(SERVICE);
  assert.equal(compileRoute(ROUTE, target, false).broken, null);
  assert.equal(compileRoute(route({ service: null }), undefined, false).broken, null);
  assert.match(compileRoute(ROUTE, undefined, false).broken ?? '', /does not exist/);
  const tcp = compileService(service({ protocol: 'tcp' }));
  assert.match(compileRoute(ROUTE, tcp, false).broken ?? '', /protocol tcp/);
});

const PLACEHOLDERS: ReadonlyArray<[path: string, placeholder: string]> = [
  ['/plain', '/plain'],
  ['~/api/v[', '~/api/v'],
  ['~/api/v1*(', '~/api/v'],
  ['~/api/v1?(', '~/api/v'],
  ['~/api/v1{2(', '~/api/v'],
  ['~/api/v1+(', '~/api/v1'],
  ['~/a|/b(', '~/'],
  ['~(', '~/'],
  ['~/(', '~/'],
];

test('the placeholder of a broken route covers what the route would have matched', () => {
  for (const [path, wanted] of PLACEHOLDERS) {
    assert.deepEqual(placeholderRoute(route({ paths: [path] })).paths, [wanted], path);
  }
  const headers = { a: ['x', '~*('] };
  assert.deepEqual(placeholderRoute(route({ headers })).headers, { a: ['x', '~*.*'] });
  assert.equal(placeholderRoute(route({ paths: null })).paths, null);
});
