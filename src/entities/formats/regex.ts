/** Regular expressions of routes: Rust's syntax, which RE2's is nearly; both run in linear time. */
import { re2 } from '../../lib/re2.ts';

/** Longer ones are refused: a compiled expression grows with its source. */
const MAX_LENGTH = 8192;

/** Why the expression does not compile, or null. */
export function regexProblem(source: string): string | null {
  if (source.length > MAX_LENGTH) return `longer than ${MAX_LENGTH} characters`;
  try {
    re2().compile(source);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
