/** What the error log says of an error that nobody has expected. */
import { DiskFailure } from '../../store/disk-failure.ts';

export function errorText(error: unknown): string {
  if (error instanceof DiskFailure) return `the store cannot be used: ${error.path}: ${error.reason}`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
