/**
 * Regular expressions of the configuration, in Rust's syntax, matched in linear time.
 *
 * A pattern is parsed once and then written for an engine: JavaScript's RegExp when the pattern is proven linear
 * (`regex/linear.ts`), which is several times faster, else re2js. Engines are made at the first match, since most
 * path regexes are decided by the router's tree alone; only what re2js alone can run is made at once.
 *
 * Text comes as one char per byte. ASCII text is matched as it is. Text with bytes above 0x7f is decoded from UTF-8
 * and always goes to re2js, since Rust's classes mean Unicode; where it is not UTF-8, each byte stands for the
 * character of its number. Captures are bytes again.
 *
 * Different from Rust: `\b` knows ASCII words only, `\w` lacks a few symbols that are alphabetic without being
 * letters, and the limits in `regex/parse.ts`.
 */
import type { RE2JS } from 're2js';
import { re2 } from '../lib/re2.ts';
import { printJs, printRe2, type RegexNode } from './regex/ast.ts';
import { isLinear } from './regex/linear.ts';
import { type ParsedRegex, parseRegex, RegexSyntaxError } from './regex/parse.ts';
import { type PathTemplate, pathTemplate } from './regex/template.ts';

export { RegexSyntaxError } from './regex/parse.ts';

/** Captures of a regex path. */
export interface Captures {
  /** By number: 0 is the whole match; null for a group that took no part. */
  readonly groups: ReadonlyArray<string | null>;
  /** By name; groups that took no part are absent. */
  readonly named: ReadonlyMap<string, string>;
}

/** What must begin where the text does: nothing, the first alternative of the pattern, or the whole. */
export type Anchor = 'none' | 'first' | 'whole';

export class CompiledRegex {
  readonly source: string;
  readonly anchor: Anchor;
  readonly template: PathTemplate;
  #engines: Engines | null = null;

  /** @throws RegexSyntaxError, whatever the anchor: a source that passes with one passes with all. */
  constructor(source: string, anchor: Anchor = 'none') {
    const parsed = parse(source, anchor);
    this.source = source;
    this.anchor = anchor;
    this.template = pathTemplate(parsed.root);
    // A proven template is nothing but text and single classes that a slash or the end follows: always linear, and
    // seldom run. The tree of its syntax is not kept.
    if (!this.template.proven) this.#engines = new Engines(parsed);
  }

  #run(): Engines {
    this.#engines ??= new Engines(parse(this.source, this.anchor));
    return this.#engines;
  }

  /** The pattern is run by JavaScript's engine when the text is ASCII. */
  get usesJs(): boolean {
    return this.#run().usesJs;
  }

  test(text: string): boolean {
    return isAscii(text) ? this.testAscii(text) : this.testUnicode(decodeBytes(text));
  }

  /** @param text known to be ASCII. */
  testAscii(text: string): boolean {
    const engines = this.#run();
    return engines.usesJs ? engines.js().test(text) : engines.re2().matcher(text).find();
  }

  /** @param text decoded: see `decodeBytes`. */
  testUnicode(text: string): boolean {
    return this.#run().re2().matcher(text).find();
  }

  exec(text: string): Captures | null {
    const engines = this.#run();
    const groups =
      engines.usesJs && isAscii(text) ? execJs(engines.js(), text) : execRe2(engines.re2(), text);
    if (groups === null) return null;
    const named = new Map<string, string>();
    for (const [name, index] of engines.names) {
      const group = groups[index];
      if (group !== null && group !== undefined) named.set(name, group);
    }
    return { groups, named };
  }
}

function parse(source: string, anchor: Anchor): ParsedRegex {
  const parsed = parseRegex(source);
  return anchor === 'none' ? parsed : { ...parsed, root: anchored(parsed.root, anchor) };
}

/** The pattern is anchored once it is parsed: text put around its source might be read as part of it. */
function anchored(root: RegexNode, anchor: Anchor): RegexNode {
  if (anchor === 'first' && root.type === 'alt') {
    const [first, ...rest] = root.items;
    if (first !== undefined) return { type: 'alt', items: [anchored(first, anchor), ...rest] };
  }
  return { type: 'cat', items: [{ type: 'assert', kind: 'start' }, root] };
}

/** The pattern as the engines read it; each is made when it first runs. */
class Engines {
  readonly names: ReadonlyMap<string, number>;
  /** Null: only re2js may run it. */
  readonly #jsSource: string | null;
  readonly #re2Source: string;
  #js: RegExp | null = null;
  #re2: RE2JS | null = null;

  constructor({ root, names }: ParsedRegex) {
    this.names = names;
    this.#jsSource = isLinear(root) ? printJs(root) : null;
    this.#re2Source = printRe2(root);
    if (this.#jsSource === null) this.re2();
  }

  get usesJs(): boolean {
    return this.#jsSource !== null;
  }

  js(): RegExp {
    this.#js ??= new RegExp(this.#jsSource ?? '[]');
    return this.#js;
  }

  re2(): RE2JS {
    this.#re2 ??= compileRe2(this.#re2Source);
    return this.#re2;
  }
}

function compileRe2(source: string): RE2JS {
  try {
    return re2().compile(source);
  } catch (error) {
    throw new RegexSyntaxError(error instanceof Error ? error.message : String(error));
  }
}

function execJs(regex: RegExp, text: string): Array<string | null> | null {
  const match = regex.exec(text);
  return match === null ? null : Array.from(match, (group: string | undefined) => group ?? null);
}

function execRe2(regex: RE2JS, text: string): Array<string | null> | null {
  const decoded = decodeBytes(text);
  const isUtf8 = decoded.length !== text.length;
  const matcher = regex.matcher(decoded);
  if (!matcher.find()) return null;
  return Array.from({ length: matcher.groupCount() + 1 }, (_, i) => {
    const group = matcher.group(i);
    return group !== null && isUtf8 ? encodeBytes(group) : group;
  });
}

/** Text → one char per byte of its UTF-8, the form of paths and header values on the wire. */
export function encodeBytes(text: string): string {
  return isAscii(text) ? text : Buffer.from(text).toString('latin1');
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The reverse; the same string when it is not UTF-8. */
export function decodeBytes(bytes: string): string {
  if (isAscii(bytes)) return bytes;
  try {
    return utf8.decode(Buffer.from(bytes, 'latin1'));
  } catch {
    return bytes;
  }
}

/** Lower case by Unicode's rules, of text in bytes. */
export function lowerBytes(bytes: string): string {
  return isAscii(bytes) ? bytes.toLowerCase() : encodeBytes(decodeBytes(bytes).toLowerCase());
}

export function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}
