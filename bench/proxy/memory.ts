/** Resident memory with two workers: idle, then over minutes of load, where it should stay flat. */
import { setTimeout as delay } from 'node:timers/promises';
import { type Gateway, startGateway } from '../../test/support/gateway.ts';
import { plainConfig } from '../contenders/sluice.ts';
import { family, residentMemory } from '../support/proc.ts';
import { writeRequests } from '../support/request-file.ts';
import type { Scenario } from '../support/scenario.ts';
import { table } from '../support/table.ts';
import { runLoad } from '../support/wrk.ts';

const MIB = 2 ** 20;
/** Seconds that the gateway is left alone before it counts as idle. */
const SETTLE = 5;

interface Sample {
  readonly minute: number;
  readonly bytes: number;
}

export const memory: Scenario = {
  name: 'memory',
  summary: 'resident memory with two workers, idle and over --minutes of load',
  run: async (context) => {
    const { options, upstream, say } = context;
    const requests = await writeRequests(context, 'memory', [
      { method: 'GET', path: '/api/v1/orders/4711?expand=items' },
      { method: 'GET', path: '/100k' },
    ]);
    const start = (database: string): Promise<Gateway> =>
      startGateway({
        config: plainConfig(upstream.port),
        settings: { nginx_worker_processes: 2, proxy_access_log: 'off', database },
        // With the launcher's supervisor, as it is in production: its memory counts too.
        env: { SLUICE_NO_RESTART: '' },
      });
    const settled = async ({ pid }: Gateway): Promise<number> => {
      await delay(SETTLE * 1000);
      const bytes = residentMemory(pid);
      say(`idle: ${(bytes / MIB).toFixed(1)} MiB in ${family(pid).length} processes`);
      return bytes;
    };
    let sqlite: number;
    {
      await using other = await start('sqlite');
      sqlite = await settled(other);
    }
    await using gateway = await start('off');
    const idle = await settled(gateway);
    const samples: Sample[] = [];
    const begun = performance.now();
    const minutes = (): number => (performance.now() - begun) / 60_000;
    let failed = 0;
    while (minutes() < options.minutes) {
      const load = { port: gateway.proxyPort, requests, bodySize: 0, connections: 64 } as const;
      failed += (await runLoad({ ...load, seconds: 10 })).failed;
      samples.push({ minute: minutes(), bytes: residentMemory(gateway.pid) });
      say(`${minutes().toFixed(1)} min: ${((samples.at(-1)?.bytes ?? 0) / MIB).toFixed(1)} MiB`);
    }
    const at = (share: number): string =>
      ((samples[Math.round((samples.length - 1) * share)]?.bytes ?? 0) / MIB).toFixed(1);
    const header = [
      'resident MiB, two workers',
      'idle with SQLite',
      'without a database',
      'under load: first',
      'a quarter',
      'half',
      'last',
      'failed',
    ];
    const row = [
      'sluice',
      (sqlite / MIB).toFixed(1),
      (idle / MIB).toFixed(1),
      at(0),
      at(0.25),
      at(0.5),
      at(1),
      String(failed),
    ];
    return {
      text: `### Memory over ${options.minutes} minutes\n\n${table(header, [row])}`,
      data: { sqlite, idle, samples, failed },
    };
  },
};
