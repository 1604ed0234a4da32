import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { type ConnectionOptions, connect } from 'node:tls';
import * as fc from 'fast-check';
import '../../../test/support/fixed-seed.ts';
import { type ClientHelloResult, MAX_CLIENT_HELLO_BYTES, readClientHello } from './client-hello.ts';

/** What OpenSSL, by `node:tls`, sends first. */
function helloOf(options: ConnectionOptions): Promise<Buffer> {
  return new Promise((resolve) => {
    const wire = new Duplex({
      read() {},
      write(chunk: Buffer) {
        resolve(chunk);
      },
    });
    connect({ ...options, socket: wire }).on('error', () => undefined);
  });
}

function vector(lengthOctets: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const length = Buffer.alloc(lengthOctets);
  length.writeUIntBE(content.length, 0, lengthOctets);
  return Buffer.concat([length, content]);
}

const bytes = (...octets: number[]): Buffer => Buffer.from(octets);

function extension(type: number, content: Uint8Array): Buffer {
  return Buffer.concat([bytes(type >> 8, type & 0xff), vector(2, content)]);
}

const sni = (name: string, type = 0): Buffer =>
  extension(0, vector(2, bytes(type), vector(2, Buffer.from(name, 'latin1'))));
const alpn = (...names: string[]): Buffer =>
  extension(16, vector(2, ...names.map((name) => vector(1, Buffer.from(name, 'latin1')))));

interface Shape {
  readonly session?: number;
  readonly suites?: Buffer;
  readonly compression?: Buffer;
  readonly extensions?: readonly Buffer[] | null;
  readonly behind?: Buffer;
}

function message(shape: Shape): Buffer {
  const { extensions = [] } = shape;
  const body = Buffer.concat([
    bytes(3, 3),
    Buffer.alloc(32, 7),
    vector(1, Buffer.alloc(shape.session ?? 32, 1)),
    vector(2, shape.suites ?? bytes(0x13, 1)),
    vector(1, shape.compression ?? bytes(0)),
    ...(extensions === null ? [] : [vector(2, ...extensions)]),
    shape.behind ?? Buffer.alloc(0),
  ]);
  return Buffer.concat([bytes(1), vector(3, body)]);
}

/** In records of at most so many octets. */
function records(content: Buffer, size = 16_384): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < content.length; at += size) {
    parts.push(bytes(22, 3, 1), vector(2, content.subarray(at, at + size)));
  }
  return Buffer.concat(parts);
}

/** A message of so many octets. */
const sized = (length: number): Buffer => message({ session: length - message({ session: 0 }).length });
const hello = (shape: Shape): Buffer => records(message(shape));

function told(result: ClientHelloResult): string {
  return result.kind === 'hello'
    ? `${result.hello.serverName}|${result.hello.protocols.join()}`
    : result.kind === 'fault'
      ? result.reason
      : result.kind;
}

const CASES: ReadonlyArray<readonly [what: string, sent: Buffer, said: string]> = [
  ['nothing', Buffer.alloc(0), 'incomplete'],
  [
    'a name and protocols',
    hello({ extensions: [sni('A.Example.com'), alpn('h2', 'http/1.1')] }),
    'a.example.com|h2,http/1.1',
  ],
  ['no extensions', hello({ extensions: null }), '|'],
  ['an empty list of them', hello({}), '|'],
  ['a dot at the end', hello({ extensions: [sni('a.test.')] }), 'a.test|'],
  ['GREASE in ALPN', hello({ extensions: [alpn('\x0a\x0a', 'h2')] }), '|h2'],
  ['HTTP', Buffer.from('GET / HTTP/1.1\r\n'), 'not a TLS handshake'],
  ['SSL 2', bytes(0x80, 0x2e, 1, 0, 2), 'not a TLS handshake'],
  ['an alert first', bytes(21, 3, 1, 0, 2, 2, 40), 'not a TLS handshake'],
  ['version 4', bytes(22, 4, 1, 0, 2, 1, 0), 'unknown TLS version'],
  ['an empty record', bytes(22, 3, 1, 0, 0), 'record of an invalid size'],
  ['a record too long', bytes(22, 3, 1, 0x40, 1), 'record of an invalid size'],
  ['a ServerHello', records(bytes(2, 0, 0, 1, 0)), 'no ClientHello'],
  ['one too long', bytes(22, 3, 1, 0x40, 0, 1, 0, 0x40, 0), 'oversized ClientHello'],
  [
    'two names',
    hello({
      extensions: [
        extension(0, vector(2, bytes(0), vector(2, Buffer.from('a')), bytes(0), vector(2, Buffer.from('b')))),
      ],
    }),
    'several server names',
  ],
  ['the extension twice', hello({ extensions: [sni('a'), sni('b')] }), 'an extension twice'],
  ['another type of name', hello({ extensions: [sni('a', 1)] }), 'server name of an unknown type'],
  ['an empty name', hello({ extensions: [sni('')] }), 'invalid server name'],
  ['a dot', hello({ extensions: [sni('.')] }), 'invalid server name'],
  ['NUL in a name', hello({ extensions: [sni('a\0b')] }), 'invalid server name'],
  ['a line break in a name', hello({ extensions: [sni('a\nb')] }), 'invalid server name'],
  ['a name of 256 octets', hello({ extensions: [sni('a'.repeat(256))] }), 'invalid server name'],
  [
    'bytes behind the name',
    hello({
      extensions: [extension(0, Buffer.concat([vector(2, bytes(0), vector(2, Buffer.from('a'))), bytes(1)]))],
    }),
    'bytes behind the server name',
  ],
  ['an empty protocol', hello({ extensions: [alpn('')] }), 'empty protocol name'],
  ['no protocol', hello({ extensions: [alpn()] }), 'protocols of an invalid size'],
  ['a session id of 33 octets', hello({ session: 33 }), 'session id of an invalid size'],
  ['half a suite', hello({ suites: bytes(0x13, 1, 2) }), 'cipher suites of an invalid size'],
  ['no suite', hello({ suites: Buffer.alloc(0) }), 'cipher suites of an invalid size'],
  ['no compression method', hello({ compression: Buffer.alloc(0) }), 'no compression method'],
  ['bytes behind the extensions', hello({ behind: bytes(1) }), 'bytes behind the extensions'],
  [
    '65 extensions',
    hello({ extensions: Array.from({ length: 65 }, (_, i) => extension(1000 + i, bytes())) }),
    'too many extensions',
  ],
  [
    'bytes behind the message',
    records(Buffer.concat([message({}), bytes(1)])),
    'bytes behind the ClientHello',
  ],
  ['64 records', records(sized(64), 1), '|'],
  ['65 records', records(sized(65), 1), 'too many records'],
  [
    'a flood of records',
    records(Buffer.from([1, 0, 0x3e, 0x80, ...Buffer.alloc(2600)]), 1),
    'too many records',
  ],
  [
    'early data behind it',
    Buffer.concat([hello({ extensions: [sni('a')] }), bytes(23, 3, 3, 0, 1, 0)]),
    'a|',
  ],
];

test('a table of first bytes', () => {
  for (const [what, sent, said] of CASES) assert.equal(told(readClientHello(sent)), said, what);
});

test('what OpenSSL sends is read, in whatever pieces and records it comes', async () => {
  const sent = await helloOf({ servername: 'One.Example.com', ALPNProtocols: ['h2', 'http/1.1'] });
  const said = 'one.example.com|h2,http/1.1';
  assert.equal(told(readClientHello(sent)), said);
  for (let end = 0; end < sent.length; end++) {
    assert.deepEqual(readClientHello(sent.subarray(0, end)), { kind: 'incomplete' }, `after ${end} octets`);
  }
  for (const size of [sent.length >> 5, 100, 1000])
    assert.equal(told(readClientHello(records(sent.subarray(5), size))), said);
  const old = await helloOf({ servername: 'two.test', maxVersion: 'TLSv1.2' });
  assert.equal(told(readClientHello(old)), 'two.test|');
});

test('the key of a ticket is told, of TLS 1.3 before that of 1.2', () => {
  const name = Buffer.from('0123456789abcdef');
  const other = Buffer.alloc(200, 9);
  const ticket = extension(35, Buffer.concat([name, Buffer.alloc(100)]));
  const identities = vector(
    2,
    vector(2, name, Buffer.alloc(90)),
    bytes(0, 0, 0, 0),
    vector(2, other),
    bytes(0, 0, 0, 0),
  );
  const preShared = extension(41, Buffer.concat([identities, vector(2, vector(1, Buffer.alloc(32)))]));
  const nameOf = (...extensions: Buffer[]): Buffer | null => {
    const result = readClientHello(hello({ extensions }));
    assert.ok(result.kind === 'hello');
    return result.hello.ticketName;
  };
  assert.deepEqual(nameOf(ticket), name);
  assert.deepEqual(nameOf(extension(35, other), preShared), name);
  for (const none of [[], [extension(35, bytes())], [extension(35, name.subarray(1))]]) {
    assert.equal(nameOf(...none), null);
  }
});

test('property: mutated hellos are read or refused, and never ask for more than the bound', async () => {
  const sent = await helloOf({ servername: 'one.example.com', ALPNProtocols: ['h2'] });
  const place = fc.nat(sent.length - 1);
  const change = fc.tuple(place, fc.constantFrom('set', 'cut', 'insert'), fc.nat(255));
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 8 }), (changes) => {
      let mutated = Buffer.from(sent);
      for (const [at, how, octet] of changes) {
        if (how === 'set' && at < mutated.length) mutated[at] = octet;
        else if (how === 'cut') mutated = Buffer.concat([mutated.subarray(0, at), mutated.subarray(at + 1)]);
        else if (how === 'insert')
          mutated = Buffer.concat([mutated.subarray(0, at), bytes(octet), mutated.subarray(at)]);
      }
      const result = readClientHello(mutated);
      if (result.kind === 'hello') assert.match(result.hello.serverName, /^[a-z0-9._:-]*$/);
      const flood = readClientHello(Buffer.concat([mutated, Buffer.alloc(MAX_CLIENT_HELLO_BYTES)]));
      assert.notEqual(flood.kind, 'incomplete');
    }),
    { numRuns: 2000 },
  );
});

test('property: what was put in comes out', () => {
  const label = fc.stringMatching(/^[a-z0-9_-]{1,20}$/);
  const names = fc.array(label, { minLength: 1, maxLength: 5 }).map((labels) => labels.join('.'));
  const others = fc.uniqueArray(
    fc.record({ type: fc.integer({ min: 50, max: 65_535 }), content: fc.uint8Array({ maxLength: 300 }) }),
    { selector: ({ type }) => type, maxLength: 10 },
  );
  const protocol = fc.stringMatching(/^[\x21-\x7e]{1,20}$/);
  fc.assert(
    fc.property(
      names,
      fc.array(protocol, { minLength: 1, maxLength: 6 }),
      others,
      fc.integer({ min: 1, max: 64 }),
      (name, list, rest, count) => {
        const extensions = [
          ...rest.map(({ type, content }) => extension(type, content)),
          sni(name),
          alpn(...list),
        ];
        const whole = message({ extensions });
        const result = readClientHello(records(whole, Math.ceil(whole.length / count)));
        assert.equal(told(result), `${name}|${list.join()}`);
      },
    ),
  );
});
