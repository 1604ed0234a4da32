/**
 * Secrets of which a slow hash is kept: passwords, and what `hash_secret` says. Hashing takes tens of milliseconds in another thread, so
 * it comes before a write is applied, which happens at once: the write is given the hash in place of the secret. What
 * the write says wrongly is left as it is, for validation to tell.
 */
import { hashSecret } from '../../lib/secret-hash.ts';
import { randomKey } from '../../entities/schema/random-key.ts';
import type { Values } from '../../entities/schema/field.ts';
import { MASK } from '../../entities/secrets.ts';
import type { Write } from '../config-store.ts';
import { kindIndex } from './kind-index.ts';
import type { Rows } from './rows.ts';

/** Answers the write with the hash, or as it is. */
export function withSlowHash(write: Write, rows: Rows): Write | Promise<Write> {
  if (write.op === 'delete' || write.stored === true) return write;
  const { slow_hash: slow } = kindIndex(write.kind).definition;
  if (slow === undefined) return write;
  const stored = write.op === 'patch' ? storedOf(write, rows) : null;
  const { input } = write;
  const secret = Object.hasOwn(input, slow.field) ? input[slow.field] : null;
  if (slow.when === undefined) return isPlain(secret) ? hashed(write, slow.field, secret) : write;
  const switched = Object.hasOwn(input, slow.when) ? input[slow.when] : stored?.[slow.when];
  if (switched !== true) return write;
  // A hash that is there stays.
  if (secret === null && stored?.[slow.when] === true) return write;
  const plain = secret ?? stored?.[slow.field] ?? randomKey();
  return isPlain(plain) ? hashed(write, slow.field, plain) : write;
}

/** Not so what is refused later: nothing, and what stands for a secret that was not shown. Hashed it would pass. */
function isPlain(secret: unknown): secret is string {
  return typeof secret === 'string' && secret !== '' && secret !== MASK;
}

async function hashed<W extends Exclude<Write, { readonly op: 'delete' }>>(
  write: W,
  field: string,
  plain: string,
): Promise<W> {
  return { ...write, input: { ...write.input, [field]: await hashSecret(plain) } };
}

function storedOf({ kind, select }: Write & { readonly op: 'patch' }, rows: Rows): Values | null {
  const found = rows.select(kind, select);
  return found === null ? null : rows.raw(kind, String(found['id']));
}
