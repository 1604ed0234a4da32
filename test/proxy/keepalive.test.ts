/** Connections to upstreams and from clients: how many there are, how long they stay, and what they carry. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { startGateway } from '../support/gateway.ts';
import { connectRaw } from '../support/raw-client.ts';
import { startEcho, startHttpUpstream, type Echo } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';
import { requestText, send } from './support/ask.ts';
import { withSettings } from './support/settings.ts';

const echo = await startEcho();
let release: () => void = () => {};
const held = await startHttpUpstream(async (_, response) => {
  await new Promise<void>((resolve) => {
    const before = release;
    release = () => {
      before();
      resolve();
    };
  });
  response.end('held');
});
const gateway = await startGateway({
  config: {
    _format_version: '3.0',
    services: [
      { name: 'echo', url: echo.url, routes: [{ name: 'echo', paths: ['/echo'] }] },
      { name: 'echo-2', url: `${echo.url}/x`, routes: [{ name: 'echo-2', paths: ['/other'] }] },
      { name: 'held', url: held.url, routes: [{ name: 'held', paths: ['/held'] }] },
    ],
  },
});
const port = gateway.proxyPort;

after(async () => {
  for (const each of [gateway, echo, held]) await each[Symbol.asyncDispose]();
});

const connectionsOf = async (requests: number): Promise<number[]> => {
  const first = echo.connections;
  const numbers: number[] = [];
  for (let i = 0; i < requests; i++) {
    const response = await send(port, { target: i % 2 === 0 ? '/echo' : '/other' });
    numbers.push((response.json() as Echo).connection - first);
  }
  return numbers;
};

const POOLS: ReadonlyArray<
  readonly [settings: Readonly<Record<string, string>>, numbers: readonly number[]]
> = [
  [{ upstream_keepalive_pool_size: '0' }, [1, 2, 3, 4]],
  [{ upstream_keepalive_max_requests: '3' }, [1, 1, 1, 2, 2, 2, 3]],
  [{ upstream_keepalive_max_requests: '1' }, [1, 2, 3]],
  [{ upstream_keepalive_max_requests: '0' }, [1, 1, 1, 1]],
  [{ upstream_keepalive_idle_timeout: '0' }, [1, 1, 1]],
];

for (const [settings, numbers] of POOLS) {
  test(`pool: ${JSON.stringify(settings)}`, async () => {
    await withSettings(gateway, { upstream_keepalive_pool_size: '0' }, async () => {
      // Whatever the pool holds is used up.
      while (echo.open > 0) {
        await send(port, { target: '/echo' });
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    });
    await withSettings(gateway, settings, async () => {
      assert.deepEqual(await connectionsOf(numbers.length), numbers);
    });
  });
}

test('pool: services of one address share it, and one client after the other', async () => {
  await withSettings(gateway, {}, async () => {
    const numbers = await connectionsOf(4);
    assert.equal(new Set(numbers).size, 1);
  });
});

test('pool: no more idle connections than its size', async () => {
  await withSettings(gateway, { upstream_keepalive_pool_size: '2' }, async () => {
    const before = held.requests;
    const answers = Array.from({ length: 5 }, () => send(port, { target: '/held' }));
    await waitFor(() => held.requests - before === 5);
    assert.equal(held.open, 5);
    release();
    for (const answer of await Promise.all(answers)) assert.equal(answer.status, 200);
    await waitFor(() => held.open === 2, { what: 'two connections to be left' });
  });
});

test('pool: an idle connection ends after its time', async () => {
  await withSettings(gateway, { upstream_keepalive_idle_timeout: '1' }, async () => {
    await send(port, { target: '/echo' });
    await waitFor(() => echo.open === 0, { what: 'the idle connection to end' });
  });
});

test('pool: an upstream that says close is not reused', async () => {
  await using closing = await startHttpUpstream((_, response) => {
    response.setHeader('connection', 'close');
    response.end('x');
  });
  await gateway.postConfig({
    _format_version: '3.0',
    services: [{ url: closing.url, name: 'closing', routes: [{ name: 'closing', paths: ['/'] }] }],
  });
  try {
    for (let i = 1; i <= 3; i++) {
      assert.equal((await send(port, { target: '/' })).header('connection'), undefined);
      assert.equal(closing.connections, i);
    }
  } finally {
    await gateway.reload();
  }
});

test('client: keepalive_requests', async () => {
  await withSettings(gateway, { nginx_http_keepalive_requests: '3' }, async () => {
    await using connection = await connectRaw(port);
    for (const expected of [undefined, undefined, 'close']) {
      connection.write(requestText({ target: '/echo' }));
      assert.equal((await connection.readResponse()).header('connection'), expected);
    }
    assert.equal(await connection.closed(), 'end');
  });
});

test('client: keepalive_timeout ends an idle connection; 0 turns keep-alive off', async () => {
  await withSettings(gateway, { nginx_http_keepalive_timeout: '300ms' }, async () => {
    await using connection = await connectRaw(port);
    connection.write(requestText({ target: '/echo' }));
    assert.equal((await connection.readResponse()).header('connection'), undefined);
    assert.equal(await connection.closed(), 'end');
  });
  await withSettings(gateway, { nginx_http_keepalive_timeout: '0' }, async () => {
    await using connection = await connectRaw(port);
    connection.write(requestText({ target: '/echo' }));
    assert.equal((await connection.readResponse()).header('connection'), 'close');
    assert.equal(await connection.closed(), 'end');
  });
});

test('client: pipelined requests are answered in order, the last of a closing one ends it', async () => {
  await gateway.reload();
  await using connection = await connectRaw(port);
  const all = Array.from({ length: 50 }, (_, i) =>
    requestText({
      target: i % 10 === 9 ? '/nowhere' : `/echo/${i}`,
      lines: i === 49 ? ['Connection: close'] : [],
    }),
  );
  connection.write(all.join('') + requestText({ target: '/echo/never' }));
  for (let i = 0; i < 50; i++) {
    const response = await connection.readResponse();
    if (i % 10 === 9) assert.equal(response.status, 404);
    else assert.equal((response.json() as Echo).url, `/${i}`);
  }
  assert.equal(await connection.closed(), 'end');
  assert.equal(connection.unread.length, 0);
});
