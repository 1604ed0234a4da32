/** Plugins that fail: their request gets 500 or 504, the log names them, and everything else goes on. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Exchange } from '../../src/plugins/kit/exchange.ts';
import type { Filters } from '../../src/plugins/kit/filters.ts';
import { Reply, reply } from '../../src/plugins/kit/reply.ts';
import { startPlane, type PlaneOptions, type TestPlane } from '../support/data-plane.ts';
import { Http2Client, startHttp2Plane } from '../support/http2-plane.ts';
import { connectRaw, rawRequest } from '../support/raw-client.ts';
import { startEcho, startHttpUpstream } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';
import { logOf } from './support/log.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

function options(filters: Filters, settings: Readonly<Record<string, string>> = {}): PlaneOptions {
  return {
    plugins: [{ name: 'faulty', priority: 10, filters }],
    settings: { proxy_error_log: 'logs/error.log', ...settings },
  };
}

async function statusOf({ port }: TestPlane, request = GET): Promise<number | undefined> {
  return (await rawRequest(port, request)).responses[0]?.status;
}

const boom = (): never => {
  throw new Error('boom');
};
const never = (): Promise<never> => new Promise(() => {});
const odd = (value: unknown) => (): never => value as never;

describe('a filter that fails', () => {
  const FAILURES: ReadonlyArray<readonly [what: string, filters: Filters, said: RegExp]> = [
    ['throws in rewrite', { rewrite: boom }, /plugin failed: plugin faulty \([-0-9a-f]+\): Error: boom/],
    ['throws in access', { access: boom }, /plugin faulty .*boom/],
    ['rejects in access', { access: () => Promise.reject(new Error('boom')) }, /plugin faulty .*boom/],
    ['rejects with nothing', { access: () => Promise.reject() }, /plugin faulty .*undefined/],
    [
      'throws what has no text',
      {
        access: odd(undefined),
        rewrite: () => {
          throw Object.create(null);
        },
      },
      /no text/,
    ],
    ['throws in response', { response: boom }, /plugin faulty .*boom/],
    ['rejects in response', { response: () => Promise.reject(new Error('boom')) }, /plugin faulty .*boom/],
    ['throws in headerFilter', { headerFilter: boom }, /plugin faulty .*boom/],
    ['answers a number', { access: odd(7) }, /a filter answered a value of type number/],
    ['answers an object', { access: odd({ status: 200 }) }, /a filter answered a value of type object/],
    ['answers true, later', { access: () => Promise.resolve(true) as never }, /a value of type boolean/],
    ['answers with a status that is none', { access: () => reply(99) }, /99 is no status/],
    ['answers with 101', { access: () => reply(101) }, /101 is no status/],
    [
      'answers with a line break in a header',
      { access: () => reply(200, '', { 'X-A': 'a\r\nB: c' }) },
      /header X-A/,
    ],
    [
      'answers with a bad header later',
      { access: () => Promise.resolve(reply(200, '', { 'a b': '' })) },
      /'a b'/,
    ],
    [
      'answers with a header of the connection',
      { access: () => new Reply(200, '', null, { Upgrade: 'x' }) },
      /Upgrade/,
    ],
    ['makes a number of a body', { response: odd(7) }, /a body is bytes or a text/],
    [
      'sets a header with a line break',
      { headerFilter: ({ response }) => response.headers.set('A', 'b\nc') },
      /header A/,
    ],
    [
      'sets a status that is none',
      { headerFilter: ({ response }) => void (response.status = 1000) },
      /1000 is no status/,
    ],
    [
      'sets two Hosts',
      { access: ({ upstreamRequest }) => void (upstreamRequest.host = 'a b') },
      /is not a host/,
    ],
  ];
  for (const [what, filters, said] of FAILURES) {
    test(`${what}: 500, and the log says why`, async () => {
      await using upstream = await startEcho();
      await using plane = await startPlane(upstream.port, options(filters));
      const { responses } = await rawRequest(plane.port, GET + GET, { until: 2 });
      assert.deepEqual(
        responses.map(({ status }) => status),
        [500, 500],
      );
      assert.equal(
        (responses[0]?.json() as { message: string } | undefined)?.message,
        'An unexpected error occurred',
      );
      await logOf(plane, said);
    });
  }

  test('in bodyFilter: the response breaks off', async () => {
    await using upstream = await startEcho();
    await using plane = await startPlane(upstream.port, options({ bodyFilter: boom }));
    const { ending, text } = await rawRequest(plane.port, GET, { until: 'close' });
    assert.notEqual(ending, 'open');
    assert.ok(!text.endsWith('0\r\n\r\n'), text);
    await logOf(plane, /plugin faulty .*boom/);
  });

  test('in log: the response has left, and other logs run', async () => {
    const heard: string[] = [];
    await using upstream = await startEcho();
    await using plane = await startPlane(upstream.port, {
      settings: { proxy_error_log: 'logs/error.log' },
      plugins: [
        { name: 'faulty', priority: 10, filters: { log: boom } },
        { name: 'late', priority: 9, filters: { log: () => Promise.reject(new Error('later')) } },
        { name: 'good', priority: 1, filters: { log: () => void heard.push('good') } },
      ],
    });
    assert.equal(await statusOf(plane), 200);
    await logOf(plane, /plugin faulty .*boom/);
    await logOf(plane, /plugin late .*later/);
    assert.deepEqual(heard, ['good']);
  });
});

describe('a filter that does not settle', () => {
  const HANGING: ReadonlyArray<readonly [phase: string, filters: Filters]> = [
    ['rewrite', { rewrite: never }],
    ['access', { access: never }],
    ['response', { response: never }],
  ];
  for (const [phase, filters] of HANGING) {
    test(`in ${phase}: 504, and the log names it`, async () => {
      await using upstream = await startEcho();
      await using plane = await startPlane(upstream.port, options(filters, { plugin_timeout: '50' }));
      const { responses } = await rawRequest(plane.port, GET + GET, { until: 2 });
      assert.deepEqual(
        responses.map(({ status }) => status),
        [504, 504],
      );
      await logOf(
        plane,
        new RegExp(`plugin timeout: plugin faulty .* has not settled in ${phase} after 50 ms`),
      );
      await plane.settled();
    });
  }

  test('what comes late is passed over, and cannot read the next request', async () => {
    const gates: PromiseWithResolvers<void>[] = [];
    const seen: Array<string | undefined> = [];
    const outcomes: unknown[] = [];
    const late: Filters = {
      async access(exchange: Exchange) {
        if (exchange.request.path !== '/slow') return undefined;
        const gate = Promise.withResolvers<void>();
        gates.push(gate);
        await gate.promise;
        seen.push(exchange.request.headers.get('x-secret'), exchange.request.args.get('a')?.[0]);
        try {
          exchange.upstreamRequest.setBody('late');
        } catch (error) {
          outcomes.push((error as Error).message);
        }
        outcomes.push(exchange.signal.aborted);
        return reply(200, 'late');
      },
    };
    await using upstream = await startEcho();
    await using plane = await startPlane(upstream.port, options(late, { plugin_timeout: '50' }));
    await using client = await connectRaw(plane.port);
    client.write('GET /slow?a=1 HTTP/1.1\r\nHost: a\r\nX-Secret: mine\r\n\r\n');
    assert.equal((await client.readResponse()).status, 504);
    client.write('GET /other HTTP/1.1\r\nHost: a\r\nX-Secret: of somebody else\r\n\r\n');
    assert.equal((await client.readResponse()).status, 200);
    gates[0]?.resolve();
    await waitFor(() => outcomes.length === 2);
    assert.deepEqual(seen, [undefined, '1']);
    assert.deepEqual(outcomes, ['the request has been forwarded or answered', true]);
    client.write(GET);
    assert.equal((await client.readResponse()).status, 200);
  });

  test('a client that goes away: the signal says so, and nothing is left', async () => {
    for (const version of [1, 2]) {
      let aborted = 0;
      let waiting = 0;
      const waits: Filters = {
        access(exchange) {
          waiting++;
          const { promise, resolve } = Promise.withResolvers<void>();
          exchange.signal.addEventListener('abort', () => {
            aborted++;
            resolve();
          });
          return promise;
        },
      };
      await using upstream = await startEcho();
      const start = version === 1 ? startPlane : startHttp2Plane;
      await using plane = await start(upstream.port, options(waits));
      if (version === 1) {
        await using client = await connectRaw(plane.port);
        client.write(GET);
        await waitFor(() => waiting === 1);
        client.reset();
      } else {
        await using client = new Http2Client(plane.port);
        const stream = client.open({ ':path': '/' });
        await waitFor(() => waiting === 1);
        stream.close(8);
      }
      await waitFor(() => aborted === 1);
      await plane.settled();
      assert.equal(upstream.requests, 0);
    }
  });
});

test('a log filter that takes its time reads its own request and response, not those that came after', async () => {
  for (const start of [startPlane, startHttp2Plane]) {
    const gate = Promise.withResolvers<void>();
    const seen: unknown[] = [];
    const logs: Filters = {
      async log({ request, response, upstreamResponse, shared }) {
        if (shared.has('next') || request.path !== '/first') return;
        await gate.promise;
        seen.push(
          request.headers.get('x-who'),
          response.headers.get('x-up'),
          upstreamResponse.headers.get('x-up'),
        );
      },
    };
    await using upstream = await startHttpUpstream((request, answer) => {
      answer.setHeader('X-Up', request.url ?? '');
      answer.end('ok');
    });
    await using plane = await start(upstream.port, options(logs));
    if (start === startPlane) {
      await using client = await connectRaw(plane.port);
      for (const path of ['/first', '/second']) {
        client.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nX-Who: ${path}\r\n\r\n`);
        await client.readResponse();
      }
    } else {
      await using client = new Http2Client(plane.port);
      for (const path of ['/first', '/second']) await client.ask({ ':path': path, 'x-who': path });
    }
    gate.resolve();
    await waitFor(() => seen.length === 3);
    assert.deepEqual(seen, ['/first', '/first', '/first']);
  }
});
