/** Declarative file → validated entities. First version: the signature; see the next commit. */
import { createHash } from 'node:crypto';
import type { CompileOptions, CompileResult } from './declarative.ts';

/** Never throws. All errors of the file in one go. */
export function compileDeclarative(text: string, options: CompileOptions): CompileResult {
  const hash = createHash('md5').update(text).digest('hex');
  void options;
  return { ok: true, config: { hash, services: [], routes: [] } };
}
