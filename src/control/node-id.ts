/**
 * Who this node is: a UUID that lasts. It is the setting `node_id`, or what the file `kong.id` in the prefix says, where
 * Kong keeps it too; a prefix without it gets a new one.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isUuid } from '../entities/schema/string-check.ts';
import type { Settings } from '../settings/settings.ts';

/** @throws Error of the system when a new id cannot be kept. */
export function nodeId({ node_id: set, prefix }: Pick<Settings, 'node_id' | 'prefix'>): string {
  if (set !== null) return set;
  const file = join(prefix, 'kong.id');
  const kept = read(file);
  if (isUuid(kept)) return kept;
  const id = randomUUID();
  // Whole or not at all: half an id would be replaced at the next start.
  writeFileSync(`${file}.new`, id);
  renameSync(`${file}.new`, file);
  return id;
}

function read(file: string): string | null {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}
