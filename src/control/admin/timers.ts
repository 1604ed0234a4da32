/** `/timers`, in the shape of Kong's timer library: how many timers of the main thread wait. They have no names. */
import type { Gateway } from '../gateway.ts';
import { type Methods, json } from './resource.ts';

export function waitingTimers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
}

export function timers({ supervisor }: Gateway): Methods {
  return {
    GET: () => {
      const waiting = waitingTimers();
      return json(200, {
        worker: { id: -1, count: supervisor.workers.length },
        stats: {
          flamegraph: { running: '', pending: '', elapsed_time: '' },
          sys: { running: 0, pending: 0, waiting, total: waiting, runs: 0 },
          timers: {},
        },
      });
    },
  };
}
