/** Checked expressions → functions of a request. */
import { CompiledRegex, lowerBytes } from '../regex.ts';
import type { IpSet } from '../../lib/ip-set.ts';
import type { RouterInput } from '../router.ts';
import type { Expression, Operand, Operator, Predicate } from './parser.ts';

/** What the predicates on `http.path` that held say of the path; the last one counts, as in Kong. */
export interface PathTrace {
  /** Text of `^=` or `==`. */
  prefix: string;
  /** Regex of `~`. */
  regex: CompiledRegex | null;
}

/** The operators that say how the path begins. */
const TRACED: ReadonlySet<Operator> = new Set(['==', '^=', '~']);

export type Evaluate = (input: RouterInput, trace: PathTrace | null) => boolean;

export function compileExpression(expression: Expression): Evaluate {
  switch (expression.type) {
    case 'and': {
      const items = expression.items.map(compileExpression);
      return (input, trace) => items.every((item) => item(input, trace));
    }
    case 'or': {
      const items = expression.items.map(compileExpression);
      return (input, trace) => items.some((item) => item(input, trace));
    }
    case 'not': {
      const item = compileExpression(expression.item);
      return (input, trace) => !item(input, trace);
    }
    case 'predicate':
      return compilePredicate(expression);
    default:
      return expression satisfies never;
  }
}

function compilePredicate(predicate: Predicate): Evaluate {
  const { any, lower, operand, operator } = predicate;
  const { name, read } = predicate.field;
  const compare = comparison(predicate);
  const check = lower
    ? (value: string | number): boolean => compare(typeof value === 'string' ? lowerBytes(value) : value)
    : compare;
  const traced = name === 'http.path' && TRACED.has(operator);
  return (input, trace) => {
    const values = read(input);
    if (values.length === 0) return false;
    const holds = any ? values.some(check) : values.every(check);
    if (holds && traced && trace !== null) note(trace, operand);
    return holds;
  };
}

function note(trace: PathTrace, operand: Operand): void {
  trace.prefix = typeof operand === 'string' ? operand : '';
  trace.regex = operand instanceof CompiledRegex ? operand : null;
}

/** The types were checked when the expression was parsed. */
function comparison({ field, operator, operand }: Predicate): (value: string | number) => boolean {
  if (field.type === 'IpAddr') {
    const set = operand as IpSet;
    const inside = operator === '==' || operator === 'in';
    return (value) => set.has(String(value)) === inside;
  }
  const text = typeof operand === 'string' ? operand : '';
  const number = Number(operand);
  switch (operator) {
    case '==':
      return (value) => value === operand;
    case '!=':
      return (value) => value !== operand;
    case '>':
      return (value) => Number(value) > number;
    case '>=':
      return (value) => Number(value) >= number;
    case '<':
      return (value) => Number(value) < number;
    case '<=':
      return (value) => Number(value) <= number;
    case '^=':
      return (value) => String(value).startsWith(text);
    case '=^':
      return (value) => String(value).endsWith(text);
    case 'contains':
      return (value) => String(value).includes(text);
    case '~': {
      const regex = operand as CompiledRegex;
      return (value) => regex.test(String(value));
    }
    case 'in':
    case 'not in':
      // Only for addresses, above.
      return () => false;
    default:
      return operator satisfies never;
  }
}
