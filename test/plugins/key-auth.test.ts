/** key-auth through sockets. Facts: Kong 3.9's plugin and its tests. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startPlane, type PlaneOptions, type TestPlane } from '../support/data-plane.ts';
import { rawRequest } from '../support/raw-client.ts';
import { type Echo, startEcho } from '../support/upstream.ts';

const ANNA = '00000000-0000-4000-8000-00000000000a';
const KEY = '00000000-0000-4000-8000-00000000001a';
const ENTITIES: PlaneOptions['entities'] = [
  {
    kind: 'consumers',
    entity: { id: ANNA, username: 'anna', custom_id: 'c-1', tags: null, created_at: 1, updated_at: 1 },
  },
  { kind: 'keyauth_credentials', entity: { id: KEY, consumer: { id: ANNA }, key: 'secret', created_at: 1 } },
];

async function ask(
  plane: TestPlane,
  target: string,
  headers = '',
): Promise<{ status: number; body: Record<string, unknown> | null; text: string }> {
  const { responses } = await rawRequest(
    plane.port,
    `GET ${target} HTTP/1.1\r\nHost: a.test\r\n${headers}\r\n`,
  );
  const text = responses[0]?.text() ?? '';
  return { status: responses[0]?.status ?? 0, body: text.startsWith('{') ? JSON.parse(text) : null, text };
}

const CASES: ReadonlyArray<
  readonly [what: string, target: string, headers: string, status: number, message: string]
> = [
  ['no key', '/', '', 401, 'No API key found in request'],
  ['an empty key', '/', 'apikey:\r\n', 401, 'No API key found in request'],
  ['an unknown key', '/', 'apikey: other\r\n', 401, 'Unauthorized'],
  ['two keys', '/', 'apikey: secret\r\napikey: secret\r\n', 401, 'Duplicate API key found'],
  ['two keys in the query', '/?apikey=secret&apikey=x', '', 401, 'Duplicate API key found'],
  ['a key in a header', '/', 'apikey: secret\r\n', 200, ''],
  ['a key in the query', '/?apikey=secret', '', 200, ''],
];

test('who shows a key is let in, and the upstream is told who it is', async () => {
  await using upstream = await startEcho();
  await using plane = await startPlane(upstream.port, {
    entities: ENTITIES,
    plugins: [{ name: 'key-auth' }],
  });
  for (const [what, target, headers, status, message] of CASES) {
    const answer = await ask(plane, target, headers);
    assert.equal(answer.status, status, what);
    if (status !== 200) {
      assert.equal(answer.body?.['message'], message, what);
      continue;
    }
    const echo = answer.body as unknown as Echo;
    assert.equal(echo.headers['x-consumer-id'], ANNA, what);
    assert.equal(echo.headers['x-consumer-username'], 'anna', what);
    assert.equal(echo.headers['x-credential-identifier'], KEY, what);
  }
});
