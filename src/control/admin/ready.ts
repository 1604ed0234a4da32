/** `/status/ready` (Status API): may a load balancer send requests here? */
import type { Gateway } from '../gateway.ts';
import { nodeReadiness } from '../node-status.ts';
import { type Methods, empty, json } from './resource.ts';

/** More is no `{"status":"draining"}`. */
const MAX_BODY = 1024;

export function ready(gateway: Gateway): Methods {
  return {
    GET: () => {
      const { status, body } = nodeReadiness(gateway);
      return json(status, body);
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
