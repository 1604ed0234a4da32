/** Names of services and of targets that fail: those that do not exist, that have nothing, too much, or change all the time. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { send } from '../proxy/support/ask.ts';
import { type DnsRecord, startDnsServer } from '../support/dns-server.ts';
import { startGateway } from '../support/gateway.ts';
import { freePort } from '../support/ports.ts';
import { startCounting } from './support/counting.ts';
import { INVALID, linesWith } from './support/matrix.ts';

const MANY = 200;
const RETRIES = 2;
const many = Array.from({ length: MANY }, (_, n): DnsRecord => ({ type: 'A', ip: `127.0.1.${n + 1}` }));
const at = (ip: string): readonly DnsRecord[] => [{ type: 'A', ip, ttl: 1 }];

const counting = await startCounting();
const nobody = await freePort();
const dns = await startDnsServer({
  'AAAA empty.test': [{ type: 'AAAA', ip: '::1' }],
  'A nothing.test': [],
  'A broken.test': 'servfail',
  'A loop.test': at('127.0.0.1'),
  'A many.test': { truncate: many },
  'A flips.test': at('127.0.0.1'),
});

interface Named {
  readonly name: string;
  readonly port?: number;
}
const NAMES: readonly Named[] = [
  { name: 'unknown.test' },
  { name: 'empty.test' },
  { name: 'nothing.test' },
  { name: 'broken.test' },
  { name: 'loop.test' },
  { name: 'localhost' },
  { name: 'many.test' },
  { name: 'flips.test' },
  { name: 'many.test', port: nobody },
];
const keyOf = ({ name, port }: Named): string => (port === undefined ? name : `${name}-down`);
const shared = { retries: RETRIES, connect_timeout: 60_000 };
const gateway = await startGateway({
  config: {
    _format_version: '3.0',
    upstreams: NAMES.map((named) => ({
      name: `${keyOf(named)}.up`,
      targets: [{ target: `${named.name}:${named.port ?? counting.port}` }],
    })),
    services: NAMES.flatMap((named) => [
      {
        ...shared,
        name: keyOf(named),
        host: named.name,
        port: named.port ?? counting.port,
        routes: [{ paths: [`/name/${keyOf(named)}/`] }],
      },
      {
        ...shared,
        name: `${keyOf(named)}-up`,
        host: `${keyOf(named)}.up`,
        routes: [{ paths: [`/target/${keyOf(named)}/`] }],
      },
    ]),
  },
  settings: { dns_resolver: dns.address, dns_order: 'A' },
});

after(async () => {
  for (const each of [gateway, counting, dns]) await each[Symbol.asyncDispose]();
});

const NO_NAME = 'name resolution failed';
const NO_PEER = 'failure to get a peer from the ring-balancer';
const BROKEN = "failed the initial dns/balancer resolve for 'broken.test' with: server failure";

/** What is asked, its status and message, and the lines of the error log: one for each name or try that failed, and the last. */
const ROWS: ReadonlyArray<readonly [path: string, status: number, message: string, log: readonly RegExp[]]> =
  [
    ['/name/unknown.test/', 503, NO_NAME, [/name resolution failed: /]],
    ['/name/empty.test/', 503, NO_NAME, [/name resolution failed: /]],
    ['/name/nothing.test/', 503, NO_NAME, [/name resolution failed: /]],
    ['/name/broken.test/', 500, BROKEN, [/resolver failed: /]],
    ['/target/unknown.test/', 503, NO_PEER, [/name resolution failed: /, /no peer, /]],
    ['/target/empty.test/', 503, NO_PEER, [/name resolution failed: /, /no peer, /]],
    ['/target/nothing.test/', 503, NO_PEER, [/name resolution failed: /, /no peer, /]],
    ['/target/broken.test/', 503, NO_PEER, [/resolver failed: /, /no peer, /]],
    [
      '/name/many.test-down/',
      502,
      INVALID,
      Array.from({ length: RETRIES + 1 }, () => /upstream connect failed: /),
    ],
    [
      '/target/many.test-down/',
      502,
      INVALID,
      Array.from({ length: RETRIES + 1 }, () => /upstream connect failed: /),
    ],
  ];

for (const [path, status, message, log] of ROWS) {
  test(`${path}: ${status}, ${message}`, async (context) => {
    const begun = performance.now();
    const response = await send(gateway.proxyPort, { target: path, lines: ['Accept: application/json'] });
    context.diagnostic(`${status} after ${(performance.now() - begun).toFixed(0)} ms`);
    assert.equal(response.status, status);
    assert.equal(response.header('content-type'), 'application/json; charset=utf-8');
    const id = response.header('x-kong-request-id');
    assert.equal(response.text(), `{\n  "message":"${message}",\n  "request_id":"${id}"\n}`);
    const lines = await linesWith(gateway, 'error.log', ` ${path} `, log.length);
    assert.equal(lines.length, log.length, lines.join('\n'));
    for (const [n, line] of lines.entries()) assert.match(line, log[n] ?? /^$/);
  });
}

test('names of loopback are names as any other', async () => {
  for (const path of ['/name/loop.test/', '/target/loop.test/', '/name/localhost/', '/target/localhost/']) {
    const response = await send(gateway.proxyPort, { target: path });
    assert.deepEqual([response.status, response.text()], [200, '127.0.0.1'], path);
  }
});

for (const kind of ['name', 'target']) {
  test(`200 addresses of a ${kind} share what there is`, async () => {
    counting.asked.clear();
    for (let n = 0; n < 2 * MANY; n++) {
      const { status } = await send(gateway.proxyPort, { target: `/${kind}/many.test/` });
      assert.equal(status, 200);
    }
    assert.deepEqual([counting.asked.size, new Set(counting.asked.values())], [MANY, new Set([2])]);
  });

  test(`a ${kind} that flips every second: requests follow, and none fails`, async () => {
    const seen: string[] = [];
    for (let flip = 0; flip < 4; flip++) {
      const now = `127.0.0.${(flip % 2) + 1}`;
      dns.zone['A flips.test'] = at(now);
      // What is known may be as old as its TTL, and is asked for anew beside the requests.
      do {
        const response = await send(gateway.proxyPort, { target: `/${kind}/flips.test/` });
        assert.equal(response.status, 200);
        seen.push(response.text());
        await delay(5);
      } while (seen.at(-1) !== now);
    }
    const turns = seen.filter((ip, n) => ip !== seen[n - 1]);
    assert.ok(turns.length <= 5, `it went to and fro: ${turns.join()}`);
  });
}
