/** The main scenario: 11 request headers as a browser sends them, a small JSON answer; access log off, or on. */
import { fastify } from '../contenders/fastify.ts';
import { haproxy } from '../contenders/haproxy.ts';
import { nginx } from '../contenders/nginx.ts';
import { sluice } from '../contenders/sluice.ts';
import { report } from '../support/compare.ts';
import type { Scenario } from '../support/scenario.ts';
import { withContenders } from '../support/with-contenders.ts';

const LOAD = {
  method: 'GET',
  path: '/api/v1/orders/4711?expand=items',
  bodySize: 0,
  connections: 64,
} as const;

export const small: Scenario = {
  name: 'small',
  summary: '11 headers, small JSON answer, access log off',
  run: async (context) =>
    report('Small JSON answer', await withContenders(context, [nginx, sluice, haproxy, fastify], LOAD)),
};

export const smallLog: Scenario = {
  name: 'small-log',
  summary: 'the same with the access log on (buffered on both sides)',
  run: async (context) =>
    report(
      'Small JSON answer, access log on',
      await withContenders(context, [nginx, sluice], { ...LOAD, accessLog: true }),
    ),
};
