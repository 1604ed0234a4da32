/**
 * Clients that send all and close their half (decision 7), on listeners that have looked at the first bytes before the
 * engine of HTTP/1.1 gets them: the FIN may be here before the engine is.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startPlane } from '../support/data-plane.ts';
import { freePort } from '../support/ports.ts';
import { connectRaw } from '../support/raw-client.ts';
import { startEcho } from '../support/upstream.ts';

const V1 = 'PROXY TCP4 203.0.113.7 198.51.100.1 1234 443\r\n';
const GET = 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n';
const POST = 'POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\n\r\nfour';

for (const [flags, prefix] of [
  ['', ''],
  ['http2', ''],
  ['proxy_protocol', V1],
  ['proxy_protocol http2', V1],
] as const) {
  test(`a whole request and FIN at once are answered, on a listener with '${flags}'`, async () => {
    await using upstream = await startEcho();
    const proxy_listen = `127.0.0.1:${await freePort()} ${flags}`;
    await using it = await startPlane(upstream.port, {
      settings: { proxy_listen, trusted_ips: '127.0.0.1' },
    });
    for (const [sent, answers] of [
      [[GET], 1],
      [[POST], 1],
      [[GET + POST + GET], 3],
      [['G', GET.slice(1)], 1],
      [[GET.slice(0, 20), GET.slice(20)], 1],
    ] as const) {
      await using client = await connectRaw(it.port);
      for (const [index, part] of sent.entries()) {
        client.write(index === 0 ? prefix + part : part);
        if (index < sent.length - 1) await new Promise((resolve) => setImmediate(resolve));
      }
      client.end();
      for (let i = 0; i < answers; i++) assert.equal((await client.readResponse()).status, 200, String(sent));
      await client.closed();
    }
    for (const cut of ['', prefix, `${prefix}GET`, `${prefix}${POST.slice(0, -1)}`, prefix.slice(0, 9)]) {
      await using client = await connectRaw(it.port);
      client.write(cut);
      client.end();
      await client.closed();
      assert.equal(client.received.length, 0, cut);
    }
    await it.settled();
  });
}
