/** Words of Kong's router expressions. */
import { ExpressionError } from './error.ts';

export type TokenKind = 'name' | 'string' | 'int' | 'ip' | 'cidr' | 'operator' | 'end';

export interface Token {
  readonly kind: TokenKind;
  /** Value of a string, digits of a number, else as written. */
  readonly text: string;
  /** Offset in the expression. */
  readonly at: number;
}

const SPACE = /\s+/y;
const NAME = /[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*/y;
// Before numbers: an address starts like one. An IPv6 address has at least two colons.
const ADDRESS =
  /(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]*(?:\d{1,3}(?:\.\d{1,3}){3})?)(?:\/\d{1,3})?/y;
const INT = /-?(?:0x[0-9A-Fa-f]+|\d+)/y;
const OPERATOR = /&&|\|\||==|!=|\^=|=\^|>=|<=|[~><()!]/y;
const RAW_START = /r(#+)"/y;
const MAX_LENGTH = 65_536;
const ESCAPES: Readonly<Record<string, string>> = { '"': '"', '\\': '\\', n: '\n', r: '\r', t: '\t' };

/** @throws ExpressionError */
export function tokenize(text: string): Token[] {
  if (text.length > MAX_LENGTH)
    throw new ExpressionError(`expression is longer than ${MAX_LENGTH} characters`, text, 0);
  const tokens: Token[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    return pattern.exec(text);
  };
  while (at < text.length) {
    const space = take(SPACE);
    if (space !== null) {
      at += space[0].length;
      continue;
    }
    const { token, length } = readString(text, at, take(RAW_START)) ?? readWord(text, at, take);
    tokens.push(token);
    at += length;
  }
  tokens.push({ kind: 'end', text: '', at });
  return tokens;
}

interface Read {
  readonly token: Token;
  readonly length: number;
}

function readString(text: string, at: number, raw: RegExpExecArray | null): Read | null {
  if (raw !== null) {
    const close = `"${raw[1]}`;
    const end = text.indexOf(close, at + raw[0].length);
    if (end === -1) throw new ExpressionError('unclosed raw string', text, at);
    const value = text.slice(at + raw[0].length, end);
    return { token: { kind: 'string', text: value, at }, length: end + close.length - at };
  }
  if (text[at] !== '"') return null;
  let value = '';
  for (let i = at + 1; i < text.length; i++) {
    const char = text.charAt(i);
    if (char === '"') return { token: { kind: 'string', text: value, at }, length: i + 1 - at };
    if (char !== '\\') {
      value += char;
      continue;
    }
    const escaped = ESCAPES[text.charAt(++i)];
    if (escaped === undefined) throw new ExpressionError('unknown escape sequence in a string', text, i - 1);
    value += escaped;
  }
  throw new ExpressionError('unclosed string', text, at);
}

function readWord(text: string, at: number, take: (pattern: RegExp) => RegExpExecArray | null): Read {
  const address = take(ADDRESS)?.[0];
  if (address !== undefined) {
    return {
      token: { kind: address.includes('/') ? 'cidr' : 'ip', text: address, at },
      length: address.length,
    };
  }
  const kinds: ReadonlyArray<readonly [TokenKind, RegExp]> = [
    ['name', NAME],
    ['int', INT],
    ['operator', OPERATOR],
  ];
  for (const [kind, pattern] of kinds) {
    const found = take(pattern)?.[0];
    if (found !== undefined) return { token: { kind, text: found, at }, length: found.length };
  }
  throw new ExpressionError(`unexpected ${JSON.stringify(text.charAt(at))}`, text, at);
}
