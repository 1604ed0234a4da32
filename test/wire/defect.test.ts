/** A defect on the request path ends the exchange that met it, and nothing else. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RouterInput } from '../../src/router/router.ts';
import type { RouteTarget } from '../../src/snapshot/snapshot.ts';
import { startPlane, type TestPlane } from '../support/data-plane.ts';
import { rawRequest } from '../support/raw-client.ts';
import { startEcho } from '../support/upstream.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n';

/** Makes reading a fact of the route throw until the answer is called. */
function breakRoute(plane: TestPlane, fact: keyof RouteTarget): () => void {
  const match = plane.plane.snapshot.router.match({} as RouterInput);
  assert.ok(match !== null);
  const route: object = match.value;
  const value = match.value[fact];
  const defect = (): never => {
    throw new Error('a defect');
  };
  Object.defineProperty(route, fact, { get: defect, configurable: true });
  return () => void Object.defineProperty(route, fact, { value, configurable: true });
}

test('a defect while a response comes in is answered with 500', async () => {
  await using upstream = await startEcho();
  await using plane = await startPlane(upstream.port);
  const mend = breakRoute(plane, 'responseBuffering');
  const { responses } = await rawRequest(plane.port, GET + GET, { until: 2 });
  assert.deepEqual(
    responses.map(({ status }) => status),
    [500, 500],
  );
  assert.match(responses[0]?.text() ?? '', /An unexpected error occurred/);
  mend();
  const after = await rawRequest(plane.port, GET, { until: 1 });
  assert.equal(after.responses[0]?.status, 200);
  await plane.settled();
});

test('a defect while a request comes in closes its connection', async () => {
  await using upstream = await startEcho();
  await using plane = await startPlane(upstream.port);
  const mend = breakRoute(plane, 'protocols');
  const broken = await rawRequest(plane.port, GET, { until: 'close' });
  assert.equal(broken.text, '');
  mend();
  const after = await rawRequest(plane.port, GET, { until: 1 });
  assert.equal(after.responses[0]?.status, 200);
  await plane.settled();
});
