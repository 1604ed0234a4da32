/** Places of upstreams and targets: nobody gets one that there is not, who waits gets the next one, and none is lost. */
import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { startHttpUpstream, type Upstream } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';

const FULL = 'Too many requests to the upstream are in flight';
const CROWDED = 'Too many requests wait for the upstream';
const LATE = 'The request has waited too long for the upstream';

/** Requests that it has got and not answered, by the path. */
class Holding implements AsyncDisposable {
  readonly upstream: Upstream;
  readonly held: Array<{ readonly path: string; readonly response: ServerResponse }>;
  most = 0;

  private constructor(upstream: Upstream, held: Holding['held']) {
    this.upstream = upstream;
    this.held = held;
  }

  static async start(): Promise<Holding> {
    const held: Holding['held'] = [];
    const upstream = await startHttpUpstream((request, response) => {
      const one = { path: request.url ?? '', response };
      held.push(one);
      holding.most = Math.max(holding.most, held.length);
      response.on('close', () => {
        if (held.includes(one)) held.splice(held.indexOf(one), 1);
      });
    });
    const holding = new Holding(upstream, held);
    return holding;
  }

  async got(count: number): Promise<void> {
    await waitFor(() => this.held.length === count, { what: `${count} requests to be held` });
  }

  /** Answers the oldest. */
  release(): void {
    const [first] = this.held.splice(0, 1);
    first?.response.end(first.path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.upstream[Symbol.asyncDispose]();
  }
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly message: string | null;
  readonly retryAfter: string | null;
}

async function ask(gateway: Gateway, path: string, signal?: AbortSignal): Promise<Answer> {
  const response = await fetch(gateway.url + path, {
    headers: { connection: 'close' },
    ...(signal === undefined ? {} : { signal }),
  });
  const text = await response.text();
  const body = text.startsWith('{') ? (JSON.parse(text) as { message?: string }) : {};
  return {
    status: response.status,
    text,
    message: body.message ?? null,
    retryAfter: response.headers.get('retry-after'),
  };
}

function gatewayWith(
  targets: readonly Holding[],
  limits: object,
  { workers = 2, address = false } = {},
): Promise<Gateway> {
  const [only] = targets;
  return startGateway({
    config: {
      _format_version: '3.0',
      upstreams: [
        { name: 'up', targets: targets.map(({ upstream }) => ({ target: `127.0.0.1:${upstream.port}` })) },
      ],
      services: [
        {
          name: 's',
          ...(address ? { host: '127.0.0.1', port: only?.upstream.port } : { host: 'up' }),
          retries: 0,
          routes: [{ paths: ['/'], strip_path: false }],
          plugins: [{ name: 'upstream-limits', config: limits }],
        },
      ],
    },
    settings: { nginx_worker_processes: workers },
  });
}

const KINDS: ReadonlyArray<readonly [name: string, limits: object, address: boolean]> = [
  ['max_requests', { max_requests: 3 }, false],
  ['max_requests_per_target', { max_requests_per_target: 3 }, false],
  ['max_connections', { max_connections: 3 }, false],
  ['max_connections_per_target', { max_connections_per_target: 3 }, false],
  ['max_requests of an address', { max_requests: 3 }, true],
  ['max_requests_per_target of an address', { max_requests_per_target: 3 }, true],
];
for (const [name, limits, address] of KINDS) {
  test(`${name}: three are in flight over all workers, and further ones are answered at once`, async () => {
    await using target = await Holding.start();
    await using gateway = await gatewayWith([target], limits, { address });
    const asked = ['/1', '/2', '/3'].map((path) => ask(gateway, path));
    await target.got(3);
    for (let n = 0; n < 8; n++) {
      const { status, message, retryAfter } = await ask(gateway, '/more');
      assert.deepEqual({ status, message, retryAfter }, { status: 503, message: FULL, retryAfter: '1' });
    }
    for (let n = 0; n < 3; n++) target.release();
    assert.deepEqual(
      (await Promise.all(asked)).map(({ status }) => status),
      [200, 200, 200],
    );
    const more = ask(gateway, '/4');
    await target.got(1);
    target.release();
    assert.equal((await more).status, 200);
    assert.equal(target.most, 3);
  });
}

test('a target that is full is passed over; the upstream has room for as many as its targets have', async () => {
  await using one = await Holding.start();
  await using other = await Holding.start();
  await using gateway = await gatewayWith([one, other], { max_requests_per_target: 2 });
  const asked = ['/1', '/2', '/3', '/4'].map((path) => ask(gateway, path));
  await Promise.all([one.got(2), other.got(2)]);
  assert.equal((await ask(gateway, '/5')).message, FULL);
  // Its place is free by the time that its client has the answer.
  const [first] = one.held;
  one.release();
  await asked[Number(first?.path.slice(1)) - 1];
  const next = ask(gateway, '/6');
  await one.got(2);
  for (const holding of [one, one, other, other]) holding.release();
  await Promise.all([...asked, next]);
});

for (const limits of [{ max_requests: 1 }, { max_requests_per_target: 1 }]) {
  const [name = ''] = Object.keys(limits);
  test(`${name}: in one worker who waits comes first, in order; who has gone is left out`, async () => {
    await using target = await Holding.start();
    await using gateway = await gatewayWith(
      [target],
      { ...limits, max_pending: 3, pending_timeout: 60_000 },
      { workers: 1 },
    );
    const asked = [ask(gateway, '/0')];
    await target.got(1);
    const abort = new AbortController();
    let gone: Promise<unknown> = Promise.resolve();
    // One after the other: which of them came first must be certain.
    for (const path of ['/1', '/gone', '/2']) {
      const before = await waitingOf(gateway);
      if (path === '/gone') gone = ask(gateway, path, abort.signal).catch(() => null);
      else asked.push(ask(gateway, path));
      await waitFor(async () => (await waitingOf(gateway)) === before + 1, { what: `${path} to wait` });
    }
    const crowded = await ask(gateway, '/3');
    assert.deepEqual([crowded.status, crowded.message, crowded.retryAfter], [503, CROWDED, '1']);
    abort.abort();
    await gone;
    await waitFor(async () => (await waitingOf(gateway)) === 2, { what: 'the one that has gone to be out' });
    for (const path of ['/0', '/1', '/2']) {
      await target.got(1);
      assert.equal(target.held[0]?.path, path);
      target.release();
    }
    assert.deepEqual(
      (await Promise.all(asked)).map(({ text }) => text),
      ['/0', '/1', '/2'],
    );
    assert.equal(target.most, 1);
  });
}

/** As the metrics say it: a second old at most. */
async function waitingOf(gateway: Gateway): Promise<number> {
  const text = await (await fetch(`${gateway.statusUrl}/metrics`)).text();
  const found = /sluice_plugin_upstream_limits_waiting\{[^}]*\} (\d+)/.exec(text);
  return Number(found?.[1] ?? 0);
}

test('who has waited too long is told so', async () => {
  await using target = await Holding.start();
  await using gateway = await gatewayWith([target], {
    max_requests: 1,
    max_pending: 9,
    pending_timeout: 150,
  });
  const first = ask(gateway, '/0');
  await target.got(1);
  const { status, message, retryAfter } = await ask(gateway, '/late');
  assert.deepEqual({ status, message, retryAfter }, { status: 503, message: LATE, retryAfter: '1' });
  target.release();
  assert.equal((await first).status, 200);
});

test('a place that one worker frees wakes those that wait in another', async () => {
  await using target = await Holding.start();
  await using gateway = await gatewayWith([target], {
    max_requests: 2,
    max_pending: 100,
    pending_timeout: 60_000,
  });
  const asked = Array.from({ length: 40 }, (_, n) => ask(gateway, `/${n}`));
  for (let done = 0; done < asked.length; done++) {
    await target.got(Math.min(2, asked.length - done));
    target.release();
  }
  for (const answer of await Promise.all(asked)) assert.equal(answer.status, 200);
  assert.equal(target.most, 2);
});
