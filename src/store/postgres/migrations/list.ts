/** All migrations, oldest first; the place of one in this list, from 1, is the version that it leads to. */
import { log } from './0001-log.ts';
import { records } from './0002-records.ts';
import type { Migration } from './migration.ts';

export const MIGRATIONS: readonly Migration[] = [log, records];
