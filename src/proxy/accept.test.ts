import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { type ErrorForm, preferredForm } from './accept.ts';
import '../../test/support/fixed-seed.ts';

const CASES: ReadonlyArray<readonly [accept: string | undefined, form: ErrorForm]> = [
  [undefined, 'json'],
  ['', 'json'],
  ['text/html', 'html'],
  ['TEXT/HTML', 'html'],
  ['application/json', 'json'],
  ['application/xml', 'xml'],
  ['text/plain', 'plain'],
  ['text/*', 'plain'],
  ['application/*', 'json'],
  ['*/*', 'json'],
  ['image/*', 'json'],
  ['*/html', 'json'],
  ['image/png', 'json'],
  ['text/xml', 'json'],
  ['application/grpc', 'json'],
  // Kong's own cases of q values.
  ['application/json;q=0.9,text/html,text/plain;q=0.9', 'html'],
  ['text/plain;q=0.7,application/json;q=0.8,text/html;q=0.5', 'json'],
  ['text/plain;q=0.7, application/xml;q=0.8, text/html;q=0.5', 'xml'],
  // The first of equals.
  ['text/html,text/plain', 'html'],
  ['text/plain,text/html', 'plain'],
  ['text/html;q=0.5,text/plain;q=0.5', 'html'],
  // A browser's.
  ['text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8', 'html'],
  // The best is none of ours.
  ['image/png, text/html;q=0.9', 'json'],
  ['text/html;q=0', 'json'],
  ['text/html;q=0, text/plain;q=0.001', 'plain'],
  // Parameters around the weight, spaces, letter case.
  ['text/html;level=1;q=0.4, text/plain;q=0.5', 'plain'],
  ['text/html; charset=utf-8 ; Q=0.4 , text/plain ; q=0.3', 'html'],
  ['text/html;q=0.2;q=0.9, text/plain;q=0.5', 'html'],
  // Malformed weights count as 1, malformed ranges are skipped.
  ['text/plain;q=0.9, text/html;q=2', 'html'],
  ['text/plain;q=0.9, text/html;q=high', 'html'],
  ['text/plain;q=0.9, text/html;q=', 'html'],
  ['text/plain;q=0.9, text/html;q=-1', 'html'],
  ['html, text/plain;q=0.1', 'plain'],
  ['/, ;, text/, /html, text/html/x;q=1, text/plain;q=0.1', 'plain'],
  [',,, ,text/html,,', 'html'],
  ['a/b, text/xml ;q=0.1, text/html;q=0.2', 'html'],
];

test('the form that a client prefers', () => {
  for (const [accept, form] of CASES) assert.equal(preferredForm(accept), form, String(accept));
});

test('a hostile header is read to a bound only', () => {
  const late = `${'image/png;q=0.1,'.repeat(10_000)}text/html`;
  assert.equal(preferredForm(late), 'json');
  for (const hostile of [
    ','.repeat(1e6),
    ';q=0.1'.repeat(1e6),
    `text/html${';'.repeat(1e6)}`,
    `${'a'.repeat(1e6)}/html`,
  ]) {
    preferredForm(hostile);
  }
});

const range = fc.constantFrom('text/html', 'text/plain', 'application/xml', 'application/json');
const weight = fc.integer({ min: 1, max: 1000 });

test('the highest weight wins, the first of equals', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(range, weight), { minLength: 1, maxLength: 8 }), (entries) => {
      const accept = entries.map(([type, q]) => `${type};q=${(q / 1000).toFixed(3)}`).join(', ');
      const best = entries.reduce((a, b) => (b[1] > a[1] ? b : a));
      assert.equal(preferredForm(accept), best[0].split('/')[1], accept);
    }),
  );
});
