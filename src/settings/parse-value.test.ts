import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import { adminListeners, listeners, streamListeners } from './parse-listen.ts';
import * as parse from './parse-value.ts';

type Parser = (text: string) => unknown;

const size = parse.size(0);
/** A listener that says nothing of itself. */
const PLAIN = {
  path: null,
  backlog: 511,
  reuseport: false,
  ipv6only: true,
  ssl: false,
  http2: false,
  proxyProtocol: false,
  udp: false,
  keepAlive: null,
};

const GOOD: readonly (readonly [Parser, string, unknown])[] = [
  [parse.boolean, 'on', true],
  [parse.boolean, 'true', true],
  [parse.boolean, 'off', false],
  [parse.boolean, 'false', false],
  [size, '0', 0],
  [size, '512', 512],
  [size, '8k', 8192],
  [size, '8K', 8192],
  [size, '10m', 10 * 1024 * 1024],
  [size, '2g', 2 * 1024 ** 3],
  [parse.time, '60', 60_000],
  [parse.time, '75s', 75_000],
  [parse.time, '500ms', 500],
  [parse.time, '1h', 3_600_000],
  [parse.time, '1h 30m', 5_400_000],
  [parse.time, '1h30m', 5_400_000],
  [parse.time, '0', 0],
  [parse.time, '1d', 86_400_000],
  [parse.seconds, '60', 60],
  [parse.seconds, '0.5', 0.5],
  [parse.buffers, '4 8k', { number: 4, size: 8192 }],
  [parse.workers, '3', 3],
  [parse.workers, 'auto', availableParallelism()],
  [parse.list(parse.text), 'a, b ,,c', ['a', 'b', 'c']],
  [parse.portMaps, '80:8000, 443:8443', { 8000: 80, 8443: 443 }],
  [parse.ipOrCidr, '10.0.0.0/8', '10.0.0.0/8'],
  [parse.ipOrCidr, '::/0', '::/0'],
  [parse.ipOrCidr, '127.0.0.1', '127.0.0.1'],
  [parse.nameServer, '10.0.0.2', '10.0.0.2'],
  [parse.nameServer, '10.0.0.2:5353', '10.0.0.2:5353'],
  [parse.nameServer, '::1', '::1'],
  [parse.nameServer, '[::1]:53', '[::1]:53'],
  [parse.logTarget, '/dev/stdout', '/dev/stdout'],
  [parse.logTarget, 'logs/a.log kong_log_format', 'logs/a.log'],
  [listeners, 'off', []],
  [listeners, '0.0.0.0:8000', [{ host: '0.0.0.0', port: 8000, ...PLAIN }]],
  [listeners, '*:8000', [{ host: '0.0.0.0', port: 8000, ...PLAIN }]],
  [listeners, '[::]:8000 ipv6only=off', [{ host: '::', port: 8000, ...PLAIN, ipv6only: false }]],
  [listeners, 'localhost:1 bind deferred', [{ host: 'localhost', port: 1, ...PLAIN }]],
  [listeners, 'unix:/run/s.sock ssl', [{ host: '', port: 0, ...PLAIN, path: '/run/s.sock', ssl: true }]],
  [
    listeners,
    '1.2.3.4:1 ssl http2 proxy_protocol so_keepalive=30m::10',
    [
      {
        host: '1.2.3.4',
        port: 1,
        ...PLAIN,
        ssl: true,
        http2: true,
        proxyProtocol: true,
        keepAlive: { enable: true, idle: 1800, interval: null, count: 10 },
      },
    ],
  ],
  [streamListeners, '1.2.3.4:53 udp', [{ host: '1.2.3.4', port: 53, ...PLAIN, udp: true }]],
  [
    listeners,
    '0.0.0.0:8000 reuseport backlog=16384, 127.0.0.1:8001  reuseport',
    [
      { host: '0.0.0.0', port: 8000, ...PLAIN, backlog: 16384, reuseport: true },
      { host: '127.0.0.1', port: 8001, ...PLAIN, reuseport: true },
    ],
  ],
];

for (const [parser, text, expected] of GOOD) {
  test(`value: '${text}' is ${JSON.stringify(expected)}`, () => assert.deepEqual(parser(text), expected));
}

const BAD: readonly (readonly [Parser, string, RegExp])[] = [
  [parse.boolean, 'yes', /'yes' is not one of: on, off, true, false/],
  [parse.boolean, 'ON', /not one of/],
  [size, '8 k', /not a size/],
  [size, '-1', /not a size/],
  [size, '1e3', /not a size/],
  [size, '999999999999999g', /not a size/],
  [parse.size(1024, 8192), '16k', /not within 1k and 8k/],
  [parse.time, '1y', /not a time/],
  [parse.time, '1.5s', /not a time/],
  [parse.time, '25d', /not a time/],
  [parse.time, '10 20', /not a time/],
  [parse.seconds, '-1', /not a number of seconds/],
  [parse.seconds, '2147484', /not a number of seconds/],
  [parse.integer(1), '0', /not a whole number of at least 1/],
  [parse.integer(1, 5), '6', /not a whole number from 1 to 5/],
  [parse.integer(0), '1.5', /not a whole number/],
  [parse.integer(0), '99999999999999999', /not a whole number/],
  [parse.buffers, '4', /not a number and a size/],
  [parse.workers, '0', /not a whole number/],
  [parse.portMaps, '80', /PUBLIC_PORT:LISTENER_PORT/],
  [parse.portMaps, '0:80', /PUBLIC_PORT:LISTENER_PORT/],
  [parse.portMaps, '80:65536', /PUBLIC_PORT:LISTENER_PORT/],
  [parse.ipOrCidr, '10.0.0.0/33', /not an IP address or CIDR/],
  [parse.ipOrCidr, '10.0.0', /not an IP address or CIDR/],
  [parse.ipOrCidr, '10.0.0.0/8/8', /not an IP address or CIDR/],
  [parse.ipOrCidr, 'unix:/run/x', /not an IP address or CIDR/],
  [parse.nameServer, 'dns.example', /not an address of a name server/],
  [parse.nameServer, '10.0.0.2:0', /not an address of a name server/],
  [parse.nameServer, '[10.0.0.2]:53', /not an address of a name server/],
  [parse.headerName, 'X Real', /not a header name/],
  [parse.logTarget, 'syslog:server=x', /only files/],
  [parse.logTarget, 'logs/a.log combined', /format or level .* not supported/],
  [parse.readableFile, '/nonexistent/x', /cannot read/],
  [parse.readableFile, '/tmp', /not a file/],
  [listeners, '0.0.0.0:8000 udp', /unknown flag 'udp'/],
  [adminListeners, '0.0.0.0:8000 http2', /HTTP\/2 needs ssl beside it/],
  [streamListeners, '0.0.0.0:8000 http2', /unknown flag 'http2'/],
  [streamListeners, '0.0.0.0:8000 udp ssl', /udp has neither ssl/],
  [listeners, '0.0.0.0:8000 so_keepalive=::', /so_keepalive of .* is on, off or/],
  [listeners, '0.0.0.0:8000 so_keepalive=1h', /so_keepalive of .* is on, off or/],
  [listeners, '0.0.0.0:8000 reusport', /unknown flag 'reusport'/],
  [listeners, '0.0.0.0:8000 backlog=0', /unknown flag 'backlog=0'/],
  [listeners, 'unix:tmp/x.sock', /must be absolute/],
  [listeners, `unix:/${'x'.repeat(107)}`, /at most 107 octets/],
  [listeners, '8000', /not an address/],
  [listeners, '0.0.0.0', /not an address/],
  [listeners, '0.0.0.0:65536', /not an address/],
  [listeners, '1.2.3:80', /not an address/],
  [listeners, '::1:8000', /not an address/],
  [listeners, '[::g]:8000', /not an address/],
  [listeners, '0.0.0.0:8000, off', /'off' cannot stand beside/],
  [listeners, '0.0.0.0:8000, 0.0.0.0:8000', /listed twice/],
];

for (const [parser, text, expected] of BAD) {
  test(`value: '${text}' is refused`, () => {
    assert.throws(
      () => parser(text),
      (error) => error instanceof parse.InvalidValue && expected.test(error.message),
    );
  });
}

test('only Linux has several workers', () => {
  assert.equal(parse.workers('4', 'linux'), 4);
  assert.equal(parse.workers('auto', 'darwin'), 1);
  assert.equal(parse.workers('1', 'darwin'), 1);
  assert.throws(() => parse.workers('2', 'darwin'), /on darwin one worker can listen/);
});
