/** session with storage `kong` on a whole gateway: two workers, a real store. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startGateway } from '../support/gateway.ts';
import { rawRequest } from '../support/raw-client.ts';
import { startEcho } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';
import { answerBody } from './support/body.ts';

test('a session of one worker is good on all, until the logout or the consumer is gone', async () => {
  await using upstream = await startEcho();
  const consumers = ['anna', 'nobody'].map((username) => ({ username }));
  const config = {
    _format_version: '3.0',
    consumers: [...consumers, { username: 'ben', keyauth_credentials: [{ key: 'ben' }] }],
    keyauth_credentials: [{ consumer: 'anna', key: 'anna' }],
    services: [
      { name: 's', url: `http://127.0.0.1:${upstream.port}`, routes: [{ name: 'r', paths: ['/'] }] },
    ],
    plugins: [
      { name: 'session', config: { storage: 'kong' } },
      { name: 'key-auth', config: { anonymous: 'nobody' } },
    ],
  };
  await using gateway = await startGateway({
    config,
    settings: { database: 'sqlite', nginx_worker_processes: 2 },
  });
  /** On a connection of its own, so that any worker may get it. */
  const go = async (
    headers: string,
    line = 'GET /',
  ): Promise<{ who: string | undefined; cookie: string }> => {
    const { responses } = await rawRequest(
      gateway.proxyPort,
      `${line} HTTP/1.1\r\nHost: a\r\n${headers}Connection: close\r\n\r\n`,
    );
    const { headers: seen } = answerBody(responses[0]?.text() ?? '');
    const [cookie = ''] = (responses[0]?.header('set-cookie') ?? '').split(';', 1);
    return { who: seen?.['x-consumer-username'], cookie };
  };
  const all = (cookie: string): Promise<Array<string | undefined>> =>
    Promise.all(Array.from({ length: 12 }, async () => (await go(`Cookie: ${cookie}\r\n`)).who));
  const everywhere = (cookie: string, who: string): Promise<unknown> =>
    waitFor(async () => (await all(cookie)).every((one) => one === who), { what: `${who} on all workers` });

  await waitFor(async () => (await go('apikey: anna\r\n')).who === 'anna');
  const { cookie } = await go('apikey: anna\r\n');
  await everywhere(cookie, 'anna');
  await go(`Cookie: ${cookie}\r\n`, 'POST /?session_logout');
  await everywhere(cookie, 'nobody');
  const other = await go('apikey: ben\r\n');
  await everywhere(other.cookie, 'ben');
  const response = await fetch(`${gateway.adminUrl}/consumers/ben`, { method: 'DELETE' });
  assert.equal(response.status, 204);
  await everywhere(other.cookie, 'nobody');
});
