/** What `sluice secrets rotate` and `status` share: the running gateway does it, else the command itself (SQLite). */
import { SealingError } from '../store/seal-keys.ts';
import type { SecretKeeper } from '../store/secret-keeper.ts';
import { CommandError, type Invocation } from './command.ts';
import { callControl, ControlError } from './control-client.ts';
import { readPrefix, readSettings } from './read-settings.ts';

/** @throws CommandError */
export async function askKeeper<T extends object>(
  invocation: Invocation,
  path: '/secrets/status' | '/secrets/rotate',
  offline: (keeper: SecretKeeper) => Promise<T>,
): Promise<T> {
  const prefix = readPrefix(invocation);
  try {
    const { status, body } = await callControl(prefix, { method: 'POST', path });
    if (status === 200) return body as T;
    throw new CommandError(typeof body['message'] === 'string' ? body['message'] : `status ${status}`);
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    if (error.failure !== 'not-running') throw new CommandError(error.message);
  }
  return await withoutGateway(invocation, offline);
}

async function withoutGateway<T>(
  invocation: Invocation,
  offline: (keeper: SecretKeeper) => Promise<T>,
): Promise<T> {
  const { settings } = readSettings(invocation);
  const { database, prefix } = settings;
  if (database === 'off') throw new CommandError('without a database nothing is sealed');
  if (database === 'postgres') {
    throw new CommandError(
      `secrets in the database are reached through a running gateway: start it (prefix ${prefix}) and try again`,
    );
  }
  const [{ withOfflineStore }, { SecretKeeper: Keeper }, { PrefixInUse }] = await Promise.all([
    import('../control/offline-store.ts'),
    import('../store/secret-keeper.ts'),
    import('../control/prefix-lock.ts'),
  ]);
  try {
    return await withOfflineStore(settings, ({ catalog, store, records }) =>
      offline(new Keeper({ catalog, store, records: records() })),
    );
  } catch (error) {
    const expected = error instanceof PrefixInUse || error instanceof SealingError;
    throw expected ? new CommandError(error.message) : error;
  }
}
