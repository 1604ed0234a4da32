/**
 * Kong's router expressions: text → checked tree.
 *
 *     expression = or ( "&&" or )*            or = unit ( "||" unit )*
 *     unit       = "(" expression ")" | "!" "(" expression ")" | predicate
 *     predicate  = left operator right        left = field | "lower" "(" left ")" | "any" "(" left ")"
 *     operator   = == != ~ ^= =^ > >= < <= in "not in" contains
 *     right      = "string" | r#"string"# | integer | address | network
 *
 * Unlike in most languages, `||` binds tighter than `&&`: so Kong's parser reads it, and what its users have written
 * means what it means there.
 */
import { IpSet } from '../../lib/ip-set.ts';
import { CompiledRegex, encodeBytes } from '../regex.ts';
import { ExpressionError } from './error.ts';
import { type Field, findField, type Subsystem } from './fields.ts';
import { type Token, tokenize } from './lexer.ts';

export type Operator =
  | '=='
  | '!='
  | '~'
  | '^='
  | '=^'
  | '>'
  | '>='
  | '<'
  | '<='
  | 'in'
  | 'not in'
  | 'contains';

/** What a value is compared with: text in bytes, a number, a regex, or addresses. */
export type Operand = string | number | CompiledRegex | IpSet;

export interface Predicate {
  readonly type: 'predicate';
  readonly field: Field;
  readonly lower: boolean;
  /** One value is enough; else all must match. */
  readonly any: boolean;
  readonly operator: Operator;
  readonly operand: Operand;
}
export interface Junction {
  readonly type: 'and' | 'or';
  readonly items: readonly Expression[];
}
export interface Negation {
  readonly type: 'not';
  readonly item: Expression;
}
export type Expression = Predicate | Junction | Negation;

const MAX_DEPTH = 100;
const SYMBOLS: ReadonlySet<string> = new Set([
  '==',
  '!=',
  '~',
  '^=',
  '=^',
  '>',
  '>=',
  '<',
  '<=',
  'in',
  'contains',
]);
const NUMERIC: ReadonlySet<string> = new Set(['>', '>=', '<', '<=']);
const TEXTUAL: ReadonlySet<string> = new Set(['~', '^=', '=^', 'contains']);

/** @throws ExpressionError */
export function parseExpression(text: string, subsystem: Subsystem): Expression {
  return new Parser(text, subsystem).parse();
}

class Parser {
  readonly #text: string;
  readonly #subsystem: Subsystem;
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;

  constructor(text: string, subsystem: Subsystem) {
    this.#text = text;
    this.#subsystem = subsystem;
    this.#tokens = tokenize(text);
  }

  parse(): Expression {
    const expression = this.#junction('and');
    if (this.#token().kind !== 'end') this.#unexpected('"&&", "||" or the end');
    return expression;
  }

  #token(): Token {
    return this.#tokens[this.#next] ?? { kind: 'end', text: '', at: this.#text.length };
  }

  #fail(what: string, at = this.#token().at): never {
    throw new ExpressionError(what, this.#text, at);
  }

  #unexpected(wanted: string): never {
    const { kind, text } = this.#token();
    return this.#fail(`expected ${wanted}, found ${kind === 'end' ? 'the end' : JSON.stringify(text)}`);
  }

  #take(symbol: string): boolean {
    const token = this.#token();
    if (token.kind === 'string' || token.text !== symbol || token.kind === 'end') return false;
    this.#next++;
    return true;
  }

  #junction(type: 'and' | 'or'): Expression {
    const items: Expression[] = [];
    do items.push(type === 'and' ? this.#junction('or') : this.#unit());
    while (this.#take(type === 'and' ? '&&' : '||'));
    const [only] = items;
    return items.length === 1 && only !== undefined ? only : { type, items };
  }

  #unit(): Expression {
    const negated = this.#take('!');
    if (!this.#take('(')) return negated ? this.#unexpected('"(" after "!"') : this.#predicate();
    if (++this.#depth > MAX_DEPTH) this.#fail('parentheses nest too deep');
    const inner = this.#junction('and');
    if (!this.#take(')')) this.#unexpected('")"');
    this.#depth--;
    return negated ? { type: 'not', item: inner } : inner;
  }

  #predicate(): Predicate {
    const start = this.#token().at;
    let lower = false;
    let any = false;
    let open = 0;
    while (this.#tokens[this.#next + 1]?.text === '(' && this.#token().kind === 'name') {
      const name = this.#token().text;
      if (name === 'lower') lower = true;
      else if (name === 'any') any = true;
      else this.#fail(`unknown function "${name}"`);
      this.#next += 2;
      if (++open > MAX_DEPTH) this.#fail('functions nest too deep');
    }
    const field = this.#field();
    if (lower && field.type !== 'String')
      this.#fail(`lower() takes a String, "${field.name}" is ${field.type}`, start);
    while (open-- > 0) if (!this.#take(')')) this.#unexpected('")"');
    const operator = this.#operator();
    return { type: 'predicate', field, lower, any, operator, operand: this.#operand(field, operator) };
  }

  #field(): Field {
    const token = this.#token();
    if (token.kind !== 'name') return this.#unexpected('a field');
    const found = findField(token.text, this.#subsystem);
    if (found === undefined) return this.#fail(`unknown field "${token.text}"`);
    this.#next++;
    return found;
  }

  #operator(): Operator {
    const { kind, text } = this.#token();
    if (kind === 'name' && text === 'not') {
      this.#next++;
      if (!this.#take('in')) this.#unexpected('"in" after "not"');
      return 'not in';
    }
    if ((kind !== 'operator' && kind !== 'name') || !SYMBOLS.has(text))
      return this.#unexpected('an operator');
    this.#next++;
    return text as Operator;
  }

  #operand(field: Field, operator: Operator): Operand {
    const token = this.#token();
    const types: Readonly<Record<string, string>> = {
      string: 'String',
      int: 'Int',
      ip: 'IpAddr',
      cidr: 'IpCidr',
    };
    const type = types[token.kind];
    if (type === undefined) return this.#unexpected('a value');
    this.#checkTypes(field, operator, type);
    this.#next++;
    if (token.kind === 'int') return this.#int(token);
    if (token.kind !== 'string') return this.#addresses(token);
    return operator === '~' ? this.#regex(token) : encodeBytes(token.text);
  }

  #checkTypes(field: Field, operator: Operator, type: string): void {
    if (operator === 'in' || operator === 'not in') {
      if (field.type !== 'IpAddr' || type !== 'IpCidr') {
        this.#fail(`"${operator}" compares an IpAddr with an IpCidr, not ${field.type} with ${type}`);
      }
      return;
    }
    if (field.type !== type)
      this.#fail(`type mismatch: "${field.name}" is ${field.type}, the value is ${type}`);
    if (NUMERIC.has(operator) && type !== 'Int') this.#fail(`"${operator}" compares Int, not ${type}`);
    if (TEXTUAL.has(operator) && type !== 'String') this.#fail(`"${operator}" compares String, not ${type}`);
  }

  #int(token: Token): number {
    const negative = token.text.startsWith('-');
    const digits = negative ? token.text.slice(1) : token.text;
    const octal = /^0\d/.test(digits);
    if (octal && !/^[0-7]+$/.test(digits)) this.#fail('invalid octal integer', token.at);
    const value = octal ? Number.parseInt(digits, 8) : Number(digits);
    if (!Number.isSafeInteger(value)) this.#fail('integer out of range', token.at);
    return negative ? -value : value;
  }

  #addresses(token: Token): IpSet {
    try {
      return new IpSet([token.text]);
    } catch (error) {
      return this.#fail(error instanceof Error ? error.message : String(error), token.at);
    }
  }

  #regex(token: Token): CompiledRegex {
    try {
      return new CompiledRegex(token.text);
    } catch (error) {
      return this.#fail(`invalid regex: ${error instanceof Error ? error.message : String(error)}`, token.at);
    }
  }
}
