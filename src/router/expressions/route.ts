import type { Route } from '../../entities/route.ts';
import type { CompiledRoute } from '../entry.ts';

export function compileExpressionRoute<T>(route: Route, _value: T): CompiledRoute<T> {
  throw new Error(`not yet: ${route.id}`);
}
