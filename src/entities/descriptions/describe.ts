/**
 * A sentence about every field, for `/schemas`, OpenAPI and the reference pages. They stand apart from the definitions
 * because only the control plane prints them; a test holds that every field has one and that none is left over.
 */
import type { Describe } from '../schema/print.ts';
import { CORE } from './core.ts';
import { CREDENTIALS } from './credentials.ts';
import { UPSTREAM } from './upstream.ts';

/** Kind, then path of the field (`pem.public_key`). */
export type Texts = Readonly<Record<string, Readonly<Record<string, string>>>>;

export const TEXTS: Texts = { ...CORE, ...CREDENTIALS, ...UPSTREAM };

/** Fields that mean the same wherever they are. */
export const COMMON: Readonly<Record<string, string>> = {
  id: 'The UUID of the entity: generated unless given, and never changed.',
  created_at: 'When the entity was created, in Unix seconds.',
  updated_at: 'When the entity was last written, in Unix seconds.',
  tags: 'Words to find and filter entities by.',
};

export function describeKind(kind: string): Describe {
  const own = Object.hasOwn(TEXTS, kind) ? TEXTS[kind] : undefined;
  return (path) => {
    if (own !== undefined && Object.hasOwn(own, path)) return own[path];
    return Object.hasOwn(COMMON, path) ? COMMON[path] : undefined;
  };
}
