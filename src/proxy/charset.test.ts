import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FlatHeaders } from '../wire/flat-headers.ts';
import { addCharset } from './charset.ts';

const CASES: ReadonlyArray<readonly [given: string | null, expected: string | undefined]> = [
  ['text/html', 'text/html; charset=UTF-8'],
  ['Text/Plain', 'Text/Plain; charset=UTF-8'],
  // With any parameter a type is not one of the list for nginx: Prometheus' text format among them.
  ['text/xml; version=1', 'text/xml; version=1'],
  ['text/plain; version=0.0.4', 'text/plain; version=0.0.4'],
  ['text/html;', 'text/html;'],
  ['application/javascript', 'application/javascript; charset=UTF-8'],
  ['application/rss+xml', 'application/rss+xml; charset=UTF-8'],
  ['text/html; charset=ISO-8859-1', 'text/html; charset=ISO-8859-1'],
  ['text/html;Charset = "x"', 'text/html;Charset = "x"'],
  ['text/css', 'text/css'],
  ['application/json', 'application/json'],
  ['text/event-stream', 'text/event-stream'],
  ['image/png', 'image/png'],
  ['', ''],
  [null, undefined],
];

for (const [given, expected] of CASES) {
  test(`charset for ${given ?? 'no Content-Type'}`, () => {
    const headers = new FlatHeaders(given === null ? [] : ['Content-Type', given]);
    addCharset({ status: 200, headers }, 'UTF-8');
    assert.deepEqual(headers.all('content-type'), expected === undefined ? [] : [expected]);
  });
}

for (const [status, expected] of [
  [301, 'text/html'],
  [302, 'text/html'],
  [303, 'text/html; charset=UTF-8'],
  [404, 'text/html; charset=UTF-8'],
] as const) {
  test(`charset of a ${status}`, () => {
    const headers = new FlatHeaders(['Content-Type', 'text/html']);
    addCharset({ status, headers }, 'UTF-8');
    assert.equal(headers.get('content-type'), expected);
  });
}
