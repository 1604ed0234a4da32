/**
 * A route with an expression → compiled route.
 *
 * The whole expression is the entry's condition. What it demands of host, method and path in every case is taken out
 * to place the entry in the same index as other routes, so that expressions on many paths and hosts are not tried
 * one by one.
 */
import type { Route } from '../../entities/route.ts';
import { type Condition, type HostPattern, schemeCondition } from '../conditions.ts';
import type { CompiledRoute, Entry } from '../entry.ts';
import { methodBits } from '../methods.ts';
import { expressionRank } from '../rank.ts';
import { CompiledRegex } from '../regex.ts';
import { compileExpression } from './evaluate.ts';
import { type Expression, parseExpression, type Predicate } from './parser.ts';

/** More alternatives than this are not worth an index. */
const MAX_VALUES = 64;

/** @throws ExpressionError */
export function compileExpressionRoute<T>(route: Route, value: T): CompiledRoute<T> {
  const tree = parseExpression(route.expression ?? '', 'http');
  const evaluate = compileExpression(tree);
  const holds: Condition = (input) => evaluate(input, null);
  const scheme = schemeCondition(route.protocols);
  const methods = required(tree, (predicate) => equalTo(predicate, 'http.method'));
  const hosts = required(tree, (predicate) => equalTo(predicate, 'http.host'));
  const prefixes = required(tree, pathPrefix) ?? [''];
  const { high, middle, low } = expressionRank(route.priority ?? 0);
  const entries = prefixes.map((prefix, index): Entry<T> => ({
    high,
    middle,
    low,
    methodBits: methodBits(methods),
    order: 0,
    id: route.id,
    index,
    value,
    routeId: route.id,
    methods,
    conditions: scheme === null ? [holds] : [scheme, holds],
    prefix: null,
    regex: null,
    proven: true,
    mustEnd: false,
    steps: prefix === '' ? [] : [prefix],
    splits: methods === null ? [] : [{ name: '', values: methods }],
    evaluate,
  }));
  return { hosts: hosts?.map((text): HostPattern => ({ kind: 'exact', text, port: null })) ?? null, entries };
}

/** Values of which a request must have one for the expression to hold; null when it may have any. */
function required(tree: Expression, of: (predicate: Predicate) => string | null): string[] | null {
  if (tree.type === 'predicate') {
    const value = of(tree);
    return value === null ? null : [value];
  }
  if (tree.type === 'not') return null;
  const sides = tree.items.map((item) => required(item, of));
  if (tree.type === 'or') {
    if (sides.includes(null)) return null;
    const all = [...new Set(sides.flatMap((side) => side ?? []))];
    return all.length > MAX_VALUES ? null : all;
  }
  return sides.reduce(
    (best, side) => (best === null || (side !== null && side.length < best.length) ? side : best),
    null,
  );
}

function equalTo({ field, lower, operator, operand }: Predicate, name: string): string | null {
  return field.name === name && !lower && operator === '==' && typeof operand === 'string' ? operand : null;
}

function pathPrefix({ field, lower, operator, operand }: Predicate): string | null {
  if (field.name !== 'http.path' || lower) return null;
  if ((operator === '==' || operator === '^=') && typeof operand === 'string') return operand;
  if (operator !== '~' || !(operand instanceof CompiledRegex)) return null;
  const first = operand.template.steps[0];
  return typeof first === 'string' ? first : null;
}
