/** HTTP/2 behind ALPN: the same certificates, facts and refusals. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type ClientHttp2Session, type SecureClientSessionOptions, connect } from 'node:http2';
import { test } from 'node:test';
import { issue, makeAuthority } from '../support/authority.ts';
import { startPlane } from '../support/data-plane.ts';
import { freePort } from '../support/ports.ts';
import { tempDir } from '../support/temp-dir.ts';
import { type Echo, startEcho } from '../support/upstream.ts';
import { ask } from './support.ts';

async function session(port: number, options: SecureClientSessionOptions): Promise<ClientHttp2Session> {
  const made = connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false, ...options });
  await once(made, 'connect');
  return made;
}

async function get(over: ClientHttp2Session, authority: string): Promise<{ status: number; text: string }> {
  const stream = over.request({ ':path': '/', ':authority': authority });
  stream.end();
  const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
  let text = '';
  for await (const chunk of stream.setEncoding('utf8') as AsyncIterable<string>) text += chunk;
  return { status: Number(headers[':status']), text };
}

test('ALPN chooses HTTP/2 where the listener has it, and clients of HTTP/1.1 are served beside it', async () => {
  await using upstream = await startEcho();
  const settings = { proxy_listen: `127.0.0.1:${await freePort()} ssl http2` };
  await using plane = await startPlane(upstream.port, { settings });
  const one = await session(plane.port, { servername: 'a.test' });
  assert.equal(one.alpnProtocol, 'h2');
  const { status, text } = await get(one, 'b.test');
  assert.equal(status, 200);
  assert.equal((JSON.parse(text) as Echo).headers['x-forwarded-proto'], 'https');
  assert.equal((await ask(plane.port)).status, 200);
  assert.equal((await ask(plane.port, { ALPNProtocols: ['http/1.1'] })).status, 200);
  one.close();
  await once(one, 'close');
  await plane.settled();
});

test('client certificates and misdirected requests', async () => {
  await using folder = await tempDir();
  const root = await makeAuthority(folder.path, 'root');
  const pair = await issue(folder.path, root, 'client', 'DNS:client');
  await using upstream = await startEcho();
  const settings = {
    proxy_listen: `127.0.0.1:${await freePort()} ssl http2`,
    nginx_http_ssl_client_certificate: root.cert,
    nginx_http_ssl_verify_client: 'on',
  };
  await using plane = await startPlane(upstream.port, { settings });
  const nobody = await session(plane.port, { servername: 'a.test' });
  const refused = await get(nobody, 'a.test');
  assert.equal(refused.status, 400);
  assert.match(refused.text, /No required SSL certificate was sent/);
  const own = { cert: await readFile(pair.cert), key: await readFile(pair.key) };
  const known = await session(plane.port, { servername: 'a.test', ...own });
  assert.deepEqual([(await get(known, 'a.test')).status, (await get(known, 'b.test')).status], [200, 421]);
  for (const one of [nobody, known]) one.close();
  await plane.settled();
});
