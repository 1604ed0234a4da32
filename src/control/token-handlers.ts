/** `sluice admin token …` on the control socket of a gateway with a database. */
import type { ControlHandlers, ControlReply } from './control-socket.ts';
import { parseGrant } from './access/grants-format.ts';
import type { TokenStore } from './access/token-store.ts';
import type { Gateway } from './gateway.ts';

export function tokenHandlers(gateway: Gateway): ControlHandlers {
  return {
    'POST /tokens/list': () => withTokens(gateway, async (tokens) => ({ grants: await tokens.list() })),
    'POST /tokens/create': ({ grant }) =>
      withTokens(gateway, async (tokens) => {
        const parsed = parseGrant(grant);
        if (parsed === null) throw new Error('that is no grant');
        return { done: await tokens.create(parsed) };
      }),
    'POST /tokens/revoke': ({ name }) =>
      withTokens(gateway, async (tokens) => ({ done: await tokens.revoke(String(name)) })),
  };
}

async function withTokens(
  { tokens, reloader }: Gateway,
  use: (tokens: TokenStore) => Promise<Readonly<Record<string, unknown>>>,
): Promise<ControlReply> {
  if (reloader.settings.database === 'off') {
    return { status: 409, body: { message: 'without a database, tokens are in a file of the prefix' } };
  }
  if (tokens === null) return { status: 503, body: { message: 'the store is not open yet: try again' } };
  return { status: 200, body: await use(tokens) };
}
