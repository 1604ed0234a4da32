/** hedging: a second target is asked when the first is slow, one answer wins, and the others are as if they had not been. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { requestText } from '../proxy/support/ask.ts';
import { startDnsServer } from '../support/dns-server.ts';
import { startGateway } from '../support/gateway.ts';
import { freePort } from '../support/ports.ts';
import { connectRaw, type RawConnection } from '../support/raw-client.ts';
import { startHttpUpstream } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';
import { Plans, sha256 } from './support/planned.ts';

const plans = new Plans();
const [a, b, c] = [await plans.start('a'), await plans.start('b'), await plans.start('c')];
const refused = await freePort();
const dns = await startDnsServer({
  'A two.test': [
    { type: 'A', ip: '127.0.0.1' },
    { type: 'A', ip: '127.0.0.2' },
  ],
  'A one.test': [{ type: 'A', ip: '127.0.0.1' }],
});
/** Both addresses. */
const named = await startHttpUpstream(
  (request, response) => {
    if (request.headers['x-hold'] === undefined || request.socket.localAddress === '127.0.0.2')
      response.end('ok');
  },
  { host: '0.0.0.0' },
);

const AMPLE = { percent: 100, min_per_second: 1000 };
const service = (name: string, host: string, config: object, fields: object = {}): object => ({
  name,
  host,
  port: named.port,
  retries: 0,
  plugins: [{ name: 'hedging', config: { delay: 0, budget: AMPLE, ...config } }],
  routes: [
    { name, paths: [`/${name}`] },
    { name: `${name}-streamed`, paths: [`/streamed/${name}`], request_buffering: false },
  ],
  ...fields,
});
const targets = (ports: readonly number[]): object[] =>
  ports.map((port) => ({ target: `127.0.0.1:${port}` }));
const CHECKS = { passive: { type: 'http', unhealthy: { http_failures: 1, tcp_failures: 1, timeouts: 1 } } };
const retried = { name: 'retry', config: { statuses: [503], attempts: 1, backoff_base: 0, budget: AMPLE } };
const hedged = { name: 'hedging', config: { delay: 0, budget: AMPLE } };

const gateway = await startGateway({
  config: {
    _format_version: '3.0',
    upstreams: [
      { name: 'abc', targets: targets([a.port, b.port, c.port]), healthchecks: CHECKS },
      { name: 'least', algorithm: 'least-connections', targets: targets([a.port, b.port]) },
      { name: 'ab', targets: targets([a.port, b.port]) },
      { name: 'half', targets: targets([a.port, refused]) },
    ],
    services: [
      service('two', 'abc', {}),
      service('three', 'abc', { max_attempts: 3 }),
      service('patient', 'abc', { delay: 60_000 }),
      service('pair', 'ab', {}),
      service('loaded', 'least', {}),
      service('plain', 'least', {}, { plugins: [] }),
      service('first', 'ab', { losing_statuses: [] }),
      service('poor', 'ab', { budget: { percent: 0, min_per_second: 0 } }),
      service('put', 'ab', { methods: ['PUT'] }),
      service('half', 'half', {}, { retries: 1 }),
      service('named', 'two.test', {}),
      service('alone', 'one.test', {}),
      service('again', 'ab', {}, { plugins: [hedged, retried] }),
    ],
  },
  // A reset of a connection that was idle would not count.
  settings: { dns_resolver: dns.address, request_buffer_size: '64k', upstream_keepalive_pool_size: 0 },
});
const port = gateway.proxyPort;

after(async () => {
  for (const each of [gateway, a, b, c, named, dns]) await each[Symbol.asyncDispose]();
});

let cases = 0;
interface Asked extends AsyncDisposable {
  readonly key: string;
  readonly connection: RawConnection;
  answer(): Promise<string>;
}

/** A request whose answer is not waited for yet. */
async function ask(to: string, plan: string, more: { method?: string; body?: string } = {}): Promise<Asked> {
  const key = `hedging ${++cases}`;
  const connection = await connectRaw(port);
  const { method = 'GET' } = more;
  connection.write(requestText({ target: `/${to}`, ...more, lines: [`X-Case: ${key}`, `X-Plan: ${plan}`] }));
  return {
    key,
    connection,
    answer: async () => {
      const { status, body } = await connection.readResponse({ method });
      return `${status} ${body.toString()}`;
    },
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  };
}

/** Requests of another connection have been hedged meanwhile: what is not by now, is not. */
async function meanwhile(): Promise<void> {
  await using other = await ask('two', 'hold 200');
  assert.match(await other.answer(), /^200 . 2 200$/);
}

const healthy = async (): Promise<string[]> => {
  const answer = await fetch(`${gateway.adminUrl}/upstreams/abc/health`);
  const { data } = (await answer.json()) as { data: Array<{ health: string }> };
  return data.map(({ health }) => health);
};

test('the first that answers wins; the other is cancelled, and counts as no failure', async () => {
  await using hedged = await ask('two', 'hold 200');
  assert.match(await hedged.answer(), /^200 . 2 200$/);
  await plans.is(hedged.key, 1, 'closed');
  const [first, second] = plans.of(hedged.key);
  assert.notEqual(first?.name, second?.name);
  assert.equal(plans.of(hedged.key).length, 2);
  assert.deepEqual(await healthy(), ['HEALTHY', 'HEALTHY', 'HEALTHY']);
});

test('the first wins also when it is the slow one: the hedge is cancelled', async () => {
  await using hedged = await ask('two', 'hold hold');
  await plans.came(hedged.key, 2);
  plans.go(hedged.key, 1);
  assert.match(await hedged.answer(), /^200 . 1 200$/);
  await plans.is(hedged.key, 2, 'closed');
});

test('the client’s connection and the gateway’s go on as if nothing had been', async () => {
  await using hedged = await ask('two', 'hold 200');
  await hedged.answer();
  for (let n = 0; n < 5; n++) {
    hedged.connection.write(
      requestText({ target: '/two', lines: [`X-Case: ${hedged.key} ${n}`, 'X-Plan: 200 200'] }),
    );
    const { status } = await hedged.connection.readResponse();
    assert.equal(status, 200);
  }
});

test('up to max_attempts, each to another target', async () => {
  await using hedged = await ask('three', 'hold hold hold hold');
  await plans.came(hedged.key, 3);
  assert.deepEqual(
    plans
      .of(hedged.key)
      .map(({ name }) => name)
      .toSorted(),
    ['a', 'b', 'c'],
  );
  plans.go(hedged.key, 2);
  assert.match(await hedged.answer(), /^200 . 2 200$/);
  await plans.is(hedged.key, 1, 'closed');
  await plans.is(hedged.key, 3, 'closed');
  assert.equal(plans.of(hedged.key).length, 3);
});

/** Service, plan, request: only one try comes. */
const SINGLE: ReadonlyArray<readonly [why: string, to: string, more: { method?: string; body?: string }]> = [
  ['the delay is not over', 'patient', {}],
  ['a POST', 'two', { method: 'POST', body: 'abc' }],
  ['a PUT', 'two', { method: 'PUT', body: 'abc' }],
  ['the budget is used up', 'poor', {}],
  ['a body that is streamed', 'streamed/put', { method: 'PUT', body: 'abc' }],
  ['a body that is too large to be kept', 'put', { method: 'PUT', body: 'x'.repeat(200_000) }],
];

for (const [why, to, more] of SINGLE) {
  test(`no other target is asked: ${why}`, async () => {
    await using single = await ask(to, 'hold 200', more);
    await plans.came(single.key, 1);
    await meanwhile();
    plans.go(single.key, 1);
    assert.match(await single.answer(), /^200 . 1 200$/);
    assert.equal(plans.of(single.key).length, 1);
  });
}

test('a body that is kept goes to both', async () => {
  const body = 'x'.repeat(65_536);
  await using hedged = await ask('put', 'hold 200', { method: 'PUT', body });
  assert.match(await hedged.answer(), /^200 . 2 200$/);
  assert.deepEqual(
    plans.of(hedged.key).map((one) => one.body),
    [sha256(body), sha256(body)],
  );
});

/** Service, plan, whether the first try is told to go on when the second is out → the answer. */
const POOR: ReadonlyArray<readonly [what: string, to: string, plan: string, answer: RegExp]> = [
  ['waits as long as another try is under way', 'pair', 'hold 503', /^200 . 1 200$/],
  ['is the answer when the other fails', 'pair', 'doom 503', /^503 . 2 503$/],
  ['is not, when the failure is tried again', 'again', 'doom 503 200', /^200 . 3 200$/],
  ['nor when the last try has an answer as well', 'again', 'doom 503 503', /^503 . 3 503$/],
  ['is the answer when the last try fails', 'again', 'doom 503 reset', /^503 . 2 503$/],
];

for (const [what, to, plan, answer] of POOR) {
  test(`a 503 ${what}: ${plan}`, async () => {
    await using hedged = await ask(to, plan);
    await plans.is(hedged.key, 2, 'answered');
    await meanwhile();
    assert.equal(hedged.connection.received.length, 0);
    plans.go(hedged.key, 1);
    assert.match(await hedged.answer(), answer);
  });
}

test('unless statuses are said not to lose', async () => {
  await using hedged = await ask('first', 'hold 503');
  assert.match(await hedged.answer(), /^503 . 2 503$/);
  await plans.is(hedged.key, 1, 'closed');
});

test('a target that refuses leaves the request to the other', async () => {
  for (let n = 0; n < 6; n++) {
    await using hedged = await ask('half', 'hold hold');
    await plans.came(hedged.key, 1);
    plans.go(hedged.key, 1);
    assert.match(await hedged.answer(), /^200 a 1 200$/);
  }
});

test('of a name the other address is asked; where there is none, nobody', async () => {
  const hold = (target: string): Promise<RawConnection> =>
    connectRaw(port).then((connection) => {
      connection.write(requestText({ target, lines: ['X-Hold: 1'] }));
      return connection;
    });
  for (let n = 0; n < 4; n++) {
    await using connection = await hold('/named');
    assert.equal((await connection.readResponse()).text(), 'ok');
  }
  const before = named.requests;
  await using alone = await hold('/alone');
  await waitFor(() => named.requests > before);
  await meanwhile();
  assert.equal(named.requests, before + 1);
  assert.equal(alone.received.length, 0);
});

test('what lost is in flight no more', async () => {
  for (let n = 0; n < 5; n++) {
    await using hedged = await ask('loaded', 'hold 200');
    assert.match(await hedged.answer(), /^200 . 2 200$/);
  }
  // Two requests at a time go to two targets, whichever lost before.
  await using one = await ask('plain', 'hold');
  await plans.came(one.key, 1);
  await using two = await ask('plain', 'hold');
  await plans.came(two.key, 1);
  assert.notEqual(plans.of(one.key)[0]?.name, plans.of(two.key)[0]?.name);
});

test('a client that goes ends all tries', async () => {
  await using hedged = await ask('two', 'hang hang');
  await plans.came(hedged.key, 2);
  hedged.connection.reset();
  await plans.is(hedged.key, 1, 'closed');
  await plans.is(hedged.key, 2, 'closed');
});

test('what was sent and won is counted', async () => {
  const text = await (await fetch(`${gateway.adminUrl}/metrics`)).text();
  const value = (name: string): number =>
    Number(new RegExp(`^sluice_plugin_hedging_${name}\\{[^}]*\\} (\\d+)`, 'm').exec(text)?.[1] ?? NaN);
  assert.ok(value('hedges_total') > 10);
  assert.ok(value('hedges_won_total') > 3);
  assert.ok(value('hedges_won_total') < value('hedges_total'));
  assert.equal(value('budget_exhausted_total'), 1);
});
