/** A plain probe of the Status API and one that the application answers get the same. */
import assert from 'node:assert/strict';
import { type IncomingHttpHeaders, request } from 'node:http';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { waitFor } from '../support/wait.ts';
import { type StandInGateway, config, startStandIn } from './support/gateway.ts';

interface Asked {
  readonly method: string;
  readonly target: string;
  readonly host?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What the application alone understands: a name of a parameter in another writing. */
const BY_APPLICATION = '%61=1';

const CASES: ReadonlyArray<readonly [asked: Asked, status: number]> = [
  [{ method: 'GET', target: '/status/ready' }, 200],
  [{ method: 'HEAD', target: '/status/ready' }, 200],
  [{ method: 'GET', target: '/status' }, 200],
  [{ method: 'HEAD', target: '/status' }, 200],
  [{ method: 'GET', target: '/status?unit=k&scale=0' }, 200],
  [{ method: 'GET', target: '/status?unit=x' }, 400],
  [{ method: 'GET', target: '/status?scale=x&scale=2' }, 400],
  [{ method: 'GET', target: '/status/ready', host: 'localhost' }, 200],
  [{ method: 'GET', target: '/status/ready', host: '[::1]:1' }, 200],
  [{ method: 'GET', target: '/status/ready', host: 'rebound.example:80' }, 403],
  [{ method: 'GET', target: '/status', headers: { origin: 'http://elsewhere.example' } }, 403],
  [{ method: 'GET', target: '/status', headers: { 'sec-fetch-site': 'cross-site' } }, 403],
  [{ method: 'POST', target: '/status' }, 405],
  [{ method: 'OPTIONS', target: '/status' }, 204],
  [{ method: 'GET', target: '/status/other' }, 404],
];

/** Of another moment each time. */
const CHANGING: ReadonlySet<string> = new Set(['date', 'x-kong-admin-latency']);

async function ask(gateway: StandInGateway, { method, target, host, headers }: Asked): Promise<unknown[]> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown[]>();
  const { hostname, port } = new URL(gateway.url('status', '/'));
  const fields = { ...headers, ...(host === undefined ? {} : { host }) };
  request({ hostname, port, path: target, method, headers: fields, agent: false }, (response) => {
    let text = '';
    response
      .setEncoding('utf8')
      .on('data', (chunk: string) => void (text += chunk))
      .on('end', () => resolve([response.statusCode, steady(response.headers, method), shape(text)]));
  })
    .on('error', reject)
    .end();
  return promise;
}

/** That of HEAD may be left out. */
function steady(headers: IncomingHttpHeaders, method: string): unknown {
  const kept = Object.entries(headers).filter(
    ([name]) => !CHANGING.has(name) && !(name === 'content-length' && method === 'HEAD'),
  );
  return Object.fromEntries(kept);
}

/** Memory and counters change. */
function shape(text: string): string {
  return text.replaceAll(/\d+(?:\.\d+)?/g, '0');
}

test('a probe and the application answer alike', async () => {
  await using gateway = await startStandIn({ config: config('/one') });
  for (const [asked, status] of CASES) {
    const plain = await ask(gateway, asked);
    const { target } = asked;
    const slow = await ask(gateway, {
      ...asked,
      target: target + (target.includes('?') ? '&' : '?') + BY_APPLICATION,
    });
    assert.equal(plain[0], status, JSON.stringify(asked));
    assert.deepEqual(plain, slow, JSON.stringify(asked));
  }
});

test('probes stand in the access log as they were', async () => {
  await using gateway = await startStandIn({
    config: config('/one'),
    settings: { status_access_log: 'logs/status_access.log' },
  });
  await ask(gateway, { method: 'GET', target: '/status/ready' });
  await ask(gateway, { method: 'GET', target: '/status?unit=k' });
  await ask(gateway, { method: 'GET', target: '/status/none' });
  const read = (): Promise<string> =>
    readFile(join(gateway.prefix, 'logs/status_access.log'), 'utf8').catch(() => '');
  await waitFor(async () => /"GET \/status\/none HTTP\/1\.1" 404/.test(await read()), { what: 'the log' });
  const log = await read();
  assert.match(log, /"GET \/status\/ready HTTP\/1\.1" 200 19 /);
  assert.match(log, /"GET \/status\?unit=k HTTP\/1\.1" 200 /);
});
