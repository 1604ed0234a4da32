/** An address that comes when the client has its answer already is of no use: nothing goes upstream any more. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'node:net';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { ResolvedName } from '../../src/balancer/resolver/resolver.ts';
import { startPlane } from '../support/data-plane.ts';
import { startRawUpstream } from '../support/upstream.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait.ts';

test('no request goes upstream for an exchange whose error is still on its way to the client', async () => {
  await using upstream = await startRawUpstream(() => {});
  await using folder = await tempDir();
  // So large that the client does not have all of it when the address comes.
  const template = join(folder.path, 'error.json');
  await writeFile(template, `%s %s ${'x'.repeat(16 << 20)}`);
  await using plane = await startPlane(upstream.port, {
    settings: { request_buffer_size: '0', error_template_json: template },
    service: { host: 'slow.test' },
  });
  const address = { ip: '127.0.0.1', port: null, weight: 1 };
  const name: ResolvedName = { addresses: [address], expiresAt: Infinity, next: () => address };
  const lookup = Promise.withResolvers<ResolvedName>();
  let asked = false;
  const resolve = (): Promise<ResolvedName> => {
    asked = true;
    return lookup.promise;
  };
  Object.assign(plane.plane.resolver, { peek: () => null, resolve });
  const client = connect(plane.port, '127.0.0.1');
  client.on('error', () => {});
  client.pause();
  try {
    const head =
      'POST / HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\nTransfer-Encoding: chunked\r\n\r\n';
    client.write(`${head}1\r\nx\r\nmalformed`);
    await waitFor(() => asked, { what: 'the name to be asked for' });
    lookup.resolve(name);
    await delay(200);
    assert.equal(upstream.connections, 0);
  } finally {
    client.destroy();
  }
});
