/** The linear-time regex engine, loaded when the first pattern needs it: most configurations have none. */
import { createRequire } from 'node:module';
import type { RE2JS } from 're2js';

const require = createRequire(import.meta.url);
let engine: { readonly RE2JS: typeof RE2JS } | null = null;

export function re2(): typeof RE2JS {
  engine ??= require('re2js') as { readonly RE2JS: typeof RE2JS };
  return engine.RE2JS;
}
