/** Errors of a declarative configuration → lines for people and Kong's error body. */
import type { DeclarativeError } from '../store/file/declarative.ts';
import type { CompileFailure } from './compile-job.ts';

export function compileFailure(
  errors: readonly DeclarativeError[],
  name: string,
  flatten: boolean,
): CompileFailure {
  void flatten;
  const lines = errors.map(({ line, path, message }) => `${name}:${line ?? 0}: ${path}: ${message}`);
  return { ok: false, status: 400, lines, body: JSON.stringify({ code: 14, message: lines.join('\n') }) };
}
