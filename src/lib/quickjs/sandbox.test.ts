/** What a script cannot do: reach the host, run on, fill the memory. Each case is an attempt, in a sandbox of its own. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Sandbox, SandboxBroken, ScriptError } from './sandbox.ts';

const LIMITS = { memoryBytes: 24 * 1024 * 1024, stackBytes: 256 * 1024, callMs: 50 };
/** For what is to end by itself, however busy the machine is. */
const PATIENT = { ...LIMITS, callMs: 20_000 };

interface Made {
  readonly sandbox: Sandbox;
  readonly run: (this: void, text?: string) => string | undefined;
}

/** @param body of a function `(host, text)`. */
function make(body: string, limits = PATIENT): Made {
  const sandbox = new Sandbox(limits);
  const source = `(function (host) { return { run(text) { ${body}\n} } })`;
  const functions = {
    echo: (text: string) => text,
    length: (text: string) => text.length,
    nothing: () => undefined,
    none: () => null,
    yes: () => true,
    zero: () => 'a\0b',
    fail: () => {
      throw new TypeError('no such header');
    },
  };
  const [run] = sandbox.install(source, 'test', functions, ['run']);
  assert.ok(run !== undefined);
  return { sandbox, run: (text = '') => sandbox.call(run, text) };
}

/** A sandbox that goes on being one, and what its script answers. */
const ANSWERS: ReadonlyArray<readonly [what: string, body: string, answer: string | undefined]> = [
  ['nothing', '', undefined],
  ['a text', 'return "Zoë €"', 'Zoë €'],
  ['what it was called with', 'return text', 'called'],
  ['a number', 'return 1.5', '1.5'],
  ['texts of the host', 'return host.echo("é€😀") + host.echo("")', 'é€😀'],
  [
    'numbers, truths, null and undefined of the host',
    'return [host.length("abc"), host.yes(), host.none(), host.nothing()].map((v) => typeof v + v).join()',
    'number3,booleantrue,objectnull,undefinedundefined',
  ],
  ['a text of the host with a zero', 'return JSON.stringify(host.zero())', '"a\\u0000b"'],
  ['a long text', 'return String(host.length(host.echo("x".repeat(1e6))))', '1000000'],
  ['half a character', 'return "\\ud800"', '\ufffd\ufffd\ufffd'],
  [
    'an error of the host',
    'try { host.fail() } catch (error) { return error.message + (error instanceof Error) }',
    'no such headertrue',
  ],
  [
    'no text for the host',
    'try { host.echo(Symbol()) } catch (error) { return error.message }',
    'a value that is no text',
  ],
  [
    'globals of Node',
    'return ["process", "require", "module", "Buffer", "fetch", "setTimeout", "WebAssembly", "console", "std", "os", "print", "scriptArgs"].filter((name) => name in globalThis).join()',
    '',
  ],
  [
    'the constructor of a function of the host',
    'return host.echo.constructor("return typeof process")()',
    'undefined',
  ],
  [
    'the global of the constructor of the constructor',
    'return String(host.echo.constructor.constructor("return this")() === globalThis)',
    'true',
  ],
  [
    'the prototypes of what the host gives',
    'return String(Object.getPrototypeOf(host) === Object.prototype && Object.getPrototypeOf(host.echo) === Function.prototype)',
    'true',
  ],
  [
    'the error of the host has no stack of the host',
    'try { host.fail() } catch (error) { return String(/node:|\\.ts|file:/.test(String(error.stack))) }',
    'false',
  ],
  [
    'the caller',
    'try { return String((function () { return arguments.callee.caller })()) } catch (error) { return error.name }',
    'undefined',
  ],
  [
    'a deep recursion',
    'try { (function f() { f() })() } catch (error) { return error.message }',
    'stack overflow',
  ],
  [
    'a text that doubles',
    'try { for (let s = "x"; ; ) s += s } catch (error) { return error.message }',
    'string too long',
  ],
  [
    'a huge array buffer',
    'try { new ArrayBuffer(2 ** 31) } catch (error) { return error.name }',
    'RangeError',
  ],
  [
    'a memory bomb in one piece',
    'try { new Uint8Array(23e6) } catch (error) { return error.message }',
    'out of memory',
  ],
];

test('what crosses is copied, and nothing of the host is there', () => {
  for (const [what, body, answer] of ANSWERS) {
    const { sandbox, run } = make(body);
    assert.equal(run('called'), answer, what);
    assert.equal(sandbox.broken, false, what);
  }
});

/** The call fails, and the sandbox goes on. */
const ERRORS: ReadonlyArray<readonly [what: string, body: string, message: RegExp]> = [
  ['an error', 'throw new TypeError("no")', /^TypeError: no$/],
  ['a text', 'throw "no"', /^no$/],
  ['null', 'throw null', /^null$/],
  ['a symbol', 'throw Symbol("no")', /does not say/],
  ['an error whose text throws', 'throw { toString() { throw 1 } }', /does not say/],
  ['a proxy that throws', 'throw new Proxy({}, { get() { throw 1 } })', /does not say/],
  [
    'a revoked proxy',
    'const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); throw proxy',
    /does not say/,
  ],
  ['a long text', 'throw "x".repeat(1e6)', /^x{1000}$/],
  ['an error of the host', 'host.fail()', /^Error: no such header$/],
];

test('what a script throws comes out as text', () => {
  for (const [what, body, message] of ERRORS) {
    const { sandbox, run } = make(body);
    assert.throws(run, (error) => error instanceof ScriptError && message.test(error.message), what);
    assert.throws(run, ScriptError, `${what}, again`);
    assert.equal(sandbox.broken, false, what);
  }
});

/** The call ends, the sandbox is broken, and that is all. */
const BOMBS: ReadonlyArray<readonly [what: string, body: string]> = [
  ['a loop', 'for (;;);'],
  ['a loop that catches all', 'for (;;) { try { for (;;); } catch {} finally { continue } }'],
  ['a recursion that catches all', '(function f() { try { f() } finally { f() } })()'],
  ['a built-in that finds nothing', '[].includes.call({ length: 2 ** 53 - 1 }, 1)'],
  ['a built-in that never calls back', '[].every.call({ length: 2 ** 53 - 1 }, () => true)'],
  ['a long join', 'new Array(2 ** 32 - 1).join("")'],
  ['a search for much in much', '("a".repeat(4e6)).indexOf("a".repeat(2e6) + "b")'],
  ['a regular expression', '/(a+)+$/.test("a".repeat(50) + "b")'],
  ['a regular expression that looks back', '/(?<=^(a+)+)c/.test("b" + "a".repeat(50) + "c")'],
  ['promises without end', 'Promise.resolve().then(function f() { return Promise.resolve().then(f) })'],
  ['a flood of promises', 'const f = () => { Promise.resolve().then(f); Promise.resolve().then(f) }; f()'],
  ['an async loop', '(async () => { for (;;) await null })()'],
  ['a generator without end', 'for (const x of (function* () { for (;;) yield 1 })());'],
  ['an error whose text never comes', 'throw { toString() { for (;;); } }'],
  ['a getter that never comes', 'throw { get toString() { for (;;); } }'],
  ['an argument whose text never comes', 'host.echo({ toString() { for (;;); } })'],
  ['an argument that is a proxy', 'host.echo(new Proxy({}, { get() { for (;;); } }))'],
  ['a result whose text never comes', 'return { toString() { for (;;); } }'],
  ['JSON that never comes', 'JSON.stringify({ toJSON() { for (;;); } })'],
  ['a sort that never comes', 'const a = Array.from({ length: 1e5 }, (_, n) => n); for (;;) a.sort(() => 1)'],
  ['deep JSON', 'JSON.parse("[".repeat(2e6))'],
  ['calls of the host', 'for (;;) host.nothing()'],
  ['a memory bomb in small pieces that catches all', 'const a = []; for (;;) try { a.push({}) } catch {}'],
];

test('what does not end is ended, and the sandbox with it', () => {
  for (const [what, body] of BOMBS) {
    const { sandbox, run } = make(body, LIMITS);
    assert.throws(run, SandboxBroken, what);
    assert.equal(sandbox.broken, true, what);
    assert.throws(run, SandboxBroken, `${what}, again`);
  }
});

/** Memory is bounded whatever happens: the call ends one way or the other. */
const FILLERS: readonly string[] = [
  'const a = []; for (;;) a.push(new Array(1000).fill(1))',
  'const a = []; for (;;) try { a.push("x".repeat(1e6)) } catch {}',
  'const m = new Map(); for (let n = 0; ; n++) m.set(n, { n })',
  'let o = {}; for (;;) o = { o }',
  'const a = []; a.length = 2 ** 32 - 1; a.fill(1)',
  'globalThis.keep = []; for (;;) globalThis.keep.push(Symbol("x".repeat(100)))',
  'const s = "x".repeat(1e6); [s, s, s, s].map((x) => x.split("")).join()',
  'Function("a".repeat(4e6))',
  'const f = Function("return [" + "1,".repeat(2e6) + "]"); f()',
  'let p = {}; for (;;) p = new Proxy(p, {})',
  'new RegExp("a{1,1000}".repeat(10000))',
];

test('memory stays within its bound', () => {
  for (const body of FILLERS) {
    const { run } = make(body, LIMITS);
    try {
      run();
    } catch (error) {
      assert.ok(error instanceof ScriptError || error instanceof SandboxBroken, body);
    }
  }
});

describe('a sandbox', () => {
  test('keeps what a script left, apart from others', () => {
    const body =
      'globalThis.count = (globalThis.count ?? 0) + 1; Object.prototype.polluted = 1; return String(count)';
    const first = make(body);
    const second = make(body);
    assert.equal(first.run(), '1');
    assert.equal(first.run(), '2');
    assert.equal(second.run(), '1');
    assert.equal(({} as { polluted?: unknown }).polluted, undefined);
  });

  test('runs what a script put off before the call is over', () => {
    const { run } = make(
      'Promise.resolve().then(() => { globalThis.done = 1 }); return String(globalThis.done)',
    );
    assert.equal(run(), 'undefined');
    assert.equal(run(), '1');
  });

  test('that has filled its memory is broken with its next error', () => {
    const { run, sandbox } = make('globalThis.all ??= []; for (;;) all.push("x".repeat(1e5) + all.length)');
    assert.throws(run, ScriptError);
    assert.equal(sandbox.broken, true);
  });

  test('loads no modules', () => {
    const { run } = make(
      'import(text).then(() => { globalThis.m = "loaded" }, (e) => { globalThis.m = e.name }); return globalThis.m',
    );
    for (const name of ['node:fs', 'fs', 'std', 'os', './x.js', 'data:text/javascript,1']) {
      run(name);
      assert.equal(run(name), 'ReferenceError', name);
    }
  });

  test('checks a source without running it', () => {
    const sandbox = new Sandbox(PATIENT);
    sandbox.compile('for (;;);', 'endless');
    assert.throws(() => sandbox.compile('local x = 1', 'lua'), {
      name: 'ScriptError',
      message: /^SyntaxError/,
    });
    assert.equal(sandbox.broken, false);
  });

  test('keeps nothing of what crosses', () => {
    const { run, sandbox } = make('return host.echo(text) + host.length(text)');
    for (let n = 0; n < 20; n++) assert.equal(run('x'.repeat(1e6))?.length, 1_000_007);
    for (let n = 0; n < 20_000; n++) assert.equal(run('abc'), 'abc3');
    const body = 'const e = []; for (let n = 0; n < 100; n++) try { host.fail() } catch (x) { e.push(x) }';
    const failing = make(body);
    for (let n = 0; n < 100; n++) failing.run();
    assert.equal(sandbox.broken || failing.sandbox.broken, false);
  });
});
