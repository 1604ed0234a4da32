/** What clients say of who they are never reaches an upstream behind a plugin that says who calls. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { InlinePlugin } from '../support/plugins.ts';
import { startPlane, type PlaneOptions } from '../support/data-plane.ts';
import { Http2Client, startHttp2Plane } from '../support/http2-plane.ts';
import { rawRequest } from '../support/raw-client.ts';
import { type Echo, startEcho } from '../support/upstream.ts';

const NAMES = [
  'X-Consumer-ID',
  'x-consumer-username',
  'X_Consumer_ID',
  'X.Consumer.ID',
  "X!Consumer'ID",
  'X~Credential|Identifier',
  'X-Consumer_Custom-ID',
  'X-Consumer-Groups',
  'X-Consumer-Anything',
  'X-Credential-Identifier',
  'x_credential_identifier',
  'X-Anonymous-Consumer',
  'X_ANONYMOUS_CONSUMER',
  'X-Authenticated-Scope',
  'X-Authenticated-UserId',
  'X-Authenticated-Groups',
];
const ALLOWED = ['X-Consumer', 'X-Consumers-Id', 'X-Anonymous-Consumer-Too', 'Consumer-ID', 'X-Request'];
const FIELDS = [...NAMES, ...NAMES, ...ALLOWED].map((name) => `${name}: forged\r\n`).join('');

const asks = (more: Partial<InlinePlugin['filters']> = {}): InlinePlugin => ({
  name: 'auth',
  priority: 1000,
  identifies: true,
  filters: { access() {}, ...more },
});

const fold = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9]/g, '-');

async function echoOf(options: PlaneOptions): Promise<readonly string[]> {
  await using upstream = await startEcho();
  await using plane = await startPlane(upstream.port, options);
  const { responses } = await rawRequest(plane.port, `GET / HTTP/1.1\r\nHost: a\r\n${FIELDS}\r\n`);
  const { rawHeaders = [] } = (responses[0]?.json() ?? {}) as Partial<Echo>;
  return rawHeaders.filter((name, at) => at % 2 === 0 && /^x[^a-z0-9]|^consumer/i.test(name)).map(fold);
}

const CLAIMS = new Set(NAMES.map(fold));

describe('claims', () => {
  test('go nowhere, in any spelling, also when the plugin lets the request pass unasked', async () => {
    const names = await echoOf({ plugins: [asks()] });
    assert.deepEqual(
      names.filter((name) => CLAIMS.has(name)),
      [],
    );
    for (const name of ALLOWED) assert.ok(names.includes(fold(name)), name);
  });

  test('over HTTP/2', async () => {
    await using upstream = await startEcho();
    await using plane = await startHttp2Plane(upstream.port, { plugins: [asks()] });
    await using client = new Http2Client(plane.port);
    const headers = Object.fromEntries(NAMES.map((name) => [name.toLowerCase(), 'forged']));
    const { body } = await client.ask({ ':path': '/', ...headers });
    const { rawHeaders } = JSON.parse(body.toString()) as Echo;
    assert.deepEqual(
      rawHeaders.filter((name) => CLAIMS.has(fold(name))),
      [],
    );
  });

  test('in trailers', async () => {
    await using upstream = await startEcho();
    await using plane = await startPlane(upstream.port, {
      plugins: [asks()],
      route: { requestBuffering: false },
    });
    const trailers = NAMES.map((name) => `${name}: forged\r\n`).join('');
    const { responses } = await rawRequest(
      plane.port,
      `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n${trailers}X-Sum: 1\r\n\r\n`,
    );
    assert.deepEqual((responses[0]?.json() as Echo | undefined)?.rawTrailers, ['X-Sum', '1']);
  });

  test('plugins read none of them, and what a plugin before says of them stays', async () => {
    let seen: string | undefined = 'nothing';
    const before: InlinePlugin = {
      name: 'before',
      priority: 2000,
      filters: {
        access({ request, upstreamRequest }) {
          seen = request.headers.get('x-consumer-id');
          upstreamRequest.headers.set('X-Authenticated-Scope', 'mine');
        },
      },
    };
    const names = await echoOf({ plugins: [before, asks()] });
    assert.equal(seen, undefined);
    assert.deepEqual(
      names.filter((name) => CLAIMS.has(name)),
      ['x-authenticated-scope'],
    );
  });

  test('without such a plugin headers are nobody’s business', async () => {
    const plain: InlinePlugin = { name: 'other', priority: 1, filters: { access() {} } };
    const names = await echoOf({ plugins: [plain] });
    assert.equal(names.filter((name) => CLAIMS.has(name)).length, 2 * NAMES.length);
  });
});
