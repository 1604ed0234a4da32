import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSignedWith, readSignature, signingText, type SignedParts } from './signature.ts';

const hex = (text: string): string => Buffer.from(text, 'hex').toString('base64');
const DATA = 'what do ya want for nothing?';

/** RFC 2202 §3 and RFC 4231 §4.3: test case 2 of each. */
const VECTORS: ReadonlyArray<readonly [algorithm: string, value: string]> = [
  ['hmac-sha1', hex('effcdf6ae5eb2fa2d27416d5f184df9c259a7c79')],
  ['hmac-sha256', hex('5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843')],
  [
    'hmac-sha384',
    hex('af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649'),
  ],
  [
    'hmac-sha512',
    hex(
      '164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737',
    ),
  ],
];

test('the algorithms are those of RFC 2202 and RFC 4231', () => {
  const key = Buffer.from('Jefe');
  for (const [algorithm, value] of VECTORS) {
    const signature = { username: 'u', algorithm, headers: [], value };
    assert.equal(isSignedWith(key, signature, DATA), true, algorithm);
    assert.equal(isSignedWith(key, signature, `${DATA}?`), false, algorithm);
    for (const bad of ['', '=', '!', value.slice(4), `${value}AAAA`, `${value} `, 'A'.repeat(10_000)]) {
      assert.equal(isSignedWith(key, { ...signature, value: bad }, DATA), false, `${algorithm} ${bad}`);
    }
  }
  assert.equal(
    isSignedWith(key, { username: 'u', algorithm: 'constructor', headers: [], value: 'AA==' }, DATA),
    false,
  );
});

const GOOD = { username: 'bob', algorithm: 'hmac-sha256', headers: ['date', 'host'], value: 'AA==' };

const HEADERS: ReadonlyArray<readonly [header: string | undefined, parsed: typeof GOOD | null]> = [
  [undefined, null],
  ['', null],
  ['hmac', null],
  ['hmac username', null],
  ['Basic abc', null],
  ['hmac username="bob", algorithm="hmac-sha256", headers="date host", signature="AA=="', GOOD],
  ['Hmac username="bob",algorithm="hmac-sha256",headers="date host",signature="AA=="', GOOD],
  ['  hmac  username="bob",  algorithm="hmac-sha256",   headers="date host",  signature="AA=="', GOOD],
  ['hmac username="", algorithm="hmac-sha256", headers="date host", signature="AA=="', null],
  ['hmac algorithm="hmac-sha256", headers="date host", signature="AA=="', null],
  ['hmac username="bob", algorithm="hmac-sha256", header="date host", signature="AA=="', null],
  ['hmac username="bob", algorithm="hmac-sha256", headers="date host"', null],
  ['hmac username="bob", algorithm="hmac-sha256", headers="date host" signature="AA=="', null],
  [`hmac ${'username="'.repeat(10_000)}`, null],
  [`hmac username="${'", algorithm="'.repeat(10_000)}`, null],
];

test('what an Authorization header says', () => {
  for (const [header, parsed] of HEADERS)
    assert.deepEqual(readSignature(header), parsed, String(header).slice(0, 100));
});

test('the text that is signed', () => {
  const request: SignedParts = {
    method: 'POST',
    target: '/A%20b?c=D',
    httpVersion: '1.1',
    received: (name) => (name === 'date' ? ['today', 'tomorrow'] : name === 'empty' ? [''] : []),
  };
  const names = ['Date', 'empty', 'absent', '@request-target', 'request-line'];
  assert.equal(
    signingText(names, request),
    'Date: today\nempty: \nabsent:\n@request-target: post /A%20b?c=D\nPOST /A%20b?c=D HTTP/1.1',
  );
  assert.equal(signingText(['request-line'], { ...request, httpVersion: '2' }), 'POST /A%20b?c=D HTTP/2.0');
});
