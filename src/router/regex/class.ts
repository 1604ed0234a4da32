/** Character sets of Rust's regex syntax: building blocks of the parser. */
import { asciiMembers, type SetNode } from './ast.ts';

/** Part of a set: ASCII members where known at once (null: re2js is asked), and how re2js spells it in brackets. */
export interface SetPart {
  readonly ascii: Uint8Array | null;
  readonly re2: string;
}

function asciiOf(member: (code: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 128 }, (_, code) => (member(code) ? 1 : 0));
}

const DIGIT = asciiOf((c) => c >= 0x30 && c <= 0x39);
const WORD = asciiOf(
  (c) => (c >= 0x30 && c <= 0x39) || (c >= 0x41 && c <= 0x5a) || c === 0x5f || (c >= 0x61 && c <= 0x7a),
);
const SPACE = asciiOf((c) => c === 0x20 || (c >= 0x09 && c <= 0x0d));

// Unicode White_Space, and Rust's \w less the few Other_Alphabetic symbols, which no general category holds.
const SPACES =
  '\\x09-\\x0d\\x20\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}';
const WORDS = '\\p{L}\\p{Nl}\\p{M}\\p{Nd}\\p{Pc}\\x{200c}\\x{200d}';

/** `\d \w \s` and their complements, by letter. The complement of a list needs brackets of its own: see `negatedRe2`. */
export const PERL_CLASSES: ReadonlyMap<string, { readonly part: SetPart; readonly negated: boolean }> =
  new Map([
    ['d', { part: { ascii: DIGIT, re2: '\\p{Nd}' }, negated: false }],
    ['D', { part: { ascii: DIGIT, re2: '\\p{Nd}' }, negated: true }],
    ['w', { part: { ascii: WORD, re2: WORDS }, negated: false }],
    ['W', { part: { ascii: WORD, re2: WORDS }, negated: true }],
    ['s', { part: { ascii: SPACE, re2: SPACES }, negated: false }],
    ['S', { part: { ascii: SPACE, re2: SPACES }, negated: true }],
  ]);

export const POSIX_CLASSES: ReadonlySet<string> = new Set([
  'alnum',
  'alpha',
  'ascii',
  'blank',
  'cntrl',
  'digit',
  'graph',
  'lower',
  'print',
  'punct',
  'space',
  'upper',
  'word',
  'xdigit',
]);

export function rangePart(first: number, last: number): SetPart {
  return {
    ascii: new Uint8Array(128).fill(1, first, last + 1),
    re2: first === last ? re2Char(first) : `${re2Char(first)}-${re2Char(last)}`,
  };
}

function re2Char(code: number): string {
  return `\\x{${code.toString(16)}}`;
}

/** Sets by their spelling: the patterns of an API use few. */
const known = new Map<string, SetNode>();
const MAX_KNOWN = 1000;

/** @param ignoreCase the flag `i`. */
export function setNode(parts: readonly SetPart[], negated: boolean, ignoreCase: boolean): SetNode {
  const bare = `[${negated ? '^' : ''}${parts.map((part) => part.re2).join('')}]`;
  const re2 = ignoreCase ? `(?i:${bare})` : bare;
  const old = known.get(re2);
  if (old !== undefined) return old;
  const ascii = unionAscii(parts, ignoreCase);
  if (ascii !== null && negated) for (let i = 0; i < 128; i++) ascii[i] = ascii[i] === 1 ? 0 : 1;
  const node: SetNode = { type: 'set', ascii: ascii ?? asciiMembers(re2), re2, literal: -1 };
  if (known.size >= MAX_KNOWN) known.clear();
  known.set(re2, node);
  return node;
}

/** Null when only re2js can tell: Unicode properties, or folding of what may not be ASCII (U+212A folds to k). */
function unionAscii(parts: readonly SetPart[], ignoreCase: boolean): Uint8Array | null {
  const union = new Uint8Array(128);
  for (const part of parts) {
    if (part.ascii === null || (ignoreCase && !/^(?:\\x\{[0-7]?[0-9a-f]\}-?)+$/.test(part.re2))) return null;
    for (let i = 0; i < 128; i++) if (part.ascii[i] === 1) union[i] = 1;
  }
  if (ignoreCase) {
    for (let upper = 0x41; upper <= 0x5a; upper++) {
      const lower = upper + 0x20;
      if (union[upper] === 1 || union[lower] === 1) union[upper] = union[lower] = 1;
    }
  }
  return union;
}

const asciiLiterals: readonly SetNode[] = Array.from({ length: 128 }, (_, code) => literal(code));

export function literalNode(code: number, ignoreCase: boolean): SetNode {
  if (ignoreCase) return setNode([rangePart(code, code)], false, true);
  return asciiLiterals[code] ?? literal(code);
}

function literal(code: number): SetNode {
  const ascii = new Uint8Array(128);
  if (code < 128) ascii[code] = 1;
  return { type: 'set', ascii, re2: re2Char(code), literal: code };
}
