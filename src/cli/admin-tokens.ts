/**
 * The grants of a gateway, for the commands `sluice admin token …`: through its control socket when it runs, else in the
 * store itself. Without a database they are in a file of the prefix.
 */
import { FileTokens } from '../control/access/file-tokens.ts';
import { grantsFile } from '../control/access/grants-format.ts';
import { parseGrant } from '../control/access/grants-format.ts';
import { type Grant, GrantsUnreadable, type TokenStore } from '../control/access/token-store.ts';
import type { Settings } from '../settings/settings.ts';
import { CommandError, type Invocation } from './command.ts';
import { callControl, ControlError, type ControlRequest } from './control-client.ts';
import { readPrefix, readSettings } from './read-settings.ts';

type Tokens = Pick<TokenStore, 'list' | 'create' | 'revoke'>;

/** The running gateway has no database. */
const ELSEWHERE = 409;

/** @throws CommandError when they cannot be read or written. */
export async function openTokens<T>(invocation: Invocation, use: (tokens: Tokens) => Promise<T>): Promise<T> {
  const prefix = readPrefix(invocation);
  try {
    const database = await databaseOfRunning(prefix);
    if (database === 'on') return await use(socketTokens(prefix));
    if (database === 'off') return await use(new FileTokens(grantsFile(prefix)));
    return await useStopped(readSettings(invocation).settings, use);
  } catch (error) {
    const expected =
      error instanceof GrantsUnreadable ||
      error instanceof ControlError ||
      (error instanceof Error && 'syscall' in error);
    throw expected ? new CommandError(error.message) : error;
  }
}

/** Null: it does not run. */
async function databaseOfRunning(prefix: string): Promise<'on' | 'off' | null> {
  try {
    const { status } = await callControl(prefix, { method: 'POST', path: '/tokens/list' });
    return status === ELSEWHERE ? 'off' : 'on';
  } catch (error) {
    if (error instanceof ControlError && error.failure === 'not-running') return null;
    throw error;
  }
}

async function useStopped<T>(settings: Settings, use: (tokens: Tokens) => Promise<T>): Promise<T> {
  const { database, prefix } = settings;
  if (database === 'off') return await use(new FileTokens(grantsFile(prefix)));
  if (database === 'postgres') {
    throw new CommandError(
      `tokens are in the database, which this command reaches through a running gateway: start it (prefix ${prefix}) and try again`,
    );
  }
  const [{ withOfflineStore }, { StoreTokens }, { PrefixInUse }, { StoreError }] = await Promise.all([
    import('../control/offline-store.ts'),
    import('../control/access/store-tokens.ts'),
    import('../control/prefix-lock.ts'),
    import('../store/errors.ts'),
  ]);
  try {
    return await withOfflineStore(settings, ({ store }) => use(new StoreTokens(store)));
  } catch (error) {
    if (error instanceof PrefixInUse || error instanceof StoreError) throw new CommandError(error.message);
    throw error;
  }
}

function socketTokens(prefix: string): Tokens {
  const call = async (
    request: Omit<ControlRequest, 'method'>,
  ): Promise<Readonly<Record<string, unknown>>> => {
    const { status, body } = await callControl(prefix, { method: 'POST', ...request });
    if (status === 200) return body;
    throw new CommandError(typeof body['message'] === 'string' ? body['message'] : `status ${status}`);
  };
  return {
    async list() {
      const { grants } = await call({ path: '/tokens/list' });
      return Array.isArray(grants) ? grants.map(known) : [];
    },
    create: async (grant) => (await call({ path: '/tokens/create', body: { grant } }))['done'] === true,
    revoke: async (name) => (await call({ path: '/tokens/revoke', body: { name } }))['done'] === true,
  };
}

function known(value: unknown): Grant {
  const grant = parseGrant(value);
  if (grant === null) throw new CommandError('the gateway answered with something that is no token');
  return grant;
}
