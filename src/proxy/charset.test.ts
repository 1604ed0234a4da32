import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FlatHeaders } from '../wire/flat-headers.ts';
import { addCharset } from './charset.ts';

const CASES: ReadonlyArray<readonly [given: string | null, expected: string | undefined]> = [
  ['text/html', 'text/html; charset=UTF-8'],
  ['Text/Plain', 'Text/Plain; charset=UTF-8'],
  ['text/xml; version=1', 'text/xml; version=1; charset=UTF-8'],
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
    addCharset(headers, 'UTF-8');
    assert.deepEqual(headers.all('content-type'), expected === undefined ? [] : [expected]);
  });
}
