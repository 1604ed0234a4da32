import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startPlane } from '../support/data-plane.ts';
import { rawRequest } from '../support/raw-client.ts';

test('a name with characters whose low byte is CR or LF splits no header', async () => {
  await using plane = await startPlane(1, {
    settings: { allow_debug_header: 'on' },
    route: { service: null, name: 'a\u010d\u010a\u010d\u010ab' },
  });
  const { text } = await rawRequest(
    plane.port,
    'GET / HTTP/1.1\r\nHost: a\r\nKong-Debug: 1\r\nConnection: close\r\n\r\n',
  );
  const line = /^Kong-Route-Name: (.*)\r$/m.exec(text)?.[1] ?? '';
  assert.equal(Buffer.from(line, 'latin1').toString('utf8'), 'a\u010d\u010a\u010d\u010ab');
});
