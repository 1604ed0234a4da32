/**
 * Retries and hedges of many requests at once, upstreams that fail in every way, and clients that go in the middle: whoever
 * stays has one whole answer, and in the end nothing is left of any try.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requestText } from '../proxy/support/ask.ts';
import { startPlane } from '../support/data-plane.ts';
import { startDnsServer } from '../support/dns-server.ts';
import { freePort } from '../support/ports.ts';
import { connectRaw } from '../support/raw-client.ts';
import { waitFor } from '../support/wait.ts';
import { CELL } from '../../src/zone/worker-zone.ts';
import { Plans } from './support/planned.ts';

const STEPS = ['200', '503', 'reset', 'hang', 'half', 'garbage', 'endless', '503;0', '404'];
const AMPLE = { percent: 100, min_per_second: 100_000 };
const CLIENTS = 12;
const REQUESTS = 8;

test('a storm of retries and hedges leaves nothing', async () => {
  const hosts = ['127.0.0.1', '127.0.0.2'];
  await using dns = await startDnsServer({ 'A two.test': hosts.map((ip) => ({ type: 'A' as const, ip })) });
  const plans = new Plans();
  const port = await freePort();
  await using one = await plans.start('one', { port, host: '127.0.0.1' });
  await using two = await plans.start('two', { port, host: '127.0.0.2' });
  await using plane = await startPlane(port, {
    settings: { dns_resolver: dns.address },
    service: { host: 'two.test', retries: 3, timeouts: { connect: 60_000, write: 60_000, read: 400 } },
    plugins: [
      {
        name: 'retry',
        config: {
          statuses: [503],
          on: ['connect_failure', 'timeout', 'reset', 'invalid_response'],
          per_try_timeout: 200,
          backoff_base: 2,
          budget: AMPLE,
        },
      },
      { name: 'hedging', config: { delay: 5, max_attempts: 3, budget: AMPLE } },
    ],
  });
  let seed = 7;
  const random = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((seed / 2 ** 31) * below);
  };
  const statuses = new Set<number>();
  const client = async (id: number): Promise<void> => {
    for (let n = 0; n < REQUESTS; n++) {
      const plan = Array.from({ length: 6 }, () => STEPS[random(STEPS.length)]).join(' ');
      await using connection = await connectRaw(plane.port);
      const key = `${id} ${n}`;
      connection.write(requestText({ lines: [`X-Case: ${key}`, `X-Plan: ${plan}`] }));
      if (random(4) === 0) {
        await plans.came(key, 1);
        connection.reset();
        continue;
      }
      // An answer whose end never comes, and that no try is left for, is broken off.
      const response = await connection.readResponse().catch(() => null);
      statuses.add(response?.status ?? 0);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, (_, id) => client(id)));
  for (const status of statuses) assert.ok([0, 200, 404, 502, 503, 504].includes(status), String(status));
  await plane.settled();
  const open = (): number => one.open + two.open;
  await waitFor(() => open() === plane.zone.get(CELL.upstreamIdle), {
    what: 'only idle connections to be open',
  });
});
