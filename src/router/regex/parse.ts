/**
 * Reader of Rust's regex syntax (crate `regex` 1.x), which is what Kong's router reads.
 *
 * Not accepted, with an error that says so: look-around and back-references (Rust has none either), set operations and
 * nested classes, word boundaries of the `\b{start}` kind, and counted repetition above 1,000, alone or multiplied.
 */
import type { AssertNode, RegexNode } from './ast.ts';
import { literalNode, PERL_CLASSES, POSIX_CLASSES, rangePart, type SetPart, setNode } from './class.ts';

/** A pattern that cannot be compiled; the message names what and where. */
export class RegexSyntaxError extends Error {}

export interface ParsedRegex {
  readonly root: RegexNode;
  /** Number of capturing groups. */
  readonly groups: number;
  /** Named groups, by name. */
  readonly names: ReadonlyMap<string, number>;
}

/** Longest pattern, in UTF-16 units, and deepest nesting of groups. */
const MAX_PATTERN = 16_384;
const MAX_DEPTH = 100;
/** Repetitions of repetitions, as in `a+*`. */
const MAX_STACKED = 8;
const MAX_REPEAT = 1000;
/** Pieces, with counted repetitions written out. */
const MAX_SIZE = 20_000;

const EMPTY: RegexNode = { type: 'cat', items: [] };
const CONTROL_ESCAPES: Readonly<Record<string, number>> = { a: 7, f: 12, t: 9, n: 10, r: 13, v: 11 };

interface Flags {
  ignoreCase: boolean;
  multiLine: boolean;
  dotAll: boolean;
  swapGreed: boolean;
  verbose: boolean;
}

const FLAG_NAMES: Readonly<Record<string, keyof Flags>> = {
  i: 'ignoreCase',
  m: 'multiLine',
  s: 'dotAll',
  U: 'swapGreed',
  x: 'verbose',
};

export function parseRegex(pattern: string): ParsedRegex {
  if (pattern.length > MAX_PATTERN)
    throw new RegexSyntaxError(`pattern is longer than ${MAX_PATTERN} characters`);
  return new Parser(pattern).parse();
}

class Parser {
  readonly #chars: readonly string[];
  #at = 0;
  #groups = 0;
  #depth = 0;
  readonly #names = new Map<string, number>();
  #flags: Flags = { ignoreCase: false, multiLine: false, dotAll: false, swapGreed: false, verbose: false };

  constructor(pattern: string) {
    this.#chars = Array.from(pattern);
  }

  parse(): ParsedRegex {
    const root = this.#alternation();
    if (this.#at < this.#chars.length) this.#fail('unopened group');
    if (checkSize(root, 1) > MAX_SIZE) throw new RegexSyntaxError('pattern is too large');
    return { root, groups: this.#groups, names: this.#names };
  }

  #fail(what: string): never {
    throw new RegexSyntaxError(`${what} at position ${this.#at + 1}`);
  }

  #peek(): string {
    return this.#chars[this.#at] ?? '';
  }

  #take(text: string): boolean {
    for (let i = 0; i < text.length; i++) if (this.#chars[this.#at + i] !== text[i]) return false;
    this.#at += text.length;
    return true;
  }

  #until(end: string, what: string): string {
    const from = this.#at;
    while (this.#at < this.#chars.length && this.#peek() !== end) this.#at++;
    if (this.#peek() !== end) this.#fail(`unclosed ${what}`);
    return this.#chars.slice(from, this.#at++).join('');
  }

  /** With the flag x, white space and comments mean nothing. */
  #skip(): void {
    while (this.#flags.verbose && /^[\s#]$/.test(this.#peek())) {
      if (this.#peek() === '#') while (this.#peek() !== '' && this.#peek() !== '\n') this.#at++;
      else this.#at++;
    }
  }

  #alternation(): RegexNode {
    const outer = { ...this.#flags };
    if (++this.#depth > MAX_DEPTH) this.#fail('groups nest too deep');
    const items = [this.#sequence()];
    while (this.#take('|')) items.push(this.#sequence());
    this.#depth--;
    this.#flags = outer;
    return items.length === 1 ? (items[0] ?? EMPTY) : { type: 'alt', items };
  }

  #sequence(): RegexNode {
    const items: RegexNode[] = [];
    for (;;) {
      this.#skip();
      const char = this.#peek();
      if (char === '' || char === '|' || char === ')') break;
      const atom = this.#atom();
      if (atom !== null) items.push(this.#quantified(atom));
    }
    return items.length === 1 ? (items[0] ?? EMPTY) : { type: 'cat', items };
  }

  /** Null for a flag group, which stands for nothing. */
  #atom(): RegexNode | null {
    const char = this.#chars[this.#at++] ?? '';
    switch (char) {
      case '(':
        return this.#group();
      case '[':
        return this.#bracket();
      case '.':
        return this.#flags.dotAll
          ? setNode([rangePart(0, 0x10ffff)], false, false)
          : setNode([rangePart(10, 10)], true, false);
      case '^':
        return { type: 'assert', kind: this.#flags.multiLine ? 'line-start' : 'start' };
      case '$':
        return { type: 'assert', kind: this.#flags.multiLine ? 'line-end' : 'end' };
      case '\\':
        return this.#escape();
      case '*':
      case '+':
      case '?':
        this.#at--;
        return this.#fail('repetition operator without an expression');
      case '{':
        this.#at--;
        return this.#fail('repetition operator without an expression (write \\{ for a brace)');
      default:
        return literalNode(char.codePointAt(0) ?? 0, this.#flags.ignoreCase);
    }
  }

  #quantified(atom: RegexNode): RegexNode {
    let node = atom;
    for (let count = 0; ; count++) {
      this.#skip();
      const bounds = this.#bounds();
      if (bounds === null) return node;
      if (count === MAX_STACKED) this.#fail('repetitions nest too deep');
      const lazy = this.#take('?');
      node = {
        type: 'repeat',
        item: node,
        min: bounds[0],
        max: bounds[1],
        greedy: lazy === this.#flags.swapGreed,
      };
    }
  }

  #bounds(): readonly [number, number] | null {
    if (this.#take('*')) return [0, Infinity];
    if (this.#take('+')) return [1, Infinity];
    if (this.#take('?')) return [0, 1];
    if (!this.#take('{')) return null;
    const text = this.#until('}', 'counted repetition');
    const match = /^\s*(\d+)\s*(,?)\s*(\d*)\s*$/.exec(text);
    if (match === null || (match[2] === '' && match[3] !== ''))
      return this.#fail('invalid counted repetition');
    const min = Number(match[1]);
    const open = match[3] === '' ? Infinity : Number(match[3]);
    const max = match[2] === '' ? min : open;
    if (min > max) this.#fail('invalid counted repetition: the first number is larger');
    return [min, max];
  }

  #group(): RegexNode | null {
    if (
      this.#take('?P<') ||
      (this.#chars[this.#at + 2] !== '=' && this.#chars[this.#at + 2] !== '!' && this.#take('?<'))
    ) {
      const name = this.#until('>', 'group name');
      if (!/^[A-Za-z_][\w.[\]]*$/.test(name)) this.#fail('invalid name of a capture group');
      if (this.#names.has(name)) this.#fail(`duplicate name of a capture group "${name}"`);
      this.#names.set(name, ++this.#groups);
      return { type: 'group', item: this.#closed() };
    }
    if (this.#take('?')) return this.#flagGroup();
    this.#groups++;
    return { type: 'group', item: this.#closed() };
  }

  #closed(): RegexNode {
    const item = this.#alternation();
    if (!this.#take(')')) this.#fail('unclosed group');
    return item;
  }

  #flagGroup(): RegexNode | null {
    if (/^[=!<]$/.test(this.#peek())) this.#fail('look-around is not supported');
    const flags = { ...this.#flags };
    let value = true;
    while (this.#peek() !== ':' && this.#peek() !== ')') {
      const char = this.#peek();
      const name = FLAG_NAMES[char];
      if (char === '-' && value) value = false;
      else if (name !== undefined) flags[name] = value;
      else if (char !== 'u' || !value) this.#fail('unrecognized flag');
      this.#at++;
    }
    if (this.#take(')')) {
      this.#flags = flags;
      return null;
    }
    this.#at++;
    const outer = this.#flags;
    this.#flags = flags;
    const item = this.#closed();
    this.#flags = outer;
    return item;
  }

  #escape(): RegexNode {
    const char = this.#peek();
    const kind = ESCAPED_ASSERTS[char];
    if (kind !== undefined) {
      this.#at++;
      if (char === 'b' && this.#peek() === '{') this.#fail('special word boundaries are not supported');
      return { type: 'assert', kind };
    }
    const perl = PERL_CLASSES.get(char);
    if (perl !== undefined) {
      this.#at++;
      return setNode([perl.part], perl.negated, false);
    }
    if (char === 'p' || char === 'P') return setNode([this.#property()], false, this.#flags.ignoreCase);
    return literalNode(this.#escapedChar(), this.#flags.ignoreCase);
  }

  #property(): SetPart {
    const sign = this.#chars[this.#at++] ?? '';
    const name = this.#take('{') ? this.#until('}', 'Unicode class') : (this.#chars[this.#at++] ?? '');
    if (!/^\^?[A-Za-z_]+$/.test(name)) this.#fail('unsupported Unicode class');
    return { ascii: null, re2: `\\${sign}{${name}}` };
  }

  #escapedChar(): number {
    const char = this.#chars[this.#at++] ?? '';
    const control = CONTROL_ESCAPES[char];
    if (control !== undefined) return control;
    if (char === 'x' || char === 'u' || char === 'U')
      return this.#hex(char === 'x' ? 2 : char === 'u' ? 4 : 8);
    if (/^[1-9]$/.test(char)) this.#fail('back-references are not supported');
    if (char === '') this.#fail('incomplete escape sequence');
    if (!/^[\x20-\x2f\x3a\x3b\x3d\x3f\x40[-`{-~]$/.test(char)) this.#fail('unrecognized escape sequence');
    return char.charCodeAt(0);
  }

  #hex(digits: number): number {
    let text: string;
    if (this.#take('{')) text = this.#until('}', 'hexadecimal escape');
    else {
      text = this.#chars.slice(this.#at, this.#at + digits).join('');
      this.#at += digits;
    }
    const code = /^[0-9A-Fa-f]{1,8}$/.test(text) ? Number.parseInt(text, 16) : -1;
    const surrogate = code >= 0xd800 && code <= 0xdfff;
    if (code < 0 || code > 0x10ffff || surrogate) this.#fail('invalid hexadecimal escape');
    return code;
  }

  #bracket(): RegexNode {
    const negated = this.#take('^');
    const parts: SetPart[] = [];
    // A bracket or hyphens first in the class are literal.
    if (this.#take(']')) parts.push(rangePart(0x5d, 0x5d));
    while (this.#take('-')) parts.push(rangePart(0x2d, 0x2d));
    while (!this.#take(']')) {
      if (this.#at >= this.#chars.length) this.#fail('unclosed character class');
      if (this.#take('&&') || this.#take('~~') || this.#take('--'))
        this.#fail('set operations are not supported');
      parts.push(this.#bracketItem());
    }
    return setNode(parts, negated, this.#flags.ignoreCase);
  }

  #bracketItem(): SetPart {
    if (this.#take('[:')) {
      const name = this.#until(':', 'ASCII class');
      const sign = name.startsWith('^') ? '^' : '';
      if (!this.#take(']') || !POSIX_CLASSES.has(name.slice(sign.length))) this.#fail('unknown ASCII class');
      return { ascii: null, re2: `[:${name}:]` };
    }
    if (this.#peek() === '[') this.#fail('nested classes are not supported (write \\[ for a bracket)');
    const next = this.#chars[this.#at + 1] ?? '';
    if (this.#peek() === '\\' && (next === 'p' || next === 'P')) {
      this.#at++;
      return this.#property();
    }
    if (this.#peek() === '\\' && PERL_CLASSES.has(next)) {
      this.#at += 2;
      return this.#perlPart(next);
    }
    const first = this.#bracketChar();
    const isRange = this.#peek() === '-' && !/^[\]-]?$/.test(this.#chars[this.#at + 1] ?? '');
    if (!isRange) return rangePart(first, first);
    this.#at++;
    const last = this.#bracketChar();
    if (last < first) this.#fail('invalid range of characters');
    return rangePart(first, last);
  }

  /** The complement of a list has no spelling inside brackets but for a single category. */
  #perlPart(letter: string): SetPart {
    const perl = PERL_CLASSES.get(letter);
    if (perl === undefined) return this.#fail('unrecognized escape sequence');
    if (!perl.negated) return perl.part;
    if (letter === 'D') return { ascii: null, re2: '\\P{Nd}' };
    return this.#fail(`\\${letter} inside a character class is not supported`);
  }

  #bracketChar(): number {
    if (this.#take('\\')) return this.#escapedChar();
    const char = this.#chars[this.#at++] ?? '';
    if (char === '[' || char === '') this.#fail('invalid range of characters');
    return char.codePointAt(0) ?? 0;
  }
}

const ESCAPED_ASSERTS: Readonly<Record<string, AssertNode['kind']>> = {
  A: 'start',
  z: 'end',
  b: 'word',
  B: 'not-word',
};

/** Counted repetitions multiply when they nest: bounds the program that either engine makes of the pattern. */
function checkSize(node: RegexNode, outer: number): number {
  switch (node.type) {
    case 'cat':
    case 'alt':
      return node.items.reduce((size, item) => size + checkSize(item, outer), 1);
    case 'group':
      return checkSize(node.item, outer) + 1;
    case 'repeat': {
      const count = Math.max(1, node.max === Infinity ? node.min : node.max);
      if (count * outer > MAX_REPEAT) throw new RegexSyntaxError(`counted repetition above ${MAX_REPEAT}`);
      return checkSize(node.item, count * outer) * count + 1;
    }
    default:
      return 1;
  }
}
