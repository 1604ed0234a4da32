/**
 * A parsed regular expression in Rust's syntax, and how it is written for the two engines.
 *
 * JavaScript's engine only ever sees ASCII input, so for it a character set is exactly its 128 ASCII members, spelled
 * out: nothing is left of the differences in `\d`, `\w`, `\s`, `.` and case folding. re2js reads all of Unicode, so
 * there each Unicode class is spelled by its general categories.
 */
import { re2 } from '../../lib/re2.ts';

/** One character out of a set. */
export interface SetNode {
  readonly type: 'set';
  /** 1 for each ASCII member. */
  readonly ascii: Uint8Array;
  /** As re2js reads it. */
  readonly re2: string;
  /** The code point when the set is one literal character (case sensitive), else -1. */
  readonly literal: number;
}
export interface CatNode {
  readonly type: 'cat';
  readonly items: readonly RegexNode[];
}
export interface AltNode {
  readonly type: 'alt';
  readonly items: readonly RegexNode[];
}
export interface RepeatNode {
  readonly type: 'repeat';
  readonly item: RegexNode;
  readonly min: number;
  /** Infinity: without bound. */
  readonly max: number;
  readonly greedy: boolean;
}
export interface GroupNode {
  readonly type: 'group';
  readonly item: RegexNode;
}
export interface AssertNode {
  readonly type: 'assert';
  readonly kind: 'start' | 'end' | 'line-start' | 'line-end' | 'word' | 'not-word';
}
export type RegexNode = SetNode | CatNode | AltNode | RepeatNode | GroupNode | AssertNode;

const RE2_ASSERT: Readonly<Record<AssertNode['kind'], string>> = {
  start: '\\A',
  end: '\\z',
  'line-start': '(?m:^)',
  'line-end': '(?m:$)',
  word: '\\b',
  'not-word': '\\B',
};

export function printRe2(node: RegexNode): string {
  switch (node.type) {
    case 'set':
      return node.re2;
    case 'cat':
      return node.items
        .map((item) => (item.type === 'alt' ? `(?:${printRe2(item)})` : printRe2(item)))
        .join('');
    case 'alt':
      return node.items.map(printRe2).join('|');
    case 'group':
      return `(${printRe2(node.item)})`;
    case 'assert':
      return RE2_ASSERT[node.kind];
    case 'repeat':
      return `(?:${printRe2(node.item)})${quantifier(node)}`;
    default:
      return node satisfies never;
  }
}

/** Null when a part has no equal in JavaScript. Names of groups are left out: groups are read by number. */
export function printJs(node: RegexNode): string | null {
  switch (node.type) {
    case 'set':
      return printAscii(node.ascii);
    case 'cat':
      return joinJs(node.items, '');
    case 'alt': {
      const inner = joinJs(node.items, '|');
      return inner === null ? null : `(?:${inner})`;
    }
    case 'group': {
      const inner = printJs(node.item);
      return inner === null ? null : `(${inner})`;
    }
    case 'assert':
      return JS_ASSERT[node.kind];
    case 'repeat': {
      const inner = printJs(node.item);
      return inner === null ? null : `(?:${inner})${quantifier(node)}`;
    }
    default:
      return node satisfies never;
  }
}

const JS_ASSERT: Readonly<Record<AssertNode['kind'], string | null>> = {
  start: '^',
  end: '$',
  'line-start': null,
  'line-end': null,
  word: '\\b',
  'not-word': '\\B',
};

function joinJs(items: readonly RegexNode[], separator: string): string | null {
  const parts: string[] = [];
  for (const item of items) {
    const part = printJs(item);
    if (part === null) return null;
    parts.push(part);
  }
  return parts.join(separator);
}

function quantifier(node: RepeatNode): string {
  const lazy = node.greedy ? '' : '?';
  if (node.max === Infinity) {
    if (node.min === 0) return `*${lazy}`;
    return node.min === 1 ? `+${lazy}` : `{${node.min},}${lazy}`;
  }
  return `{${node.min},${node.max}}${lazy}`;
}

function printAscii(ascii: Uint8Array): string {
  let text = '';
  for (let i = 0; i < 128; i++) {
    if (ascii[i] !== 1) continue;
    let last = i;
    while (last < 127 && ascii[last + 1] === 1) last++;
    text += last === i ? hex(i) : `${hex(i)}-${hex(last)}`;
    i = last;
  }
  return `[${text}]`;
}

function hex(code: number): string {
  return `\\x${code.toString(16).padStart(2, '0')}`;
}

/** Which ASCII characters a set in re2js's syntax contains, asked of re2js itself. */
export function asciiMembers(set: string): Uint8Array {
  const regex = re2().compile(`\\A(?:${set})\\z`);
  const ascii = new Uint8Array(128);
  for (let i = 0; i < 128; i++) if (regex.test(String.fromCharCode(i))) ascii[i] = 1;
  return ascii;
}
