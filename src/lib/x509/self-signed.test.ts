import assert from 'node:assert/strict';
import { X509Certificate, createPrivateKey } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { connect, createServer } from 'node:tls';
import * as der from './der.ts';
import { selfSigned } from './self-signed.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

test('elements of DER', () => {
  const cases: ReadonlyArray<readonly [Uint8Array, string]> = [
    [der.integer(Buffer.from([0])), '020100'],
    [der.integer(Buffer.from([0, 0, 0x7f])), '02017f'],
    [der.integer(Buffer.from([0x80])), '02020080'],
    [der.integer(Buffer.from([])), '020100'],
    [der.oid('1.2.840.10045.4.3.2'), '06082a8648ce3d040302'],
    [der.oid('2.5.29.17'), '0603551d11'],
    [der.sequence(), '3000'],
    [der.truth(true), '0101ff'],
    [der.bitString(Buffer.from([0x80]), 7), '03020780'],
    [der.utf8String('é'), '0c02c3a9'],
    [der.explicit(3, der.sequence()), 'a3023000'],
    [der.implicit(7, Buffer.from([127, 0, 0, 1])), '87047f000001'],
    [der.time(new Date('2049-12-31T23:59:59.999Z')), '170d3439313233313233353935395a'],
    [der.time(new Date('2050-01-01T00:00:00Z')), '180f32303530303130313030303030305a'],
    [der.octetString(Buffer.alloc(0x80)).subarray(0, 3), '048180'],
    [der.octetString(Buffer.alloc(0x7f)).subarray(0, 2), '047f'],
    [der.octetString(Buffer.alloc(0x1234)).subarray(0, 4), '04821234'],
  ];
  for (const [bytes, expected] of cases) assert.equal(hex(bytes), expected);
});

const names = ['localhost', 'gw.example.com', '127.0.0.1', '::1'];
const from = new Date('2026-01-01T00:00:00Z');
const until = new Date('2051-01-01T00:00:00Z');

test('the certificate is what OpenSSL calls one', () => {
  const { cert, key } = selfSigned({ names, from, until });
  const parsed = new X509Certificate(cert);
  assert.ok(parsed.verify(parsed.publicKey));
  assert.ok(parsed.checkPrivateKey(createPrivateKey(key)));
  assert.ok(parsed.checkIssued(parsed));
  assert.equal(parsed.ca, false);
  assert.equal(parsed.subject, 'CN=localhost');
  assert.equal(parsed.validFromDate.getTime(), from.getTime());
  assert.equal(parsed.validToDate.getTime(), until.getTime());
  assert.deepEqual(parsed.keyUsage, ['1.3.6.1.5.5.7.3.1']);
  assert.equal(parsed.checkHost('gw.example.com'), 'gw.example.com');
  assert.equal(parsed.checkHost('other.example.com'), undefined);
  assert.equal(parsed.checkIP('127.0.0.1'), '127.0.0.1');
  assert.equal(parsed.checkIP('::1'), '::1');
  assert.notEqual(
    parsed.serialNumber,
    new X509Certificate(selfSigned({ names, from, until }).cert).serialNumber,
  );
});

test('a client that trusts it connects by each of its names', async () => {
  const { cert, key } = selfSigned({ names, from: new Date(Date.now() - 1000), until });
  const server = createServer({ cert, key }, (socket) => socket.end('hello'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  for (const servername of ['localhost', 'gw.example.com']) {
    const client = connect({ port, host: '127.0.0.1', servername, ca: cert });
    await once(client, 'secureConnect');
    assert.ok(client.authorized, servername);
    client.destroy();
  }
  server.close();
});
