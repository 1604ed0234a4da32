/** `sluice secrets …` on the control socket. */
import type { ControlHandlers, ControlReply } from './control-socket.ts';
import type { SecretKeeper } from '../store/secret-keeper.ts';
import type { Gateway } from './gateway.ts';

export function secretHandlers(gateway: Gateway): ControlHandlers {
  return {
    'POST /secrets/status': () => withKeeper(gateway, (keeper) => keeper.status()),
    'POST /secrets/rotate': () =>
      withKeeper(gateway, async (keeper) => {
        const rotated = await keeper.rotate();
        gateway.log.log('notice', `secrets are sealed by the key ${rotated.key}`);
        return rotated;
      }),
  };
}

async function withKeeper(
  { secrets, reloader }: Gateway,
  use: (keeper: SecretKeeper) => Promise<object>,
): Promise<ControlReply> {
  if (reloader.settings.database === 'off') {
    return { status: 409, body: { message: 'without a database nothing is sealed' } };
  }
  if (secrets === null) return { status: 503, body: { message: 'the store is not open yet: try again' } };
  return { status: 200, body: { ...(await use(secrets)) } };
}
