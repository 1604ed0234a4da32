/**
 * Kong's retries (the service's, without any plugin) as one table: method, body, how the upstream fails and how many retries
 * there are, against the number of tries and what the client gets. And where a retry goes.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { TryRecord } from '../../src/plugins/kit/tries.ts';
import { Plans, sha256 } from '../plugins/support/planned.ts';
import { type PlaneOptions, startPlane, type TestPlane } from '../support/data-plane.ts';
import { startDnsServer } from '../support/dns-server.ts';
import { freePort } from '../support/ports.ts';
import { connectRaw } from '../support/raw-client.ts';
import { waitFor } from '../support/wait.ts';
import { requestText, send } from './support/ask.ts';

const plans = new Plans();
const a = await plans.start('a');
const refused = await freePort();
after(() => a[Symbol.asyncDispose]());

const KINDS = ['refused', 'reset', 'hang', 'half', 'garbage', '503'] as const;
const BODIES = ['none', 'kept', 'streamed'] as const;
const METHODS = ['GET', 'PUT', 'DELETE', 'POST', 'PATCH', 'LOCK'] as const;
const SETTINGS = { upstream_keepalive_pool_size: '0' };

type Kind = (typeof KINDS)[number];

/** The rule: was it sent, may it be sent twice, is it still there. */
function isRepeated(kind: Kind, method: string, body: string): boolean {
  if (kind === 'refused') return true;
  if (kind !== 'reset' && kind !== 'hang') return false;
  return !['POST', 'PATCH', 'LOCK'].includes(method) && body !== 'streamed';
}

const STATUS: Readonly<Record<Kind, number>> = {
  refused: 502,
  reset: 502,
  hang: 504,
  half: 502,
  garbage: 502,
  '503': 503,
};

let logged: Array<readonly TryRecord[]> = [];

async function planeFor(kind: Kind, streamed: boolean, retries: number): Promise<TestPlane> {
  const patient = { connect: 60_000, write: 60_000, read: 60_000 };
  const options: PlaneOptions = {
    settings: SETTINGS,
    route: { requestBuffering: !streamed },
    service: { retries, timeouts: kind === 'hang' ? { ...patient, read: 50 } : patient },
    plugins: [{ name: 'watcher', priority: 1, filters: { log: ({ tries }) => void logged.push(tries) } }],
  };
  return startPlane(kind === 'refused' ? refused : a.port, options);
}

for (const kind of KINDS) {
  for (const retries of [0, 2]) {
    test(`retries: ${retries}: ${kind}`, async () => {
      for (const body of BODIES) {
        await using plane = await planeFor(kind, body === 'streamed', retries);
        for (const method of METHODS) {
          const what = `${kind} ${retries} ${method} ${body}`;
          logged = [];
          const plan = Array.from({ length: 9 }, () => kind).join(' ');
          const lines = [`X-Case: ${what}`, `X-Plan: ${plan}`];
          const response = await send(plane.port, {
            method,
            lines,
            ...(body === 'none' ? {} : { body: 'abc' }),
          });
          assert.equal(response.status, STATUS[kind], what);
          await waitFor(() => logged.length > 0, { what: 'the log phase' });
          const tries = isRepeated(kind, method, body) ? retries + 1 : 1;
          assert.equal(logged[0]?.length, tries, what);
          const seen = plans.of(what);
          if (kind !== 'refused') assert.equal(seen.length, tries, what);
          for (const one of seen) assert.equal(one.body, body === 'none' ? '' : sha256('abc'), what);
        }
      }
    });
  }
}

test('a retry goes to an address of the name that was not tried, whatever other requests had meanwhile', async () => {
  const hosts = ['127.0.0.1', '127.0.0.2', '127.0.0.3'];
  await using dns = await startDnsServer({ 'A three.test': hosts.map((ip) => ({ type: 'A' as const, ip })) });
  const port = await freePort();
  await using stack = new AsyncDisposableStack();
  for (const host of hosts) stack.use(await plans.start(host, { port, host }));
  await using plane = await startPlane(port, {
    settings: { ...SETTINGS, dns_resolver: dns.address },
    service: { host: 'three.test', retries: 2 },
  });
  const others = async (count: number): Promise<void> => {
    for (let n = 0; n < count; n++) assert.equal((await send(plane.port)).status, 200);
  };
  for (let between = 0; between < 6; between++) {
    const key = `addresses ${between}`;
    await using connection = await connectRaw(plane.port);
    connection.write(requestText({ lines: [`X-Case: ${key}`, 'X-Plan: doom doom 200'] }));
    for (const number of [1, 2]) {
      await plans.came(key, number);
      // So that the turn comes back to the very address.
      await others(between);
      plans.go(key, number);
    }
    assert.equal((await connection.readResponse()).status, 200);
    assert.deepEqual(
      plans
        .of(key)
        .map(({ name }) => name)
        .toSorted(),
      hosts,
    );
  }
});
