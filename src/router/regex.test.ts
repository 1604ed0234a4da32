/** Path and header regexes: meaning, the choice of the engine, and that both engines agree. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { RE2JS } from 're2js';
import { CompiledRegex, decodeBytes, encodeBytes, lowerBytes } from './regex.ts';
import { printJs, printRe2 } from './regex/ast.ts';
import { isLinear } from './regex/linear.ts';
import { parseRegex } from './regex/parse.ts';
import '../../test/support/fixed-seed.ts';

const bytes = (text: string): string => Buffer.from(text).toString('latin1');

/** Pattern, text, groups (null: no match). Text is in bytes. */
const MEANING: ReadonlyArray<readonly [string, string, ReadonlyArray<string | null> | null]> = [
  ['^/a/([^/]+)$', '/a/b', ['/a/b', 'b']],
  ['^/a/([^/]+)$', '/a/b/c', null],
  ['^/a|/b', '/x/b', ['/b']],
  ['^/(a|ab)(c|bcd)?$', '/abcd', ['/abcd', 'a', 'bcd']],
  ['^/a$', '/a\n', null],
  ['^/a.b', '/a\nb', null],
  ['^/(?s)a.b', '/a\nb', ['/a\nb']],
  ['^/(?i)ab', '/AB', ['/AB']],
  ['^/(?i:a)b', '/AB', null],
  ['^/(?i:a)b', '/Ab', ['/Ab']],
  ['^/a+?', '/aaa', ['/a']],
  ['^/(?U)a+', '/aaa', ['/a']],
  ['^/(?U)a+?', '/aaa', ['/aaa']],
  ['^/(?x) a b # comment', '/ab', ['/ab']],
  ['(?m)^b$', 'a\nb\nc', ['b']],
  ['\\Aa\\z', 'a', ['a']],
  ['\\x41\\x{42}\\u0043', 'ABC', ['ABC']],
  ['[[:alpha:]]+', '12ab3', ['ab']],
  ['[[:^alpha:]]+', 'ab12', ['12']],
  ['[]a]+', 'x]a', [']a']],
  ['[^]a]+', ']ax', ['x']],
  ['[a\\-z]+', 'bb-az', ['-az']],
  ['[-a]+', 'b-a', ['-a']],
  ['[a-]+', 'ba-', ['a-']],
  ['\\d{2,3}', '12345', ['123']],
  ['\\d{2}', '1', null],
  ['\\d{2,}', '12345', ['12345']],
  ['\\bfoo\\b', 'a foo b', ['foo']],
  ['\\bfoo\\b', 'afoo', null],
  ['(a)|(b)', 'b', ['b', null, 'b']],
  ['(?:(a)|b)*', 'ab', ['ab', 'a']],
  ['\\d+', bytes('١٢'), [bytes('١٢')]],
  ['^\\w+$', bytes('größe'), [bytes('größe')]],
  ['^.$', bytes('ü'), [bytes('ü')]],
  ['^ü$', bytes('ü'), [bytes('ü')]],
  ['(?i)^Ü$', bytes('ü'), [bytes('ü')]],
  ['\\p{Greek}+', bytes('abΑΒ'), [bytes('ΑΒ')]],
  ['\\pL+', '12ab', ['ab']],
  ['\\P{L}+', 'ab12', ['12']],
  ['\\s', '\v', ['\v']],
  ['^/[^/]+$', '/\xff\xfe', ['/\xff\xfe']],
  ['^\\S+$', '\v', null],
  ['[\\d.]+', 'a1.2', ['1.2']],
  ['^\\/a\\.b\\%\\~', '/a.b%~', ['/a.b%~']],
  ['a{0}b', 'ab', ['b']],
  ['(?i)k', bytes('\u212a'), [bytes('\u212a')]],
  ['(?i)\u212a', 'k', ['k']],
];

for (const [pattern, text, groups] of MEANING) {
  test(`${JSON.stringify(pattern)} on ${JSON.stringify(text)}`, () => {
    const regex = new CompiledRegex(pattern);
    assert.deepEqual(regex.exec(text)?.groups ?? null, groups);
    assert.equal(regex.test(text), groups !== null);
  });
}

test('named groups in both spellings', () => {
  const named = new CompiledRegex('^/(?<a>\\w+)/(?P<b>\\w+)?').exec('/x/')?.named;
  assert.deepEqual([...(named ?? [])], [['a', 'x']]);
});

const REFUSED: ReadonlyArray<readonly [string, RegExp]> = [
  ['(a', /unclosed group/],
  ['a)', /unopened group/],
  ['[a', /unclosed character class/],
  ['*a', /repetition operator without/],
  ['a{2,1}', /first number is larger/],
  ['a{', /unclosed counted repetition/],
  ['a{x}', /invalid counted repetition/],
  ['(?=a)', /look-around is not supported/],
  ['(?!a)', /look-around is not supported/],
  ['(?<=a)', /look-around is not supported/],
  ['(?<!a)', /look-around is not supported/],
  ['(a)\\1', /back-references are not supported/],
  ['(?<a>x)(?<a>y)', /duplicate name/],
  ['(?<1>x)', /invalid name/],
  ['\\q', /unrecognized escape/],
  ['a\\', /incomplete escape/],
  ['[b-a]', /invalid range/],
  ['[a&&b]', /set operations are not supported/],
  ['[a[b]]', /nested classes are not supported/],
  ['[[:nope:]]', /unknown ASCII class/],
  ['\\p{Nope}', /Nope/],
  ['(?z)', /unrecognized flag/],
  ['\\x{110000}', /invalid hexadecimal/],
  ['\\b{start}', /special word boundaries/],
  ['(?:a{500}){3}', /counted repetition above 1000/],
  ['(?:abcdefghijklmnopqrstuvwxyz){999}', /too large/],
  [`a${'+'.repeat(5000)}`, /nest too deep/],
  ['a{1001}', /counted repetition above 1000/],
  ['('.repeat(500) + ')'.repeat(500), /nest too deep/],
  ['a'.repeat(20_000), /longer than/],
];

for (const [pattern, message] of REFUSED) {
  test(`${JSON.stringify(pattern.slice(0, 30))} is refused`, () => {
    assert.throws(() => new CompiledRegex(pattern), message);
  });
}

const LINEAR: ReadonlyArray<readonly [string, boolean]> = [
  ['^/repos/([^/]+)/([^/]+)/issues$', true],
  ['^/v1/users/\\d+/orders', true],
  ['^/[0-9a-f-]{36}$', true],
  ['^/a/.*$', true],
  ['^/a/.*\\.json$', true],
  ['^/(a|ab)(c|bcd)?$', true],
  ['^(?:/[a-z]+)*$', true],
  ['foo', true],
  ['^(a+)+$', false],
  ['^(a|a)*$', false],
  ['^(a|ab)*c$', false],
  ['^.*.*=.*$', false],
  ['^a*a*$', false],
  ['^(?:a(?:[ab]+c)?)*', false],
  ['^(a?){30}a{30}$', false],
  ['\\d+x', false],
  ['^(?:(a)|b)*', false],
  ['(?m)^a', false],
  ['^(?:a*)*$', false],
  [`^${'(a|a)'.repeat(20)}$`, false],
  [`^${'a?'.repeat(20)}${'a'.repeat(20)}$`, false],
];

for (const [pattern, linear] of LINEAR) {
  test(`${pattern.slice(0, 40)} is ${linear ? '' : 'not '}for JavaScript's engine`, () => {
    assert.equal(new CompiledRegex(pattern).usesJs, linear);
  });
}

test('hostile patterns answer on long input', () => {
  for (const pattern of ['(a+)+$', '^(a|a)*$', '^(a*)*$', '^(?:a?){200}a{200}$', '^/.*.*.*=x']) {
    assert.equal(new CompiledRegex(pattern).test(`${'a'.repeat(50_000)}!`), false, pattern);
  }
});

/** Patterns from pieces that tempt a backtracking engine. */
const patternArb: fc.Arbitrary<string> = fc.letrec<{ node: string }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom(
      'a',
      'b',
      '/',
      '.',
      '[ab]',
      '[^/]',
      '\\d',
      '\\w',
      '\\s',
      '(?i:a)',
      '[^a]',
      '$',
      '^',
      '\\b',
      '1',
    ),
    fc.tuple(tie('node'), tie('node')).map(([x, y]) => x + y),
    fc.tuple(tie('node'), tie('node')).map(([x, y]) => `(?:${x}|${y})`),
    tie('node').map((x) => `(${x})`),
    fc
      .tuple(tie('node'), fc.constantFrom('*', '+', '?', '*?', '+?', '{2}', '{1,3}', '{2,}'))
      .map(([x, q]) => `(?:${x})${q}`),
  ),
})).node;
const anyPattern = fc.tuple(fc.constantFrom('', '^'), patternArb).map(([anchor, body]) => anchor + body);
const textArb = fc
  .array(fc.constantFrom('a', 'b', 'A', '/', '1', ' ', '\n', '_', '-'), { maxLength: 12 })
  .map((chars) => chars.join(''));

test('where JavaScript runs a pattern, re2js gives the same groups', () => {
  let compared = 0;
  fc.assert(
    fc.property(anyPattern, fc.array(textArb, { minLength: 1, maxLength: 8 }), (pattern, texts) => {
      const { root } = parseRegex(pattern);
      const js = isLinear(root) ? printJs(root) : null;
      if (js === null) return;
      const re2 = RE2JS.compile(printRe2(root));
      for (const text of texts) {
        compared++;
        const found: RegExpExecArray | null = new RegExp(js).exec(text);
        const matcher = re2.matcher(text);
        const expected = matcher.find()
          ? Array.from({ length: matcher.groupCount() + 1 }, (_, i) => matcher.group(i))
          : null;
        const groups: Array<string | null> | null =
          found === null ? null : Array.from(found, (group: string | undefined) => group ?? null);
        assert.deepEqual(groups, expected, `${pattern} as ${js} on ${JSON.stringify(text)}`);
      }
    }),
    { numRuns: 4000 },
  );
  assert.ok(compared > 2000, `only ${compared} comparisons`);
});

test('what is proven linear ends on long input', () => {
  const unit = fc
    .array(fc.constantFrom('a', 'b', '/', '1', ' '), { minLength: 1, maxLength: 3 })
    .map((chars) => chars.join(''));
  fc.assert(
    fc.property(anyPattern, unit, fc.constantFrom('', '!', '\n', 'b'), (pattern, repeated, end) => {
      const regex = new CompiledRegex(pattern);
      if (regex.usesJs) regex.test(repeated.repeat(5000) + end);
    }),
    { numRuns: 1500 },
  );
});

/** A template that claims a proof must agree with its regex on every ASCII path. */
test('templates filter and prove truly', () => {
  const cases: ReadonlyArray<readonly [string, boolean, boolean, string]> = [
    ['^/repos/(?<o>[^/]+)/(?<r>[^/]+)/issues$', true, true, ''],
    ['^/repos/[^/]+', true, false, ''],
    ['^/v1/users/\\d+/orders', true, false, ''],
    ['^/v1/users/\\d+', false, false, ''],
    ['^/[0-9a-f-]{36}$', true, true, ''],
    ['^/a/[^/]+\\.json$', false, true, '.json'],
    ['^/a/.*foo', false, false, 'foo'],
    ['^/a/?$', false, false, ''],
    ['^/a|/b', false, false, ''],
    ['^/a/[^/]+?/b', true, false, ''],
    ['^/a/[^/]+?', false, false, ''],
  ];
  for (const [pattern, proven, mustEnd, needle] of cases) {
    const { template } = new CompiledRegex(pattern);
    const found = [template.proven, template.mustEnd, template.needle];
    assert.deepEqual(found, [proven, mustEnd, needle], pattern);
  }
});

test('bytes and text', () => {
  assert.equal(encodeBytes('ü'), '\xc3\xbc');
  assert.equal(decodeBytes('\xc3\xbc'), 'ü');
  assert.equal(decodeBytes('\xff'), '\xff');
  assert.equal(lowerBytes(bytes('ÄB')), bytes('äb'));
});
