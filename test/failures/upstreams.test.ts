/** Upstreams without anybody who could answer, and upstreams that are renamed, deleted and made anew under load. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { send } from '../proxy/support/ask.ts';
import { startDnsServer } from '../support/dns-server.ts';
import { startGateway } from '../support/gateway.ts';
import { freePorts } from '../support/ports.ts';
import { startCounting } from './support/counting.ts';
import { startLoad } from './support/load.ts';
import { INVALID, linesWith } from './support/matrix.ts';

const NO_PEER = 'failure to get a peer from the ring-balancer';
const NO_NAME = 'name resolution failed';
const RETRIES = 3;

test('nobody who could answer: status, message, lines, and what they took', async (context) => {
  const [one = 0, two = 0] = await freePorts(2);
  const down = [`127.0.0.1:${one}`, `127.0.0.1:${two}`];
  const passive = { passive: { unhealthy: { tcp_failures: 2 } } };
  const upstreams: ReadonlyArray<
    readonly [name: string, targets: readonly string[], weight: number, healthchecks?: object]
  > = [
    ['none', [], 100],
    ['zero', down, 0],
    ['down', down, 100],
    ['checked', down, 100, passive],
    ['zero-checked', down, 0, passive],
  ];
  await using gateway = await startGateway({
    config: {
      _format_version: '3.0',
      upstreams: upstreams.map(([name, targets, weight, healthchecks = {}]) => ({
        name: `${name}.up`,
        healthchecks,
        targets: targets.map((target) => ({ target, weight })),
      })),
      services: upstreams.map(([name]) => ({
        name,
        host: `${name}.up`,
        retries: RETRIES,
        routes: [{ paths: [`/${name}`] }],
      })),
    },
  });
  const tried = (count: number): RegExp[] => Array.from({ length: count }, () => /upstream connect failed: /);
  /** In this order: the failures of the fourth row take both targets out, so that the fifth has nobody. */
  const rows: ReadonlyArray<
    readonly [path: string, status: number, message: string, log: readonly RegExp[]]
  > = [
    ['/none/a', 503, NO_PEER, [/no peer, /]],
    ['/zero/a', 503, NO_PEER, [/no peer, /]],
    ['/down/a', 502, INVALID, tried(RETRIES + 1)],
    ['/checked/a', 502, INVALID, tried(RETRIES + 1)],
    ['/checked/b', 503, NO_PEER, [/no peer, /]],
    ['/zero-checked/a', 503, NO_PEER, [/no peer, /]],
  ];
  for (const [path, status, message, log] of rows) {
    const begun = performance.now();
    const response = await send(gateway.proxyPort, { target: path, lines: ['Accept: application/json'] });
    context.diagnostic(`${path}: ${response.status} after ${(performance.now() - begun).toFixed(0)} ms`);
    const id = response.header('x-kong-request-id');
    assert.deepEqual(
      [response.status, response.text()],
      [status, `{\n  "message":"${message}",\n  "request_id":"${id}"\n}`],
      path,
    );
    const lines = await linesWith(gateway, 'error.log', ` ${path} `, log.length);
    assert.equal(lines.length, log.length, lines.join('\n'));
    for (const [n, line] of lines.entries()) assert.match(line, log[n] ?? /^$/);
  }
});

test('upstreams that are renamed, deleted and made anew under load', async (context) => {
  await using counting = await startCounting();
  await using dns = await startDnsServer({});
  await using gateway = await startGateway({
    settings: {
      database: 'sqlite',
      nginx_worker_processes: 2,
      dns_resolver: dns.address,
      dns_not_found_ttl: 1,
    },
  });
  const write = async (method: string, path: string, body?: object): Promise<void> => {
    const init = { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    const response = await fetch(gateway.adminUrl + path, { method, ...(body === undefined ? {} : init) });
    assert.ok(response.ok, `${method} ${path}: ${await response.text()}`);
  };
  const target = { target: `127.0.0.1:${counting.port}` };
  await write('PUT', '/upstreams/a.up', {});
  await write('POST', '/upstreams/a.up/targets', target);
  await write('PUT', '/services/s', { host: 'a.up', retries: 0 });
  await write('PUT', '/routes/r', { service: { name: 's' }, paths: ['/s'] });
  /** What is done, and what requests may get meanwhile but 200. */
  const steps: ReadonlyArray<readonly [what: string, allowed: readonly string[], run: () => Promise<void>]> =
    [
      [
        'another upstream takes over, and the old one goes',
        [],
        async () => {
          await write('PUT', '/upstreams/b.up', {});
          await write('POST', '/upstreams/b.up/targets', target);
          await write('PATCH', '/services/s', { host: 'b.up' });
          await write('DELETE', '/upstreams/a.up');
          await write('PUT', '/upstreams/a.up', {});
          await write('POST', '/upstreams/a.up/targets', target);
          await write('PATCH', '/services/s', { host: 'a.up' });
          await write('DELETE', '/upstreams/b.up');
        },
      ],
      [
        'a rename that the service follows late',
        [`503 ${NO_NAME}`],
        async () => {
          await write('PATCH', '/upstreams/a.up', { name: 'c.up' });
          await write('PATCH', '/services/s', { host: 'c.up' });
          await write('PATCH', '/services/s', { host: 'a.up' });
          await write('PATCH', '/upstreams/c.up', { name: 'a.up' });
        },
      ],
      [
        'deleted and made anew',
        [`503 ${NO_NAME}`, `503 ${NO_PEER}`],
        async () => {
          await write('DELETE', '/upstreams/a.up');
          await write('PUT', '/upstreams/a.up', {});
          await write('POST', '/upstreams/a.up/targets', target);
        },
      ],
      [
        'its only target deleted and made anew',
        [`503 ${NO_PEER}`],
        async () => {
          await write('DELETE', `/upstreams/a.up/targets/${target.target}`);
          await write('POST', '/upstreams/a.up/targets', target);
        },
      ],
      [
        'a target beside it that comes and goes',
        [],
        async () => {
          const beside = `127.0.0.2:${counting.port}`;
          await write('POST', '/upstreams/a.up/targets', { target: beside });
          await write('PATCH', `/upstreams/a.up/targets/${beside}`, { weight: 0 });
          await write('DELETE', `/upstreams/a.up/targets/${beside}`);
        },
      ],
      [
        'its fields',
        [],
        async () => {
          await write('PATCH', '/upstreams/a.up', { algorithm: 'least-connections' });
          await write('PATCH', '/upstreams/a.up', { hash_on: 'ip' });
          await write('PATCH', '/upstreams/a.up', { algorithm: 'round-robin', hash_on: 'none' });
        },
      ],
    ];
  for (const [what, allowed, run] of steps) {
    const load = startLoad(gateway.proxyPort, '/s');
    // Both workers serve the end of the step before.
    await load.quiet();
    for (let round = 0; round < 5; round++) await run();
    await load.quiet();
    const seen = await load.stop();
    context.diagnostic(`${what}: ${[...seen].map(([answer, count]) => `${count} × ${answer}`).join(', ')}`);
    const unexpected = [...seen.keys()].filter((answer) => answer !== '200' && !allowed.includes(answer));
    assert.deepEqual(unexpected, [], what);
  }
});
