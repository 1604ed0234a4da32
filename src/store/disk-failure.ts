/**
 * SQLite's failures that are about the disk and not about what was asked: no room, no permission, a damaged file. Nobody
 * has to guess at them: they say the file and the reason, to clients by its name, where a start fails by its path.
 */
import { basename } from 'node:path';
import { closeSync, openSync } from '../lib/node-fs.ts';
import { StoreUnavailable } from './errors.ts';

export class DiskFailure extends StoreUnavailable {
  readonly path: string;
  /** SQLite's or the system's words. */
  readonly reason: string;

  constructor(path: string, reason: string, cause: unknown) {
    super(`${basename(path)}: ${reason}`, { cause });
    this.path = path;
    this.reason = reason;
  }
}

/** SQLite's PERM, BUSY, NOMEM, READONLY, IOERR, CORRUPT, FULL, CANTOPEN, NOTADB. */
const CODES: ReadonlySet<number> = new Set([3, 5, 7, 8, 10, 11, 13, 14, 26]);
const CANTOPEN = 14;

/** What to throw for an error that a statement on the file has thrown. */
export function diskFailure(path: string, error: unknown): unknown {
  if (!(error instanceof Error) || !('errcode' in error)) return error;
  // The low byte is the code, the rest says more exactly which.
  const code = Number(error.errcode) & 0xff;
  if (!CODES.has(code)) return error;
  const reason = code === CANTOPEN ? (systemReason(path) ?? error.message) : error.message;
  return new DiskFailure(path, reason, error);
}

/** An error of the start, with the file's path. */
export function cannotUse(path: string, error: unknown): Error {
  const failure = error instanceof DiskFailure ? error : null;
  const reason = failure?.reason ?? (error instanceof Error ? error.message : String(error));
  return new Error(`cannot use the store ${failure?.path ?? path}: ${reason}`, { cause: error });
}

/** SQLite says only that it cannot; the system knows why. */
function systemReason(path: string): string | null {
  try {
    closeSync(openSync(path, 'r+'));
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : null;
  }
}
