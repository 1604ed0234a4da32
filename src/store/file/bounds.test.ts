/** Whatever a file repeats, quotes or nests: what is said of it stays small. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileDeclarative } from './compile.ts';
import type { DeclarativeError } from './declarative.ts';
import { renderErrors } from './render.ts';

const HEAD = '_format_version: "3.0"\n';

function errorsOf(text: string): readonly DeclarativeError[] {
  const result = compileDeclarative(text, { filename: 'k', flavor: 'traditional_compatible', now: 1 });
  assert.ok(!result.ok, 'expected errors');
  return result.errors;
}

test('repeated keys of JSON are listed up to the bound', () => {
  const text = `{"_format_version": "3.0", ${Array(10_500).fill('"a": 1').join(', ')}}`;
  const errors = errorsOf(text);
  assert.equal(errors.length, 10_001);
  assert.match(errors.at(-1)?.message ?? '', /499 more errors are not listed$/);
});

test('a long value is quoted by its ends', () => {
  const name = `first ${'x'.repeat(1e6)} last`;
  const [error] = errorsOf(`${HEAD}services: [{host: a, name: "${name}"}]`);
  assert.match(error?.message ?? '', /^invalid value 'first x+…x+ last': the only accepted ascii/);
  assert.ok((error?.message.length ?? 0) <= 1001);
  const [line] = renderErrors(errorsOf(`${HEAD}"${name}": 1`), 'k');
  assert.match(line ?? '', /^k:2:1: first x+…x+ last: unknown field$/);
  const [repeated] = errorsOf(`{"${name}": 1, "${name}": 2}`);
  assert.match(repeated?.message ?? '', /^failed .*repeated key "first x+…x+ last"$/);
});

test('the bound hides no kind that cannot run yet', () => {
  const each = (n: number): string => `{name: s${n}, host: a, plugins: [{name: zipkin}]}`;
  const list = Array.from({ length: 10_500 }, (_, n) => each(n)).join(', ');
  const errors = errorsOf(`${HEAD}services: [${list}]\nplugins: [{name: datadog}]\nworkspaces: [{name: w}]`);
  assert.equal(errors.length, 10_001);
  assert.deepEqual(
    [...new Set(errors.map(({ message }) => message))].sort(),
    [
      "plugin 'zipkin' not enabled; add it to the 'plugins' configuration property",
      "plugin 'datadog' not enabled; add it to the 'plugins' configuration property",
      'Sluice does not support name "w" of workspaces yet',
      '502 more errors are not listed',
    ].sort(),
  );
});
