import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { test } from 'node:test';
import { judge } from './browser-guard.ts';

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
    assert.equal(judge({ host, origin, loopback, browser: false }) === null, ok, what);
    if (!ok) assert.notEqual(judge({ host, origin, loopback, browser: true }), null, what);
  }
});

test('a browser that reads under a foreign name is refused on any address', () => {
  const reading = { origin: undefined, loopback: false };
  assert.notEqual(judge({ ...reading, host: 'evil.test:8001', browser: true }), null);
  assert.equal(judge({ ...reading, host: '10.0.0.1:8001', browser: true }), null);
});
