/** From `sluice start` to the first proxied answer, with the compile cache warm: the launcher and all, unpinned. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { startGateway } from '../../test/support/gateway.ts';
import { freePort } from '../../test/support/ports.ts';
import { plainConfig } from '../contenders/sluice.ts';
import { CORES, on } from '../support/cores.ts';
import type { Scenario } from '../support/scenario.ts';
import { median, quantile } from '../support/statistics.ts';
import { table } from '../support/table.ts';

const REQUEST = 'GET /first HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n';

/** Milliseconds since `begun` when a request was first answered with 200. */
async function firstAnswer(port: number, begun: number): Promise<number> {
  for (;;) {
    const socket = connect({ port, host: '127.0.0.1' });
    try {
      await once(socket, 'connect');
      socket.write(REQUEST);
      const [chunk] = (await once(socket, 'data')) as [Buffer];
      if (chunk.toString('latin1', 0, 12) === 'HTTP/1.1 200') return performance.now() - begun;
    } catch {
      // Nothing listens yet.
    } finally {
      socket.destroy();
    }
    await delay(2);
  }
}

export const startup: Scenario = {
  name: 'startup',
  summary: 'from `sluice start` to the first proxied answer',
  run: async ({ options, upstream, say }) => {
    const times: number[] = [];
    const count = Math.max(5, options.rounds * 2);
    // The first one fills the compile cache.
    for (let run = 0; run <= count; run++) {
      const port = await freePort();
      const begun = performance.now();
      const starting = startGateway({
        config: plainConfig(upstream.port),
        settings: { proxy_listen: `127.0.0.1:${port}`, nginx_worker_processes: 2 },
        env: { SLUICE_NO_RESTART: '' },
        wrapper: on(CORES.all),
      });
      const [time] = await Promise.all([firstAnswer(port, begun), starting]);
      await (await starting)[Symbol.asyncDispose]();
      if (run > 0) times.push(time);
      say(`${time.toFixed(0)} ms${run === 0 ? ' (not counted)' : ''}`);
    }
    const cells = [median(times), Math.min(...times), quantile(times, 1)].map((time) => time.toFixed(0));
    return {
      text: `### Start\n\n${table(['ms to the first proxied answer', 'median', 'best', 'worst'], [['sluice', ...cells]])}`,
      data: { times },
    };
  },
};
