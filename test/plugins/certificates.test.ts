/** Plugins that choose the certificate of a handshake. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Filters } from '../../src/plugins/kit/filters.ts';
import { issue, makeAuthority } from '../support/authority.ts';
import { startPlane } from '../support/data-plane.ts';
import type { InlinePlugin } from '../support/plugins.ts';
import { freePort } from '../support/ports.ts';
import { tempDir } from '../support/temp-dir.ts';
import { entityOf, nameFor, trustOf } from '../tls/support.ts';
import { logOf } from './support/log.ts';

test('by server name, at once or later; who fails or is late ends its handshakes and no other', async () => {
  await using folder = await tempDir();
  const authority = await makeAuthority(folder.path, 'ca');
  const named = async (name: string): ReturnType<typeof entityOf> =>
    entityOf(await issue(folder.path, authority, name, 'DNS:localhost'));
  const { cert, key } = await named('chosen');
  const other = await named('other');
  const asked: string[] = [];
  const chooses: Filters = {
    certificate(handshake) {
      const { serverName, client } = handshake;
      const use = (pem: string, secret: string): void => handshake.use(pem, secret);
      asked.push(`${client.ip} ${serverName}`);
      if (serverName === 'now.test') return use(cert, key);
      if (serverName === 'later.test') return Promise.resolve().then(() => use(cert, key));
      if (serverName === 'throws.test') throw new Error('boom');
      if (serverName === 'rejects.test') return Promise.reject(new Error('late boom'));
      if (serverName === 'bad.test') return use('no certificate', 'no key');
      if (serverName === 'never.test') return new Promise(() => {});
      return undefined;
    },
  };
  const last: Filters = {
    async certificate(handshake) {
      const { serverName } = handshake;
      const use = (pem: string, secret: string): void => handshake.use(pem, secret);
      await new Promise(setImmediate);
      if (serverName === 'last.test') use(other.cert, other.key);
    },
  };
  const plugin = (name: string, priority: number, filters: Filters, more = {}): InlinePlugin => ({
    name,
    priority,
    filters,
    ...more,
  });
  const never: Filters = {
    certificate() {
      throw new Error('only plugins for everything are asked');
    },
  };
  await using plane = await startPlane(1, {
    trust: trustOf({ 'configured.test': await named('configured') }),
    settings: {
      proxy_listen: `127.0.0.1:${await freePort()} ssl`,
      proxy_error_log: 'logs/error.log',
      plugin_timeout: '100',
    },
    plugins: [
      plugin('chooser', 2, chooses),
      plugin('last', 1, last),
      plugin('of a route', 3, never, { route: { id: '22222222-2222-4222-8222-222222222222' } }),
    ],
  });
  const alert = 'ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR';
  const cases: ReadonlyArray<readonly [string, string]> = [
    ['now.test', 'chosen'],
    ['later.test', 'chosen'],
    ['last.test', 'other'],
    ['configured.test', 'configured'],
    ['unknown.test', 'localhost'],
    ['throws.test', alert],
    ['rejects.test', alert],
    ['bad.test', alert],
    ['never.test', alert],
    ['now.test', 'chosen'],
  ];
  for (const [name, wanted] of cases) assert.equal(await nameFor(plane.port, name), wanted, name);
  assert.deepEqual(
    asked,
    cases.map(([name]) => `127.0.0.1 ${name}`),
  );
  const log = await logOf(plane, /plugin chooser .* has not settled in certificate after 100 ms/);
  assert.match(log, /no certificate for 'throws\.test': plugin chooser \([-0-9a-f]+\): Error: boom/);
  assert.match(log, /no certificate for 'rejects\.test': plugin chooser .*: Error: late boom/);
  await plane.settled();
});
