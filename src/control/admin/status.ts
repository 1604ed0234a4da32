/** `/status` (Admin and Status API). */
import type { Gateway } from '../gateway.ts';
import { nodeStatus } from '../node-status.ts';
import { type Methods, json } from './resource.ts';

export function status(gateway: Gateway): Methods {
  return {
    GET: async ({ req }) => {
      const { status, body } = await nodeStatus(gateway, req.query('unit'), req.query('scale'));
      return json(status, body);
    },
  };
}
