/** What X-Kong-Proxy-Latency and X-Kong-Upstream-Latency count: Kong draws the line where the last try begins. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { ResolvedName } from '../../src/balancer/resolver/resolver.ts';
import { startPlane } from '../support/data-plane.ts';
import { startEcho, startRawUpstream } from '../support/upstream.ts';
import { send } from './support/ask.ts';

const WAIT = 1000;

function name(...ports: readonly number[]): ResolvedName {
  const addresses = ports.map((port) => ({ ip: '127.0.0.1', port, weight: 1 }));
  let turn = 0;
  return { addresses, expiresAt: Infinity, next: () => addresses[turn++ % addresses.length]! };
}

test('the time that a name takes is the gateway’s', async () => {
  await using echo = await startEcho();
  await using plane = await startPlane(echo.port, { service: { host: 'slow.test' } });
  const resolve = async (): Promise<ResolvedName> => {
    await delay(WAIT);
    return name(echo.port);
  };
  Object.assign(plane.plane.resolver, { peek: () => null, resolve });
  const response = await send(plane.port);
  assert.equal(response.status, 200);
  const latency = Number(response.header('x-kong-proxy-latency'));
  assert.ok(latency >= WAIT / 2, `${latency} ms`);
});

test('so is the time of tries that failed', async () => {
  await using silent = await startRawUpstream(() => {});
  await using echo = await startEcho();
  const timeouts = { connect: 5000, write: 5000, read: WAIT };
  await using plane = await startPlane(echo.port, { service: { host: 'two.test', timeouts, retries: 1 } });
  const both = name(silent.port, echo.port);
  Object.assign(plane.plane.resolver, { peek: () => both });
  const response = await send(plane.port);
  assert.equal(response.status, 200);
  const latency = Number(response.header('x-kong-proxy-latency'));
  assert.ok(latency >= WAIT / 2, `${latency} ms`);
});
