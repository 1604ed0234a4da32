/** Values of a route's `headers` that are regexes. Apart, so that the router need not load the validation of routes. */
import type { RouterFlavor } from '../schema/field.ts';

/**
 * The regex that a value of `headers` stands for, as the router reads it; null: the value is plain. Kong writes it in
 * lower case, like the values that it is searched in. In the flavor `traditional` only a sole value is a regex, and is
 * read as it stands.
 */
export function headerRegex(value: string, values: readonly string[], flavor: RouterFlavor): string | null {
  if (!value.startsWith('~*')) return null;
  if (flavor !== 'traditional') return value.slice(2).toLowerCase();
  return values.length === 1 ? value.slice(2) : null;
}
