import assert from 'node:assert/strict';
import { test } from 'node:test';
import '../../../test/support/fixed-seed.ts';
import * as fc from 'fast-check';
import { crc32c } from './crc32c.ts';
import { MAX_PROXY_HEADER, parseProxyHeader } from './header.ts';
import { type Tlv, v2Header } from './header.fixture.ts';

const line = (text: string): Buffer => Buffer.from(text, 'latin1');
const four = { remoteAddress: '192.0.2.1', remotePort: 56_324, localAddress: '198.51.100.2', localPort: 443 };
const six = { remoteAddress: '2001:db8::1', remotePort: 1, localAddress: '2001:db8::2', localPort: 65_535 };

test('lines of version 1', () => {
  for (const [text, wanted] of [
    ['PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n', four],
    ['PROXY TCP6 2001:db8::1 2001:DB8:0::2 1 65535\r\n', six],
    ['PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.2 56324 443\r\n', four],
    ['PROXY UNKNOWN\r\n', null],
    ['PROXY UNKNOWN ffff::1 anything at all 1 2\r\n', null],
  ] as const) {
    const bytes = line(`${text}GET /`);
    assert.deepEqual(parseProxyHeader(bytes), { ok: true, length: text.length, addresses: wanted }, text);
  }
  for (const text of [
    'GET / HTTP/1.1\r\n\r\n',
    'PROXYTCP4 1.1.1.1 2.2.2.2 1 2\r\n',
    'proxy TCP4 1.1.1.1 2.2.2.2 1 2\r\n',
    'PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n',
    'PROXY TCP4 1.1.1.1 2.2.2.2 1 2 3\r\n',
    'PROXY TCP4  1.1.1.1 2.2.2.2 1 2\r\n',
    'PROXY TCP4 1.1.1.1 2.2.2.2 1 2 \r\n',
    'PROXY TCP4 1.1.1.1 2.2.2.2 01 2\r\n',
    'PROXY TCP4 1.1.1.1 2.2.2.2 1 65536\r\n',
    'PROXY TCP4 1.1.1.1 2.2.2.2 -1 2\r\n',
    'PROXY TCP4 1.1.1.01 2.2.2.2 1 2\r\n',
    'PROXY TCP4 ::1 ::2 1 2\r\n',
    'PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n',
    'PROXY TCP6 fe80::1%eth0 ::2 1 2\r\n',
    'PROXY UDP4 1.1.1.1 2.2.2.2 1 2\r\n',
    'PROXY UNKNOWNX\r\n',
    'PROXY \r\n',
    `PROXY UNKNOWN ${'x'.repeat(100)}\r\n`,
    `PROXY UNKNOWN ${'x'.repeat(100)}`,
    'PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n'.padEnd(120),
  ]) {
    assert.equal(parseProxyHeader(line(text))?.ok, false, JSON.stringify(text));
  }
});

test('headers of version 2', () => {
  const tlvs: Tlv[] = [
    [0x20, Buffer.from('ssl')],
    [0xea, Buffer.alloc(0)],
    [0x04, Buffer.alloc(7)],
  ];
  for (const [name, header, wanted] of [
    ['IPv4', v2Header({ addresses: four }), four],
    ['IPv6', v2Header({ addresses: six }), six],
    ['with TLVs', v2Header({ addresses: four, tlvs }), four],
    ['with a checksum', v2Header({ addresses: six, tlvs, checksum: 'good' }), six],
    ['LOCAL', v2Header({ command: 0 }), null],
    ['LOCAL with addresses', v2Header({ command: 0, addresses: four }), null],
    ['unspecified, with a TLV', v2Header({ tlvs }), null],
    ['unix', v2Header({ family: 3, block: Buffer.alloc(216) }), null],
    ['UDP', v2Header({ addresses: four, transport: 2 }), null],
    ['a family to come', v2Header({ family: 4, block: Buffer.alloc(9) }), null],
    ['the longest', v2Header({ addresses: four, tlvs: [[0xee, Buffer.alloc(4096 - 12 - 3)]] }), four],
  ] as const) {
    const bytes = Buffer.concat([header, line('GET /')]);
    assert.deepEqual(parseProxyHeader(bytes), { ok: true, length: header.length, addresses: wanted }, name);
  }
  for (const [name, header] of [
    ['version 1', v2Header({ version: 1, addresses: four })],
    ['version 3', v2Header({ version: 3, addresses: four })],
    ['command 2', v2Header({ command: 2, addresses: four })],
    ['addresses cut off', v2Header({ family: 1, block: Buffer.alloc(11) })],
    ['addresses missing', v2Header({ family: 2 })],
    ['a TLV cut off in its head', v2Header({ family: 1, block: Buffer.alloc(14) })],
    [
      'a TLV longer than the header',
      v2Header({ family: 1, block: Buffer.concat([Buffer.alloc(12), Buffer.from([5, 0, 2, 1])]) }),
    ],
    ['a wrong checksum', v2Header({ addresses: four, checksum: 'bad' })],
    ['a checksum of another length', v2Header({ addresses: four, tlvs: [[3, Buffer.alloc(3)]] })],
    ['too long', v2Header({ addresses: four, tlvs: [[0xee, Buffer.alloc(4096 - 12 - 2)]] })],
  ] as const) {
    assert.equal(parseProxyHeader(header)?.ok, false, name);
  }
});

test('the checksum is that of RFC 3720', () => {
  assert.equal(crc32c(Buffer.alloc(32)), 0x8a9136aa);
  assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283);
});

const port = fc.integer({ min: 0, max: 65_535 });
const addresses = fc.oneof(
  fc.record({ remoteAddress: fc.ipV4(), remotePort: port, localAddress: fc.ipV4(), localPort: port }),
  fc.record({
    remoteAddress: fc.ipV6(),
    remotePort: port,
    localAddress: fc.ipV6(),
    localPort: port,
  }),
);
const tlvList = fc.array(
  fc
    .tuple(fc.integer({ min: 4, max: 255 }), fc.uint8Array({ maxLength: 40 }))
    .map(([type, value]): Tlv => [type, Buffer.from(value)]),
  { maxLength: 5 },
);

const header = fc.oneof(
  addresses.map(({ remoteAddress, localAddress, remotePort, localPort }) =>
    line(
      `PROXY ${remoteAddress.includes(':') ? 'TCP6' : 'TCP4'} ${remoteAddress} ${localAddress} ${remotePort} ${localPort}\r\n`,
    ),
  ),
  fc
    .tuple(addresses, tlvList, fc.boolean())
    .map(([ends, tlvs, sum]) =>
      v2Header({ addresses: ends, tlvs, ...(sum ? { checksum: 'good' as const } : {}) }),
    ),
);

test('a header is read alike however it is cut, and no byte behind it is taken', () => {
  fc.assert(
    fc.property(header, fc.uint8Array({ maxLength: 20 }), (head, behind) => {
      const whole = parseProxyHeader(Buffer.concat([head, behind]));
      assert.ok(whole?.ok === true && whole.length === head.length);
      assert.ok(head.length <= MAX_PROXY_HEADER);
      for (let cut = 0; cut < head.length; cut++) assert.equal(parseProxyHeader(head.subarray(0, cut)), null);
      assert.deepEqual(parseProxyHeader(head), whole);
    }),
  );
});

test('what both versions say of a connection is the same', () => {
  fc.assert(
    fc.property(addresses, (ends) => {
      const { remoteAddress, localAddress, remotePort, localPort } = ends;
      const family = remoteAddress.includes(':') ? 'TCP6' : 'TCP4';
      const first = parseProxyHeader(
        line(`PROXY ${family} ${remoteAddress} ${localAddress} ${remotePort} ${localPort}\r\n`),
      );
      const second = parseProxyHeader(v2Header({ addresses: ends }));
      assert.ok(first?.ok === true && second?.ok === true);
      assert.deepEqual(first.addresses, second.addresses);
    }),
  );
});

test('mutated headers never throw, never read past their end and never grow beyond the bound', () => {
  fc.assert(
    fc.property(header, fc.nat(), fc.integer({ min: 0, max: 255 }), (head, at, byte) => {
      const mutated = Buffer.from(head);
      mutated[at % mutated.length] = byte;
      const result = parseProxyHeader(mutated);
      if (result?.ok === true) assert.ok(result.length <= mutated.length);
      const padded = parseProxyHeader(Buffer.concat([mutated, Buffer.alloc(MAX_PROXY_HEADER)]));
      assert.notEqual(padded, null, 'with so many bytes there is a verdict');
    }),
  );
});
