import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isLocalhost, literalAddress, normalizeName } from './host-name.ts';

test('addresses need no name server', () => {
  for (const [host, address] of [
    ['127.0.0.1', '127.0.0.1'],
    ['::1', '::1'],
    ['[::1]', '::1'],
    ['[2001:DB8::1]', '2001:DB8::1'],
    ['[127.0.0.1]', null],
    ['[::1', null],
    ['127.1', null],
    ['localhost', null],
    ['', null],
  ] as const) {
    assert.equal(literalAddress(host), address, host);
  }
});

test('only names go to a name server', () => {
  const label63 = 'a'.repeat(63);
  const name253 = `${label63}.${label63}.${label63}.${'a'.repeat(61)}`;
  for (const [host, name] of [
    ['example.com', 'example.com'],
    ['Example.COM.', 'example.com.'],
    ['svc', 'svc'],
    ['_http._tcp.svc_1.local', '_http._tcp.svc_1.local'],
    ['123', '123'],
    ['1.example', '1.example'],
    [name253, name253],
    [`${name253}.`, `${name253}.`],
    [`${name253}a`, null],
    [`${label63}a.com`, null],
    ['', null],
    ['.', null],
    ['a..b', null],
    ['.a', null],
    ['a.b..', null],
    ['a b', null],
    ['a/b', null],
    ['a:80', null],
    ['a\n.b', null],
    ['a\0', null],
    ['é.com', null],
    ['*.example.com', null],
    ['127.1', null],
    ['256.1.1.1', null],
    ['1.2.3.0x7f', null],
    ['a.1', null],
    ['[::1', null],
    ['x'.repeat(1e6), null],
  ] as const) {
    assert.equal(normalizeName(host), name, host.slice(0, 80));
  }
});

test('localhost', () => {
  for (const name of ['localhost', 'localhost.', 'a.localhost', 'a.b.localhost.'])
    assert.equal(isLocalhost(name), true);
  for (const name of ['localhost.com', 'xlocalhost', 'local']) assert.equal(isLocalhost(name), false);
});
