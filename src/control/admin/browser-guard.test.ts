import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { test } from 'node:test';
import { judge } from './browser-guard.ts';
import type { Consoles } from './origins.ts';

const CASES: ReadonlyArray<
  [what: string, host: string, origin: string | undefined, loopback: boolean, ok: boolean]
> = [
  ['curl', '127.0.0.1:8001', undefined, true, true],
  ['curl with a name', 'localhost:8001', undefined, true, true],
  ['curl on IPv6', '[::1]:8001', undefined, true, true],
  ['a container name', 'kong:8001', undefined, true, true],
  ['a name below localhost', 'gw.localhost:8001', undefined, true, true],
  ['the machine itself', `${hostname().toUpperCase()}:8001`, undefined, true, true],
  ['no Host at all', '', undefined, true, true],
  ['a cluster name on an outer address', 'kong.ns.svc.cluster.local:8001', undefined, false, true],
  ['a console on the same host', 'localhost:8001', 'http://localhost:8001', true, true],
  ['the same, in capitals', 'LocalHost:8001', 'http://localhost:8001', true, true],
  ['a page of another site', '127.0.0.1:8001', 'https://evil.test', true, false],
  ['a page of another port', '127.0.0.1:8001', 'http://127.0.0.1:3000', true, false],
  ['a page from a file or a sandbox', '127.0.0.1:8001', 'null', true, false],
  ['a page of another site on an outer address', '10.0.0.1:8001', 'https://evil.test', false, false],
  ['rebinding, reading', 'evil.test:8001', undefined, true, false],
  ['rebinding, changing', 'evil.test:8001', 'http://evil.test:8001', true, false],
  ['rebinding to an outer address', 'evil.test:8001', 'http://evil.test:8001', false, false],
  ['a name that only looks like an address', '127.0.0.1.evil.test:8001', undefined, true, false],
  ['a bracketed name', '[evil.test]:8001', undefined, true, false],
];

test('programs are served and pages of other sites are not', () => {
  for (const [what, host, origin, loopback, ok] of CASES) {
    assert.equal(judge({ host, origin, loopback }) === null, ok, what);
    if (!ok) assert.notEqual(judge({ host, origin, loopback, fetchSite: 'same-origin' }), null, what);
  }
});

test('a browser that reads under a foreign name is refused on any address', () => {
  const reading = { origin: undefined, loopback: false, fetchSite: 'same-origin' };
  assert.notEqual(judge({ ...reading, host: 'evil.test:8001' }), null);
  assert.equal(judge({ ...reading, host: '10.0.0.1:8001' }), null);
});

test('what a foreign page loads without an origin is refused, a link that is followed is not', () => {
  const asked = { host: 'localhost:8001', origin: undefined, loopback: true };
  for (const fetchSite of ['cross-site', 'same-site']) {
    assert.notEqual(judge({ ...asked, fetchSite }), null);
    assert.equal(judge({ ...asked, fetchSite, navigation: true }), null);
  }
  for (const fetchSite of ['same-origin', 'none']) assert.equal(judge({ ...asked, fetchSite }), null);
});

test('a token passes; a certificate, which browsers send by themselves, only frees from the rule of names', () => {
  const rebound = { host: 'evil.test:8001', origin: 'http://evil.test:8001', loopback: true };
  const tunnel = { host: 'gw.example.com:8444', origin: undefined, loopback: true };
  assert.equal(judge({ ...rebound, proof: 'token' }), null);
  assert.notEqual(judge({ ...rebound, proof: 'certificate' }), null);
  assert.notEqual(judge({ ...tunnel, proof: 'certificate', fetchSite: 'same-origin' }), null);
  assert.equal(judge({ ...tunnel, proof: 'certificate' }), null);
  assert.notEqual(judge(tunnel), null);
});

test("the console's origins are not foreign", () => {
  const url = { admin_gui_url: ['https://console.example.com/manager'], admin_gui_listen: [] };
  const listen = { admin_gui_url: [], admin_gui_listen: [listener(8002, false), listener(8445, true)] };
  const cases: ReadonlyArray<[origin: string, host: string, consoles: Consoles, ok: boolean]> = [
    ['https://console.example.com', 'api.example.com:8444', url, true],
    ['https://console.example.com:444', 'api.example.com:8444', url, false],
    ['http://console.example.com', 'localhost:8001', url, false],
    ['https://console.example.com.evil.test', 'localhost:8001', url, false],
    ['http://localhost:8002', 'localhost:8001', listen, true],
    ['https://localhost:8445', 'localhost:8001', listen, true],
    ['https://localhost:8002', 'localhost:8001', listen, false],
    ['http://localhost:8003', 'localhost:8001', listen, false],
    ['http://127.0.0.1:8002', 'localhost:8001', listen, false],
    ['http://[::1]:8002', '[::1]:8001', listen, true],
    ['http://evil.test:8002', 'evil.test:8001', listen, false],
    ['null', 'localhost:8001', url, false],
  ];
  for (const [origin, host, consoles, ok] of cases) {
    assert.equal(judge({ origin, host, consoles, loopback: true }) === null, ok, `${origin} at ${host}`);
  }
});

function listener(port: number, ssl: boolean): Consoles['admin_gui_listen'][number] {
  return {
    host: '0.0.0.0',
    port,
    backlog: 511,
    reuseport: false,
    ipv6only: true,
    ssl,
    http2: false,
    path: null,
    proxyProtocol: false,
    udp: false,
    keepAlive: null,
  };
}
