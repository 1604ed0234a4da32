/** The main scenario with 1,000 idle keep-alive connections open meanwhile, and what each of them holds in memory. */
import { setTimeout as delay } from 'node:timers/promises';
import { haproxy } from '../contenders/haproxy.ts';
import { nginx } from '../contenders/nginx.ts';
import { sluice } from '../contenders/sluice.ts';
import { report } from '../support/compare.ts';
import { openIdle } from '../support/idle-connections.ts';
import { residentMemory } from '../support/proc.ts';
import type { Scenario } from '../support/scenario.ts';
import { withContenders } from '../support/with-contenders.ts';

const COUNT = 1000;

export const idle1000: Scenario = {
  name: 'idle-1000',
  summary: 'the small answer with 1,000 idle keep-alive connections, and the memory of one',
  run: async (context) => {
    const notes: string[] = [];
    const rows = await withContenders(context, [nginx, sluice, haproxy], {
      method: 'GET',
      path: '/api/v1/orders/4711?expand=items',
      bodySize: 0,
      connections: 64,
      async meanwhile(name, running) {
        // A first set warms the heap, so that what grows after it is the connections and nothing else.
        await (await openIdle(running.port, COUNT))[Symbol.asyncDispose]();
        await delay(1000);
        const before = residentMemory(running.pid);
        const idle = await openIdle(running.port, COUNT);
        await delay(1000);
        const each = (residentMemory(running.pid) - before) / idle.alive / 1024;
        notes.push(
          `${name}: ${each.toFixed(1)} KiB resident memory per idle connection (${idle.alive} open)`,
        );
        return idle;
      },
    });
    return report('1,000 idle connections', rows, [...notes, '']);
  },
};
