/** What is a snippet, and what is told of Lua. Lua cases: Kong's documentation and tests of its functions, anew. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plugins as definition } from '../../entities/plugin.ts';
import { EntityValidator } from '../../entities/schema/validate.ts';
import { snippetProblem } from './schema.ts';

const JAVASCRIPT: readonly string[] = [
  '',
  'void 0',
  '// a comment at the end',
  'return () => kong.response.exit(403)',
  "kong.response.exit(403, 'no')",
  "kong.response.exit(403, 'no');",
  'const local = 1; if (local > 0) { const then = 1, end = 2 }',
  'let n = 1\n--n',
  '/* local x = 1 then end */',
  'const ngx = { a: 1 }; ngx.a',
  'throw new Error("never while it is checked")',
  'for (;;);',
  'const text = `ngx`; text.ngx.x',
  'return "hello-world"',
  'const a = { ...kong }; a?.b ?? 1; class A { #x = 1 }',
];

const LUA: readonly string[] = [
  'local x = 1',
  'local x = 1 return function() x = x + 1 end',
  'if kong.request.get_header("x") then kong.response.exit(403) end',
  'for i = 1, 3 do kong.log(i) end',
  '-- says nothing of note\nkong.response.exit(403)',
  'return function() kong.response.exit(200) end',
  'kong.log.err("a" .. "b")',
  'if x ~= nil then y() end',
  'local function f() end',
  'kong.response.set_header("x", kong.request.get_header("y") or "z" .. 1)',
];

/** JavaScript to the letter, that would fail with each request. */
const NGX: readonly string[] = [
  'ngx.log(ngx.ERR, "x")',
  'ngx.exit(403)',
  'kong.log(ngx.var.uri)',
  'ngx["say"]("x")',
];

const BROKEN: readonly string[] = ['print(', 'const', 'return }', 'await 1', 'import x from "y"', 'a b c'];

test('snippets are JavaScript, and nothing of them runs while they are checked', () => {
  for (const source of JAVASCRIPT) assert.equal(snippetProblem(source, 'pre-function'), null, source);
});

test('Lua is refused with what to do', () => {
  for (const source of LUA) {
    const problem = snippetProblem(source, 'pre-function') ?? '';
    assert.match(
      problem,
      /^error parsing pre-function: this looks like Lua.*docs\/guide\/snippets\.md/,
      source,
    );
  }
  for (const source of NGX) {
    assert.match(
      snippetProblem(source, 'x') ?? '',
      /there is no ngx here.*docs\/guide\/snippets\.md/,
      source,
    );
  }
});

test('what is neither is refused with what is wrong', () => {
  for (const source of BROKEN) {
    const problem = snippetProblem(source, 'post-function') ?? '';
    assert.match(problem, /^error parsing post-function: SyntaxError: /, source);
  }
  assert.match(snippetProblem('a\0b', 'x') ?? '', /null character/);
  assert.match(snippetProblem(' '.repeat(300_000), 'x') ?? '', /longer than/);
});

test('as Kong, both plugins want a snippet somewhere, and no consumer', () => {
  const validator = new EntityValidator(definition);
  const context = { flavor: 'traditional_compatible', now: 1 } as const;
  for (const name of ['pre-function', 'post-function']) {
    const errors = (input: object): unknown =>
      validator.validate({ input: { name, ...input } }, context).issues;
    assert.equal(errors({ config: { access: ['void 0'] } }), null);
    assert.equal(errors({ config: { certificate: ['void 0'] }, protocols: ['tcp', 'tls'] }), null);
    for (const config of [{}, { access: [] }]) {
      assert.match(
        JSON.stringify(errors({ config })),
        /at least one of these fields must be non-empty: 'config\.certificate'/,
      );
    }
    const id = '00000000-0000-4000-8000-00000000000a';
    assert.match(
      JSON.stringify(errors({ config: { access: [''] }, consumer: { id } })),
      /value must be null/,
    );
    assert.match(JSON.stringify(errors({ config: { access: ['void 0', 'local x = 1'] } })), /looks like Lua/);
    assert.match(JSON.stringify(errors({ config: { functions: ['void 0'] } })), /unknown field/);
  }
});
