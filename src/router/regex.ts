/**
 * Regular expressions of the configuration, in Rust's syntax, matched in linear time.
 *
 * A pattern is parsed once and then written for an engine: JavaScript's RegExp when the pattern is proven linear
 * (`regex/linear.ts`), which is several times faster, else re2js. Engines are built at the first match, since most
 * path regexes are decided by the router's tree alone; only what re2js alone can run is built at once, so that its
 * errors are found when the route is put.
 *
 * Text comes as one char per byte. ASCII text is matched as it is. Text with bytes above 0x7f is decoded from UTF-8
 * and always goes to re2js, since Rust's classes mean Unicode; where it is not UTF-8, each byte stands for the
 * character of its number. Captures are bytes again.
 *
 * Different from Rust: `\b` knows ASCII words only, `\w` lacks a few symbols that are alphabetic without being
 * letters, and the limits in `regex/parse.ts`.
 */
import { RE2JS } from 're2js';
import { printJs, printRe2 } from './regex/ast.ts';
import { isLinear } from './regex/linear.ts';
import { parseRegex, RegexSyntaxError } from './regex/parse.ts';
import { type PathTemplate, pathTemplate } from './regex/template.ts';

export { RegexSyntaxError } from './regex/parse.ts';

/** Captures of a regex path. */
export interface Captures {
  /** By number: 0 is the whole match; null for a group that took no part. */
  readonly groups: ReadonlyArray<string | null>;
  /** By name; groups that took no part are absent. */
  readonly named: ReadonlyMap<string, string>;
}

export class CompiledRegex {
  readonly source: string;
  readonly template: PathTemplate;
  readonly #names: ReadonlyMap<string, number>;
  /** Null: only re2js may run it. */
  readonly #jsSource: string | null;
  readonly #re2Source: string;
  #js: RegExp | null = null;
  #re2: RE2JS | null = null;

  /** @throws RegexSyntaxError */
  constructor(source: string) {
    const { root, names } = parseRegex(source);
    this.source = source;
    this.template = pathTemplate(root);
    this.#names = names;
    this.#jsSource = isLinear(root) ? printJs(root) : null;
    this.#re2Source = printRe2(root);
    if (this.#jsSource === null) this.#re2 = this.#compileRe2();
  }

  /** The pattern is run by JavaScript's engine when the text is ASCII. */
  get usesJs(): boolean {
    return this.#jsSource !== null;
  }

  test(text: string): boolean {
    return isAscii(text) ? this.testAscii(text) : this.testUnicode(decodeBytes(text));
  }

  /** @param text known to be ASCII. */
  testAscii(text: string): boolean {
    if (this.#jsSource === null) return this.testUnicode(text);
    this.#js ??= new RegExp(this.#jsSource);
    return this.#js.test(text);
  }

  /** @param text decoded: see `decodeBytes`. */
  testUnicode(text: string): boolean {
    this.#re2 ??= this.#compileRe2();
    return this.#re2.matcher(text).find();
  }

  exec(text: string): Captures | null {
    const groups = isAscii(text) && this.#jsSource !== null ? this.#execJs(text) : this.#execRe2(text);
    if (groups === null) return null;
    const named = new Map<string, string>();
    for (const [name, index] of this.#names) {
      const group = groups[index];
      if (group !== null && group !== undefined) named.set(name, group);
    }
    return { groups, named };
  }

  #execJs(text: string): Array<string | null> | null {
    this.#js ??= new RegExp(this.#jsSource ?? '');
    const match = this.#js.exec(text);
    return match === null ? null : Array.from(match, (group: string | undefined) => group ?? null);
  }

  #execRe2(text: string): Array<string | null> | null {
    const decoded = decodeBytes(text);
    const isUtf8 = decoded.length !== text.length;
    this.#re2 ??= this.#compileRe2();
    const matcher = this.#re2.matcher(decoded);
    if (!matcher.find()) return null;
    return Array.from({ length: matcher.groupCount() + 1 }, (_, i) => {
      const group = matcher.group(i);
      return group !== null && isUtf8 ? encodeBytes(group) : group;
    });
  }

  #compileRe2(): RE2JS {
    try {
      return RE2JS.compile(this.#re2Source);
    } catch (error) {
      throw new RegexSyntaxError(error instanceof Error ? error.message : String(error));
    }
  }
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
