/**
 * What went wrong, in the three kinds that matter: the connection is gone (or was never there), the server refused a
 * statement, or nobody knows whether a COMMIT happened.
 */
import { DatabaseError } from 'pg';
import { StoreUnavailable } from '../errors.ts';

/** The server's word that a lock was not to be had in time. */
export const LOCK_NOT_AVAILABLE = '55P03';
/** Two transactions waited for each other, and this one was chosen to give way. */
export const DEADLOCK = '40P01';

/** Whether the connection is no longer to be used. Poolers report a lost server in class 08. */
export function isConnectionFailure(error: unknown): boolean {
  if (!(error instanceof DatabaseError)) return true;
  const code = error.code ?? '';
  return error.severity !== 'ERROR' || code.startsWith('08') || code.startsWith('57P');
}

export function sqlState(error: unknown): string | null {
  return error instanceof DatabaseError ? (error.code ?? null) : null;
}

/** One line that never holds a password: the driver puts none into its messages. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) {
    const reasons = error.errors.map((each: unknown) => reasonOf(each));
    if (reasons.length > 0) return [...new Set(reasons)].join('; ');
  }
  if (!(error instanceof Error)) return String(error);
  const code = (error as NodeJS.ErrnoException).code;
  return error.message === '' ? (code ?? error.name) : error.message.replaceAll(/\s*\n\s*/g, ' ');
}

/** Any failure but an uncertain commit, as the store's callers know it. */
export function unavailable(error: unknown): StoreUnavailable {
  if (error instanceof StoreUnavailable) return error;
  return new StoreUnavailable(`the database: ${reasonOf(error)}`, { cause: error });
}
