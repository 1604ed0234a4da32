/** Bodies of requests that plugins read or replace, with every framing, bound and end. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import type { Filters } from '../../src/plugins/kit/filters.ts';
import { BodyTooLarge } from '../../src/plugins/kit/exchange.ts';
import { refuse } from '../../src/plugins/kit/reply.ts';
import { startPlane, type PlaneOptions } from '../support/data-plane.ts';
import { Http2Client, startHttp2Plane } from '../support/http2-plane.ts';
import { connectRaw, rawRequest } from '../support/raw-client.ts';
import { type Echo, startEcho, startHttpUpstream } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';

const plugin = (...filters: Filters[]): PlaneOptions => ({
  plugins: filters.map((one, at) => ({ name: `p${at}`, priority: 10 - at, filters: one })),
});
const sha256 = (body: string): string => createHash('sha256').update(body).digest('hex');

const FRAMINGS: ReadonlyArray<readonly [what: string, head: string, body: string]> = [
  ['content-length', 'Content-Length: 6\r\n', 'abcdef'],
  ['chunked', 'Transfer-Encoding: chunked\r\n', '3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n'],
  ['expecting 100', 'Content-Length: 6\r\nExpect: 100-continue\r\n', 'abcdef'],
];
const ROUTES: ReadonlyArray<readonly [what: string, route: PlaneOptions['route']]> = [
  ['buffered', {}],
  ['streaming', { requestBuffering: false }],
];

describe('a plugin reads the body', () => {
  for (const [framing, head, body] of FRAMINGS) {
    for (const [kind, route] of ROUTES) {
      test(`${framing}, on a ${kind} route: the upstream gets it all the same`, async () => {
        const read: string[] = [];
        const reads: Filters = {
          async access({ request }) {
            read.push((await request.body()).toString());
          },
        };
        await using upstream = await startEcho();
        await using plane = await startPlane(upstream.port, { ...plugin(reads, reads), route: route ?? {} });
        const { responses } = await rawRequest(plane.port, [
          `POST / HTTP/1.1\r\nHost: a\r\n${head}\r\n`,
          body,
        ]);
        const echo = responses[0]?.json() as Echo;
        assert.deepEqual(read, ['abcdef', 'abcdef']);
        assert.deepEqual([echo.bodyLength, echo.bodySha256], [6, sha256('abcdef')]);
        assert.equal(echo.headers['content-length'], '6');
        assert.equal(responses[0]?.interim.length, framing === 'expecting 100' ? 1 : 0);
      });
    }
  }

  test('over HTTP/2, with and without a length; trailers go on', async () => {
    const read: string[] = [];
    const reads: Filters = {
      access: async ({ request }) => void read.push((await request.body()).toString()),
    };
    await using upstream = await startEcho();
    await using plane = await startHttp2Plane(upstream.port, plugin(reads));
    await using client = new Http2Client(plane.port);
    for (const length of [{}, { 'content-length': 6 }]) {
      const answer = await client.ask({ ':method': 'POST', ':path': '/', ...length }, 'abcdef');
      assert.equal((JSON.parse(answer.body.toString()) as Echo).bodySha256, sha256('abcdef'));
    }
    assert.deepEqual(read, ['abcdef', 'abcdef']);
  });

  test('there is none: nothing is read', async () => {
    const read: number[] = [];
    await using upstream = await startEcho();
    await using plane = await startPlane(
      upstream.port,
      plugin({ access: async ({ request }) => void read.push((await request.body()).length) }),
    );
    const { responses } = await rawRequest(plane.port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.equal(responses[0]?.status, 200);
    assert.deepEqual(read, [0]);
  });

  for (const [framing, head, body] of FRAMINGS) {
    test(`${framing}: more than it wants is a 413`, async () => {
      await using upstream = await startEcho();
      await using plane = await startPlane(
        upstream.port,
        plugin({ access: async ({ request }) => void (await request.body({ limit: 5 })) }),
      );
      const { responses } = await rawRequest(plane.port, [`POST / HTTP/1.1\r\nHost: a\r\n${head}\r\n`, body]);
      assert.equal(responses[0]?.status, 413);
      assert.equal(upstream.requests, 0);
    });

    test(`${framing}: a plugin that does without lets it go on, and another one reads it`, async () => {
      const seen: unknown[] = [];
      const tries: Filters = {
        async access({ request }) {
          await request
            .body({ limit: 2 })
            .catch((error: unknown) => seen.push(error instanceof BodyTooLarge));
        },
      };
      const reads: Filters = { access: async ({ request }) => void seen.push(String(await request.body())) };
      await using upstream = await startEcho();
      for (const [filters, wanted] of [
        [[tries], [true]],
        [
          [tries, reads, tries],
          [true, 'abcdef', true],
        ],
      ] as const) {
        seen.length = 0;
        await using plane = await startPlane(upstream.port, plugin(...filters));
        const { responses } = await rawRequest(plane.port, [
          `POST / HTTP/1.1\r\nHost: a\r\n${head}\r\n`,
          body,
        ]);
        assert.equal((responses[0]?.json() as Echo | undefined)?.bodySha256, sha256('abcdef'));
        assert.deepEqual(seen, wanted);
      }
    });
  }

  test('a large body that a plugin did without streams to the upstream', async () => {
    const size = 3_000_000;
    const tries: Filters = {
      async access({ request }) {
        await request.body({ limit: 100_000 }).catch(() => {});
      },
    };
    await using upstream = await startEcho();
    await using plane = await startHttp2Plane(upstream.port, plugin(tries));
    await using client = new Http2Client(plane.port);
    const body = Buffer.alloc(size, 'x');
    const answer = await client.ask({ ':method': 'POST', ':path': '/' }, body);
    assert.equal((JSON.parse(answer.body.toString()) as Echo).bodyLength, size);
  });

  test('refused before it was read: a client that waits for 100 does not get it', async () => {
    await using plane = await startPlane(1, plugin({ access: () => refuse(403) }));
    const { responses } = await rawRequest(
      plane.port,
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nExpect: 100-continue\r\n\r\n',
    );
    assert.deepEqual([responses[0]?.status, responses[0]?.interim.length], [403, 0]);
  });

  test('a client that goes away in the middle: the plugin hears of it, and nothing is left', async () => {
    const heard: string[] = [];
    const reads: Filters = {
      async access({ request, signal }) {
        signal.addEventListener('abort', () => heard.push('aborted'));
        heard.push('reads');
        await request.body().catch((error: unknown) => heard.push((error as Error).message));
      },
    };
    await using upstream = await startEcho();
    await using plane = await startPlane(upstream.port, plugin(reads));
    await using client = await connectRaw(plane.port);
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc');
    await waitFor(() => heard.length === 1);
    client.reset();
    await waitFor(() => heard.length === 3);
    assert.deepEqual(heard.toSorted(), ['aborted', 'reads', 'the request is over']);
    await plane.settled();
    assert.equal(upstream.requests, 0);
  });

  test('who is slow to send is no fault of the plugin that waits', async () => {
    const reads: Filters = { access: async ({ request }) => void (await request.body()) };
    await using upstream = await startEcho();
    await using plane = await startPlane(upstream.port, {
      ...plugin(reads),
      settings: { plugin_timeout: '1', nginx_http_client_body_timeout: '1s' },
    });
    // The plugin's time is over hundreds of times before the client's is.
    const { responses } = await rawRequest(
      plane.port,
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc',
    );
    assert.equal(responses[0]?.status, 408);
  });
});

describe('a plugin replaces the body', () => {
  const replaces: Filters = { access: ({ upstreamRequest }) => upstreamRequest.setBody('other') };
  for (const [framing, head, body] of [['none', '', ''] as const, ...FRAMINGS]) {
    for (const [kind, route] of ROUTES) {
      test(`${framing}, on a ${kind} route; the connection goes on`, async () => {
        await using upstream = await startEcho();
        await using plane = await startPlane(upstream.port, { ...plugin(replaces), route: route ?? {} });
        await using client = await connectRaw(plane.port);
        for (let round = 0; round < 2; round++) {
          client.write(`POST / HTTP/1.1\r\nHost: a\r\n${head}\r\n${body}`);
          const echo = (await client.readResponse()).json() as Echo;
          assert.equal(echo.bodySha256, sha256('other'));
          assert.equal(echo.headers['content-length'], '5');
          assert.equal(echo.headers['transfer-encoding'], undefined);
        }
      });
    }
  }

  test('after it was read, and empty', async () => {
    const reads: Filters = {
      async access({ request, upstreamRequest }) {
        const body = await request.body();
        upstreamRequest.setBody(body.toString() === 'abcdef' ? '' : 'wrong');
      },
    };
    await using upstream = await startEcho();
    await using plane = await startPlane(upstream.port, plugin(reads));
    const { responses } = await rawRequest(
      plane.port,
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabcdef',
    );
    const echo = responses[0]?.json() as Echo;
    assert.deepEqual([echo.bodyLength, echo.headers['content-length']], [0, '0']);
  });

  test('it is sent again when a try fails', async () => {
    let tries = 0;
    await using upstream = await startHttpUpstream(async (request, response) => {
      let length = 0;
      for await (const chunk of request as AsyncIterable<Buffer>) length += chunk.length;
      if (++tries < 3) request.socket.destroy();
      else response.end(String(length));
    });
    await using plane = await startPlane(upstream.port, { ...plugin(replaces), service: { retries: 5 } });
    const { responses } = await rawRequest(
      plane.port,
      'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc',
    );
    assert.deepEqual([responses[0]?.text(), tries], ['5', 3]);
  });

  test('a method that may not be sent twice is the upstream request’s', async () => {
    let tries = 0;
    await using upstream = await startHttpUpstream((request) => {
      tries++;
      request.socket.destroy();
    });
    const posts: Filters = { access: ({ upstreamRequest }) => void (upstreamRequest.method = 'POST') };
    await using plane = await startPlane(upstream.port, { ...plugin(posts), service: { retries: 5 } });
    const { responses } = await rawRequest(plane.port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.deepEqual([responses[0]?.status, tries], [502, 1]);
  });
});
