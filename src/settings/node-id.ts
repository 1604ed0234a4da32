/**
 * Who this node is: a UUID that lasts. It is the setting `node_id`, or what the file `kong.id` in the prefix says, where
 * Kong keeps it too; a prefix without it gets a new one, whichever thread asks first.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { isUuid } from '../entities/schema/string-check.ts';
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from '../lib/node-fs.ts';
import type { Settings } from './settings.ts';

/** @throws Error of the system when a new id cannot be kept. */
export function nodeId({ node_id: set, prefix }: Pick<Settings, 'node_id' | 'prefix'>): string {
  if (set !== null) return set;
  const file = join(prefix, 'kong.id');
  const kept = read(file);
  if (isUuid(kept)) return kept;
  const id = randomUUID();
  // Whole or not at all: half an id would be replaced at the next start.
  const next = `${file}.${id}`;
  writeFileSync(next, id);
  try {
    linkSync(next, file);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    // Another thread was first, or it is rubbish.
    if (!isUuid(read(file))) renameSync(next, file);
  } finally {
    rmSync(next, { force: true });
  }
  return read(file) ?? id;
}

function read(file: string): string | null {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}
