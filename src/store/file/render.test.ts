import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileDeclarative } from './compile.ts';
import type { DeclarativeError } from './declarative.ts';
import { errorFields, renderErrors } from './render.ts';

const HEAD = '_format_version: "3.0"\n';

function errorsOf(text: string): readonly DeclarativeError[] {
  const result = compileDeclarative(text, { filename: 'k', flavor: 'traditional_compatible', now: 1 });
  assert.ok(!result.ok, 'expected errors');
  return result.errors;
}

test('an error is one line, whatever it quotes', () => {
  const text = `${HEAD}"a\\nb": 1\nservices: [{host: "x\\e[31m\\n\\u2028", name: "\\x7f é"}]`;
  assert.deepEqual(renderErrors(errorsOf(text), 'k.yml'), [
    'k.yml:2:1: a\\u000ab: unknown field',
    'k.yml:3:13: services[0].host: invalid value: x\\u001b[31m\\u000a\\u2028',
    "k.yml:3:38: services[0].name: invalid value '\\u007f é': the only accepted ascii characters are alphanumerics or ., -, _, and ~",
  ]);
});

test('an error in the syntax says its place to clients, too', () => {
  assert.deepEqual(
    { ...errorFields(errorsOf('a: 1\nb: [')) },
    {
      error:
        'failed parsing declarative configuration: unexpected end of the stream within a flow collection ' +
        'at line 2, column 5',
    },
  );
});
