/** 100 KiB bodies, down and up. */
import { fastify } from '../contenders/fastify.ts';
import { haproxy } from '../contenders/haproxy.ts';
import { nginx } from '../contenders/nginx.ts';
import { sluice } from '../contenders/sluice.ts';
import { report } from '../support/compare.ts';
import type { Scenario } from '../support/scenario.ts';
import { withContenders } from '../support/with-contenders.ts';

const CONTENDERS = [nginx, sluice, haproxy, fastify];

export const get100k: Scenario = {
  name: 'get-100k',
  summary: '100 KiB answer',
  run: async (context) => {
    const load = { method: 'GET', path: '/100k', bodySize: 0, connections: 32 } as const;
    return report('100 KiB answer', await withContenders(context, CONTENDERS, load));
  },
};

export const post100k: Scenario = {
  name: 'post-100k',
  summary: '100 KiB request body, small JSON answer',
  run: async (context) => {
    const load = { method: 'POST', path: '/upload', bodySize: 100 * 1024, connections: 32 } as const;
    return report('100 KiB POST', await withContenders(context, CONTENDERS, load));
  },
};
