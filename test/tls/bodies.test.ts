/** Bytes through TLS: large, slow, pipelined, and of many connections that share one scratch. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:https';
import { setImmediate as turn } from 'node:timers/promises';
import { test } from 'node:test';
import { startPlane } from '../support/data-plane.ts';
import { freePort } from '../support/ports.ts';
import { type Echo, startEcho, startHttpUpstream } from '../support/upstream.ts';
import { shake } from './support.ts';

const MIB = 1024 * 1024;

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function secure(): Promise<Record<string, string>> {
  return { proxy_listen: `127.0.0.1:${await freePort()} ssl` };
}

test('large bodies both ways, with a client that reads now and then', async () => {
  const body = randomBytes(8 * MIB);
  await using upstream = await startHttpUpstream((_request, response) => void response.end(body));
  await using plane = await startPlane(upstream.port, { settings: await secure() });
  const hash = createHash('sha256');
  const asked = request({ port: plane.port, host: '127.0.0.1', rejectUnauthorized: false, agent: false });
  asked.end();
  const [response] = (await once(asked, 'response')) as [NodeJS.ReadableStream];
  let reads = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    hash.update(chunk);
    for (let i = 0; reads++ % 16 === 0 && i < 50; i++) await turn();
  }
  assert.equal(hash.digest('hex'), hashOf(body));
  await plane.settled();

  await using echo = await startEcho();
  await using second = await startPlane(echo.port, { settings: await secure() });
  const options = {
    port: second.port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    method: 'POST',
    agent: false,
  };
  const sent = request(options);
  sent.end(body);
  const [answer] = (await once(sent, 'response')) as [NodeJS.ReadableStream];
  const text: Buffer[] = [];
  for await (const chunk of answer as AsyncIterable<Buffer>) text.push(chunk);
  const seen = JSON.parse(Buffer.concat(text).toString()) as Echo;
  assert.deepEqual([seen.bodyLength, seen.bodySha256], [body.length, hashOf(body)]);
});

test('answers of connections that are busy at once are never mixed', async () => {
  await using upstream = await startHttpUpstream((asked, response) => {
    const [, mark = '', size = '0'] = /^\/([a-z]\d*)\/(\d+)$/.exec(asked.url ?? '') ?? [];
    response.end(mark.repeat(Number(size)));
  });
  await using plane = await startPlane(upstream.port, { settings: await secure() });
  const marks = Array.from({ length: 12 }, (_, at) => String.fromCodePoint(97 + at));
  const sizes = [1, 100, 9000, 70_000, 3, 20_000];
  await Promise.all(
    marks.map(async (mark) => {
      const socket = await shake(plane.port);
      let text = '';
      socket.setEncoding('latin1').on('data', (chunk: string) => void (text += chunk));
      // Pipelined, and the last one closes.
      const lines = sizes.map((size, at) => {
        const last = at === sizes.length - 1 ? 'Connection: close\r\n' : '';
        return `GET /${mark}/${size} HTTP/1.1\r\nHost: a\r\n${last}\r\n`;
      });
      socket.write(lines.join(''));
      await once(socket, 'end');
      const bodies = text.split(/HTTP\/1\.1 200 OK\r\n(?:[^\r\n]+\r\n)+\r\n/).slice(1);
      const wanted = sizes.map((size) => mark.repeat(size));
      assert.deepEqual(
        bodies.map((body) => body.length),
        wanted.map((body) => body.length),
      );
      assert.deepEqual(bodies.map(hash), wanted.map(hash));
      socket.destroy();
    }),
  );
  await plane.settled();
});

function hash(text: string): string {
  return hashOf(Buffer.from(text, 'latin1'));
}

test('a client that shuts its half, and one that goes without a word', async () => {
  await using upstream = await startEcho();
  await using plane = await startPlane(upstream.port, { settings: await secure() });
  const half = await shake(plane.port, { allowHalfOpen: true } as object);
  let text = '';
  half.setEncoding('latin1').on('data', (chunk: string) => void (text += chunk));
  half.end('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await once(half, 'end');
  assert.match(text, /^HTTP\/1\.1 200 OK/);
  const gone = await shake(plane.port);
  gone.write('GET / HTTP/1.1\r\nHost: a\r\n');
  gone.destroy();
  await plane.settled();
});
