/** Whatever way a request ends: the parser of its head is given back, and keeps nothing of what it read. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import type { RequestHeadParser } from '../../src/wire/http1/head-parser.ts';
import { startPlane } from '../support/data-plane.ts';
import { startHttpUpstream } from '../support/upstream.ts';

const CASES = [
  { name: 'HTTP/1.0', request: 'GET / HTTP/1.0\r\n\r\n' },
  { name: 'Connection: close', request: 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n' },
  {
    name: 'two, the second with Connection: close',
    request: 'GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
  },
  {
    name: 'a body that comes with it',
    request: 'POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi',
  },
];

for (const { name, request } of CASES) {
  test(`a parser is given back: ${name}`, async () => {
    await using upstream = await startHttpUpstream((_request, response) => void response.end('hi'));
    await using started = await startPlane(upstream.port);
    const { plane } = started;
    const out = new Set<RequestHeadParser>();
    const take = plane.takeParser.bind(plane);
    const release = plane.releaseParser.bind(plane);
    plane.takeParser = () => {
      const parser = take();
      out.add(parser);
      return parser;
    };
    plane.releaseParser = (parser) => {
      release(parser);
      assert.equal(parser.fields.buffer.length, 0);
      out.delete(parser);
    };
    const client = connect(started.port, '127.0.0.1').resume();
    client.write(request);
    await once(client, 'close');
    await started.settled();
    assert.equal(out.size, 0);
  });
}
