/** `/status/ready` (Status API): may a load balancer send requests here? */
import type { Gateway } from '../gateway.ts';
import { EMPTY_HASH } from '../../snapshot/snapshot.ts';
import { type Methods, empty, json } from './resource.ts';

/** More is no `{"status":"draining"}`. */
const MAX_BODY = 1024;

export function ready(gateway: Gateway): Methods {
  return {
    GET: () => {
      const reason = whyNotReady(gateway);
      return reason === null ? json(200, { message: 'ready' }) : json(503, { message: reason });
    },
    POST: async (context) => {
      if (Number(context.req.header('content-length') ?? Infinity) > MAX_BODY) {
        return json(413, { message: 'Payload too large' });
      }
      const body: unknown = await context.req.json().catch(() => null);
      const wanted = typeof body === 'object' && body !== null && 'status' in body ? body.status : null;
      if (wanted !== 'draining') return json(400, { message: "status must be 'draining'" });
      gateway.life.announcedDraining = true;
      return empty(204);
    },
  };
}

function whyNotReady({ life, supervisor, reloader }: Gateway): string | null {
  if (life.announcedDraining || life.state === 'draining' || life.state === 'stopping') return 'draining';
  const declarative = reloader.settings.database === 'off';
  if (declarative && reloader.loaded.hash === EMPTY_HASH)
    return 'no configuration available (empty configuration present)';
  if (supervisor.ready) return null;
  const behind = supervisor.report().filter(({ state, revision }) => {
    return state !== 'running' || revision !== supervisor.revision;
  });
  return `not ready: ${behind.map(({ id, state }) => `worker ${id} is ${state}`).join(', ')}`;
}
