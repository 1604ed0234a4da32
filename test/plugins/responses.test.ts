/**
 * What plugins do to responses, with every framing on both legs: body filters, status changes, and the `response` phase that
 * has all of it at hand.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import type { Filters } from '../../src/plugins/kit/filters.ts';
import { refuse, reply } from '../../src/plugins/kit/reply.ts';
import { startPlane, type PlaneOptions } from '../support/data-plane.ts';
import { GrpcClient, startGrpcServer } from '../support/grpc.ts';
import { grpcPlane } from '../support/grpc-plane.ts';
import { Http2Client, startHttp2Plane } from '../support/http2-plane.ts';
import { rawRequest } from '../support/raw-client.ts';
import { scripted, startRawUpstream } from '../support/upstream.ts';
import { logOf } from './support/log.ts';

const plugin = (filters: Filters): PlaneOptions => ({ plugins: [{ name: 'mine', priority: 10, filters }] });

/** Answers with a body of `abcdef`, or with none. */
const UPSTREAMS: ReadonlyArray<readonly [framing: string, bytes: string, body: string, close?: boolean]> = [
  ['content-length', 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\nX-Up: 1\r\n\r\nabcdef', 'abcdef'],
  ['content-length 0', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Up: 1\r\n\r\n', ''],
  [
    'chunked',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Up: 1\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n',
    'abcdef',
  ],
  [
    'chunked, with trailers',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\nX-Up: 1\r\n\r\n6\r\nabcdef\r\n0\r\nx-sum: 9\r\n\r\n',
    'abcdef',
  ],
  ['close', 'HTTP/1.0 200 OK\r\nX-Up: 1\r\n\r\nabcdef', 'abcdef', true],
];

const upper = (chunk: Buffer): Buffer => Buffer.from(chunk.toString().toUpperCase());

/** What a filter makes of the body, and what comes of it. */
const FILTERS: ReadonlyArray<readonly [what: string, make: () => Filters, wanted: (body: string) => string]> =
  [
    ['looks on', () => ({ bodyFilter() {} }), (body) => body],
    ['changes each chunk', () => ({ bodyFilter: (_, chunk) => upper(chunk) }), (body) => body.toUpperCase()],
    [
      'adds at the end',
      () => ({
        bodyFilter: (_, chunk, last) => (last ? Buffer.concat([chunk, Buffer.from('!')]) : undefined),
      }),
      (body) => `${body}!`,
    ],
    [
      'holds all back until the end',
      () => {
        const held: Buffer[] = [];
        return {
          bodyFilter(_, chunk, last) {
            held.push(Buffer.from(chunk));
            return last ? Buffer.concat([Buffer.from('<'), ...held, Buffer.from('>')]) : Buffer.alloc(0);
          },
        };
      },
      (body) => `<${body}>`,
    ],
    ['drops everything', () => ({ bodyFilter: () => Buffer.alloc(0) }), () => ''],
    [
      'wants it whole and changes it',
      () => ({
        response(exchange, body) {
          exchange.response.headers.set('X-Length', String(body.length));
          return upper(body);
        },
      }),
      (body) => body.toUpperCase(),
    ],
    [
      'wants it whole and thinks about it',
      () => ({
        async response(_, body) {
          await new Promise(setImmediate);
          return Buffer.concat([body, Buffer.from('.')]);
        },
      }),
      (body) => `${body}.`,
    ],
    ['wants it whole and leaves it', () => ({ response() {} }), (body) => body],
  ];

describe('bodies', () => {
  for (const [framing, bytes, body, close] of UPSTREAMS) {
    for (const [what, make, wanted] of FILTERS) {
      test(`${framing}; a filter ${what}`, async () => {
        const answer = { thenClose: close === true };
        await using upstream = await startRawUpstream(scripted([bytes], answer));
        {
          await using plane = await startPlane(upstream.port, plugin(make()));
          const { responses } = await rawRequest(
            plane.port,
            'GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n',
          );
          const [response] = responses;
          assert.deepEqual([response?.status, response?.text()], [200, wanted(body)]);
          assert.equal(response?.header('x-up'), '1');
          const trailers = framing.endsWith('trailers') && what !== 'nothing' ? [['x-sum', '9']] : [];
          if (response.framing === 'chunked') assert.deepEqual(response.trailers, trailers);
        }
        {
          await using plane = await startPlane(upstream.port, plugin(make()));
          const { responses } = await rawRequest(plane.port, 'GET / HTTP/1.0\r\nHost: a\r\n\r\n', {
            until: 'close',
          });
          assert.deepEqual([responses[0]?.status, responses[0]?.text()], [200, wanted(body)]);
        }
        {
          await using plane = await startHttp2Plane(upstream.port, plugin(make()));
          await using client = new Http2Client(plane.port);
          const response = await client.ask({ ':path': '/', te: 'trailers' });
          assert.deepEqual([response.status, response.body.toString()], [200, wanted(body)]);
          if (framing.endsWith('trailers')) assert.equal(response.trailers?.['x-sum'], '9');
        }
      });
    }
  }
});

describe('messages without a body', () => {
  const CASES: ReadonlyArray<readonly [method: string, answer: string, status: number]> = [
    ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n', 200],
    ['GET', 'HTTP/1.1 204 No Content\r\n\r\n', 204],
    ['GET', 'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n', 304],
    ['GET', 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n', 204],
  ];
  const adds: Filters = { bodyFilter: (_, _chunk, last) => (last ? Buffer.from('more') : undefined) };
  const whole: Filters = { response: () => Buffer.from('more') };
  for (const [method, answer, status] of CASES) {
    for (const [what, filters] of [
      ['body filter', adds],
      ['response filter', whole],
    ] as const) {
      test(`${method} ${status}: what a ${what} makes is not sent, and the connection goes on`, async () => {
        await using upstream = await startRawUpstream(scripted([answer, answer]));
        await using plane = await startPlane(upstream.port, plugin(filters));
        const request = `${method} / HTTP/1.1\r\nHost: a\r\n\r\n`;
        const { responses, text } = await rawRequest(plane.port, request + request, { until: 2 });
        assert.deepEqual(
          responses.map(({ status: got, body }) => [got, body.length]),
          [
            [status, 0],
            [status, 0],
          ],
        );
        assert.ok(!text.includes('more'), text);
        await using plane2 = await startHttp2Plane(upstream.port, plugin(filters));
        await using client = new Http2Client(plane2.port);
        const http2 = await client.ask({ ':path': '/', ':method': method });
        assert.deepEqual([http2.status, http2.body.length], [status, 0]);
      });
    }
  }
});

describe('statuses that filters change', () => {
  const WITH_BODY = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcdef';
  const CASES: ReadonlyArray<readonly [from: string, to: number, body: string]> = [
    [WITH_BODY, 204, ''],
    [WITH_BODY, 304, ''],
    [WITH_BODY, 418, 'abcdef'],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n0\r\n\r\n', 204, ''],
    ['HTTP/1.1 204 No Content\r\n\r\n', 200, ''],
    ['HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\n', 200, ''],
  ];
  const filtersOf = (to: number): ReadonlyArray<readonly [string, Filters]> => [
    ['header filter', { headerFilter: (exchange) => void (exchange.response.status = to) }],
    ['response filter', { response: (exchange) => void (exchange.response.status = to) }],
    [
      'header filter beside a body filter',
      { headerFilter: (exchange) => void (exchange.response.status = to), bodyFilter() {} },
    ],
  ];
  for (const [from, to, body] of CASES) {
    for (const [what, filters] of filtersOf(to)) {
      test(`${from.slice(9, 12)} to ${to} in a ${what}`, async () => {
        await using upstream = await startRawUpstream(scripted([from, from]));
        await using plane = await startPlane(upstream.port, plugin(filters));
        const request = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
        const { responses } = await rawRequest(plane.port, request + request, { until: 2 });
        assert.deepEqual(
          responses.map(({ status, body: got }) => [status, got.toString()]),
          [
            [to, body],
            [to, body],
          ],
        );
        await using plane2 = await startHttp2Plane(upstream.port, plugin(filters));
        await using client = new Http2Client(plane2.port);
        const http2 = await client.ask({ ':path': '/' });
        assert.deepEqual([http2.status, http2.body.toString()], [to, body]);
      });
    }
  }

  test('a reply of 204 has no body, whatever the plugin says', async () => {
    await using plane = await startPlane(1, plugin({ access: () => reply(204, 'text') }));
    const request = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
    const { responses, text } = await rawRequest(plane.port, request + request, { until: 2 });
    assert.deepEqual(
      responses.map(({ status }) => status),
      [204, 204],
    );
    assert.ok(!text.includes('text\r\n') && !/content-length/i.test(text), text);
  });
});

describe('the response phase', () => {
  const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcdef';

  test('a reply takes the place of what came', async () => {
    await using upstream = await startRawUpstream(scripted([OK]));
    await using plane = await startPlane(
      upstream.port,
      plugin({ response: (_, body) => (body.length > 3 ? refuse(451, 'too long') : undefined) }),
    );
    const { responses } = await rawRequest(plane.port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.equal(responses[0]?.status, 451);
    assert.equal((responses[0].json() as { message: string }).message, 'too long');
  });

  test('it sees and changes the head of the upstream', async () => {
    await using upstream = await startRawUpstream(
      scripted(['HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nX-A: 1\r\nX-B: 2\r\n\r\nno']),
    );
    const seen: unknown[] = [];
    await using plane = await startPlane(
      upstream.port,
      plugin({
        async response({ response, upstreamResponse }, body) {
          await new Promise(setImmediate);
          seen.push(
            response.status,
            upstreamResponse.status,
            upstreamResponse.headers.get('x-a'),
            body.toString(),
          );
          response.status = 200;
          response.headers.remove('X-B');
          response.headers.set('Content-Length', '900');
          return Buffer.from('found');
        },
      }),
    );
    const { responses } = await rawRequest(plane.port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.deepEqual(seen, [404, 404, '1', 'no']);
    const [response] = responses;
    assert.deepEqual([response?.status, response?.reason, response?.text()], [200, 'OK', 'found']);
    assert.deepEqual([response?.header('x-a'), response?.header('x-b')], ['1', undefined]);
    assert.deepEqual(response?.all('content-length'), ['5']);
  });

  const LARGE: ReadonlyArray<readonly [what: string, answer: string]> = [
    ['says that it is larger', `HTTP/1.1 200 OK\r\nContent-Length: 4097\r\n\r\n${'x'.repeat(4097)}`],
    [
      'is larger than it said',
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1001\r\n${'x'.repeat(4097)}\r\n0\r\n\r\n`,
    ],
  ];
  for (const [what, answer] of LARGE) {
    test(`a response that ${what} than may be kept is a 502 that the log explains`, async () => {
      await using upstream = await startRawUpstream(scripted([answer]));
      await using plane = await startPlane(upstream.port, {
        ...plugin({ response() {} }),
        settings: { plugin_response_limit: '4096', proxy_error_log: 'logs/error.log' },
      });
      const { responses } = await rawRequest(plane.port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      assert.equal(responses[0]?.status, 502);
      await logOf(
        plane,
        /response too large: .*plugin_response_limit \(4096 octets\), and mine wants all of it/,
      );
    });
  }

  test('an upstream that breaks off in the middle is not asked again', async () => {
    const half = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc';
    await using upstream = await startRawUpstream(scripted([half], { thenClose: true }));
    await using plane = await startPlane(upstream.port, {
      ...plugin({ response() {} }),
      service: { retries: 5 },
    });
    const { responses } = await rawRequest(plane.port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.equal(responses[0]?.status, 502);
    assert.equal(upstream.connections, 1);
  });

  test('gRPC: trailers stay on both legs, whatever filters do', async () => {
    await using server = await startGrpcServer({
      unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, answer: grpc.sendUnaryData<Buffer>) => {
        const trailers = new grpc.Metadata();
        trailers.set('mine', 'yes');
        answer(null, call.request, trailers);
      },
    });
    for (const filters of [{ response() {} }, { bodyFilter() {} }] satisfies Filters[]) {
      await using plane = await grpcPlane(server.port, plugin(filters));
      await using client = new GrpcClient(plane.port);
      const { code, messages, trailers } = await client.call('unary', [Buffer.from('hello')]);
      assert.deepEqual([code, messages.map(String), trailers.get('mine')], [0, ['hello'], ['yes']]);
    }
  });
});
