/** The grants of a prefix, for the commands `sluice admin token …`. */
import { FileTokens, grantsFile } from '../control/access/file-tokens.ts';
import { GrantsUnreadable, type TokenStore } from '../control/access/token-store.ts';
import { CommandError, type Invocation } from './command.ts';
import { readPrefix } from './read-settings.ts';

/** @throws CommandError when they cannot be read or written. */
export async function openTokens<T>(
  invocation: Invocation,
  use: (tokens: TokenStore) => Promise<T>,
): Promise<T> {
  try {
    return await use(new FileTokens(grantsFile(readPrefix(invocation))));
  } catch (error) {
    const expected = error instanceof GrantsUnreadable || (error instanceof Error && 'syscall' in error);
    throw expected ? new CommandError(error.message) : error;
  }
}
