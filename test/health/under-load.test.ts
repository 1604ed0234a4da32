/** A target that dies while many requests a second go to it: how many of them clients see fail. */
import assert from 'node:assert/strict';
import { Agent, request } from 'node:http';
import { after, test } from 'node:test';
import { startGateway } from '../support/gateway.ts';
import { waitFor } from '../support/wait.ts';
import { configOf, tell, waitHealth } from './support/health.ts';
import { Target } from './support/target.ts';

const MAX_ERRORS = 20;
const CLIENTS = 16;
const healthchecks = { passive: { unhealthy: { tcp_failures: 2, timeouts: 1, http_failures: 3 } } };

const [one, two, dying] = await Promise.all([Target.start(), Target.start(), Target.start()]);
const targets = [one, two, dying];
const gateway = await startGateway({
  config: configOf([
    { name: 'once', targets, healthchecks },
    { name: 'again', targets, healthchecks, service: { retries: 2 } },
  ]),
  settings: { nginx_worker_processes: 2 },
});
const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });

after(async () => {
  agent.destroy();
  await gateway[Symbol.asyncDispose]();
  for (const each of targets) await each[Symbol.asyncDispose]();
});

function ask(path: string): Promise<number> {
  return new Promise((resolve) => {
    const sent = request({ port: gateway.proxyPort, host: '127.0.0.1', path, agent }, (response) => {
      response.on('end', () => resolve(response.statusCode ?? 0)).resume();
    });
    sent.on('error', () => resolve(-1)).end();
  });
}

/** Clients that ask again as soon as they have their answer, until they are told to stop. */
function load(path: string): { readonly statuses: number[]; stop(): Promise<void> } {
  const statuses: number[] = [];
  let stopped = false;
  const client = async (): Promise<void> => {
    while (!stopped) statuses.push(await ask(path));
  };
  const clients = Array.from({ length: CLIENTS }, client);
  return {
    statuses,
    stop: async () => {
      stopped = true;
      await Promise.all(clients);
    },
  };
}

const MANNERS = ['refuse', 500, 'cut'] as const;
for (const [name, most] of [
  ['once', MAX_ERRORS],
  ['again', 0],
] as const) {
  for (const manner of MANNERS) {
    // A status is an answer, and no reason to try again.
    const allowed = manner === 500 ? MAX_ERRORS : most;
    test(`${String(manner)}, ${most === 0 ? 'with' : 'without'} retries: at most ${allowed} errors`, async (context) => {
      const running = load(`/${name}`);
      await waitFor(() => running.statuses.length > 500);
      const begun = performance.now();
      const before = running.statuses.length;
      await dying.behave(manner);
      await waitHealth(gateway, `${name}.up`, dying, 'UNHEALTHY');
      // What was on its way has arrived.
      const arrived = running.statuses.length;
      await waitFor(() => running.statuses.length > arrived + 200);
      const reached = dying.count(`/${name} `);
      const then = running.statuses.length;
      await waitFor(() => running.statuses.length > then + 500);
      const seconds = (performance.now() - begun) / 1000;
      await running.stop();
      const errors = running.statuses.filter((status) => status !== 200).length;
      const rate = Math.round((running.statuses.length - before) / seconds);
      context.diagnostic(`${errors} errors of ${running.statuses.length} requests, ${rate} a second`);
      assert.ok(errors <= allowed, `${errors} errors`);
      assert.equal(dying.count(`/${name} `), reached, 'nothing after the threshold');
      await dying.behave(200);
      assert.equal(await tell(gateway, `${name}.up`, `${dying.at}/healthy`), 204);
    });
  }
}
