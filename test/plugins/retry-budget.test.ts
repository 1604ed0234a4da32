/** Retries and an outage: what an upstream that is wholly down has to bear, all workers together. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requestText, send } from '../proxy/support/ask.ts';
import { startGateway } from '../support/gateway.ts';
import { connectRaw } from '../support/raw-client.ts';
import { startHttpUpstream } from '../support/upstream.ts';

const REQUESTS = 400;
const CONNECTIONS = 8;

for (const [what, percent, most] of [
  ['a budget of a fifth', 20, 80],
  ['none', 0, 0],
] as const) {
  test(`an upstream that is wholly down gets ${REQUESTS} requests and at most ${most} more with ${what}`, async () => {
    await using upstream = await startHttpUpstream((_request, response) => {
      response.writeHead(503);
      response.end();
    });
    const budget = { percent, min_per_second: 0, window: 3600 };
    const config = { statuses: [503], attempts: 5, backoff_base: 0, budget };
    await using gateway = await startGateway({
      config: {
        _format_version: '3.0',
        services: [
          {
            name: 's',
            url: upstream.url,
            routes: [{ name: 'r', paths: ['/'] }],
            plugins: [{ name: 'retry', config }],
          },
        ],
      },
      settings: { nginx_worker_processes: 2 },
    });
    const client = async (): Promise<void> => {
      await using connection = await connectRaw(gateway.proxyPort);
      for (let n = 0; n < REQUESTS / CONNECTIONS; n++) {
        connection.write(requestText({}));
        assert.equal((await connection.readResponse()).status, 503);
      }
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, client));
    const extra = upstream.requests - REQUESTS;
    assert.ok(extra <= most, `${extra} retries of ${REQUESTS} requests`);
    // All of it is used: each request would like five.
    assert.ok(extra >= most - CONNECTIONS, `${extra} retries of ${REQUESTS} requests`);
    const metrics = await (await fetch(`${gateway.adminUrl}/metrics`)).text();
    const counted = /^sluice_plugin_retry_retries_total\{[^}]*reason="status"[^}]*\} (\d+)/m.exec(metrics);
    assert.equal(Number(counted?.[1] ?? 0), extra);
    assert.match(metrics, /^sluice_plugin_retry_budget_exhausted_total\{[^}]*\} [1-9]/m);
    assert.equal((await send(gateway.proxyPort)).status, 503);
  });
}
