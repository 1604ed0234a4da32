/** Load balancers ask at any moment, also in the one in which a revision goes to the workers. */
import assert from 'node:assert/strict';
import { Agent, get } from 'node:http';
import { test } from 'node:test';
import { startGateway } from '../support/gateway.ts';

const PROBES = 8;
const WRITES = 60;

function statusOf(url: string, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    get(url, { agent }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0));
    }).on('error', reject);
  });
}

test('a node is ready while its configuration changes', async () => {
  await using gateway = await startGateway({
    settings: { database: 'sqlite', nginx_worker_processes: 2 },
  });
  const agent = new Agent({ keepAlive: true, maxSockets: PROBES });
  const seen = new Map<number, number>();
  let ended = false;
  const probes = Array.from({ length: PROBES }, async () => {
    while (!ended) {
      const status = await statusOf(`${gateway.statusUrl}/status/ready`, agent);
      seen.set(status, (seen.get(status) ?? 0) + 1);
    }
  });
  for (let n = 0; n < WRITES; n++) {
    const response = await fetch(`${gateway.adminUrl}/services/s${n}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ host: 'up.test' }),
    });
    assert.equal(response.status, 200, await response.text());
  }
  ended = true;
  await Promise.all(probes);
  agent.destroy();
  assert.deepEqual([...seen.keys()], [200]);
});
