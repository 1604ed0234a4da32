import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import * as fc from 'fast-check';
import { AccessLog, formatLocalTime, type AccessEntry } from './access-log.ts';
import { LogFile } from './log-file.ts';
import '../../test/support/fixed-seed.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-access-'));
after(() => rmSync(folder, { recursive: true }));

const NOW = new Date(2026, 10, 24, 3, 0, 9, 999).getTime();
const TIME = formatLocalTime(new Date(NOW));

const ENTRY: AccessEntry = {
  remoteAddr: '10.0.0.1',
  remoteUser: '',
  method: 'GET',
  target: '/a?b=c',
  version: '1.1',
  status: 200,
  bytesSent: 1234,
  referer: '',
  userAgent: 'curl/8.0',
  requestId: '0123456789abcdef0123456789abcdef',
};

async function written(
  entries: readonly Partial<AccessEntry>[],
  now: () => number = () => NOW,
): Promise<string[]> {
  const path = join(folder, `${Math.random()}.log`);
  const file = new LogFile({ path });
  const log = new AccessLog(file, now);
  for (const entry of entries) log.write({ ...ENTRY, ...entry });
  await file.close();
  return readFileSync(path, 'latin1').split('\n').slice(0, -1);
}

const LINES: readonly (readonly [title: string, entry: Partial<AccessEntry>, line: string])[] = [
  [
    "Kong's format",
    {},
    `10.0.0.1 - - [${TIME}] "GET /a?b=c HTTP/1.1" 200 1234 "-" "curl/8.0" kong_request_id: "${ENTRY.requestId}"`,
  ],
  [
    'every value',
    {
      remoteAddr: '::1',
      remoteUser: 'ann',
      method: 'POST',
      target: '/',
      version: '2',
      status: 503,
      bytesSent: 0,
      referer: 'http://x/',
      userAgent: '',
    },
    `::1 - ann [${TIME}] "POST / HTTP/2.0" 503 0 "http://x/" "-" kong_request_id: "${ENTRY.requestId}"`,
  ],
  [
    'HTTP/1.0',
    { version: '1.0', requestId: '' },
    `10.0.0.1 - - [${TIME}] "GET /a?b=c HTTP/1.0" 200 1234 "-" "curl/8.0" kong_request_id: "-"`,
  ],
  [
    'no request line',
    { method: '', target: '', status: 400 },
    `10.0.0.1 - - [${TIME}] "" 400 1234 "-" "curl/8.0" kong_request_id: "${ENTRY.requestId}"`,
  ],
  [
    'escapes',
    { target: '/"\\\x00\n\x7f\xe4~', userAgent: '\x1b[31m', remoteUser: 'a b' },
    `10.0.0.1 - a b [${TIME}] "GET /\\x22\\x5C\\x00\\x0A\\x7F\\xE4~ HTTP/1.1" 200 1234 "-" "\\x1B[31m" kong_request_id: "${ENTRY.requestId}"`,
  ],
];

for (const [title, entry, line] of LINES) {
  test(`access log: ${title}`, async () => assert.deepEqual(await written([entry]), [line]));
}

test('access log: the time follows the clock, one second at a time', async () => {
  const times = [NOW, NOW, NOW + 1, NOW + 1001];
  const lines = await written([{}, {}, {}, {}], () => times.shift() ?? 0);
  assert.deepEqual(
    lines.map((line) => /\[(.*)\]/.exec(line)?.[1]),
    [NOW, NOW, NOW + 1, NOW + 1001].map((time) => formatLocalTime(new Date(time))),
  );
  assert.notEqual(lines[1], lines[2]);
});

test('access log: times with their zone', () => {
  assert.match(formatLocalTime(new Date(0)), /^\d\d\/(Jan|Dec)\/19(70|69):\d\d:\d\d:00 [+-]\d{4}$/);
  const date = new Date(2026, 1, 3, 4, 5, 6);
  assert.ok(formatLocalTime(date).startsWith('03/Feb/2026:04:05:06 '));
});

test('access log: numbers of every length', async () => {
  const numbers = [0, 9, 10, 99, 100, 999_999, 2 ** 31 - 1, 2 ** 31, 10 * 2 ** 30, Number.MAX_SAFE_INTEGER];
  const lines = await written(numbers.map((bytesSent) => ({ bytesSent })));
  assert.deepEqual(
    lines.map((line) => /" 200 (\d+) "/.exec(line)?.[1]),
    numbers.map(String),
  );
});

test('access log: any values make exactly one line each, of printable ASCII, with the fields in place', async () => {
  const value = fc.string({ unit: 'binary', maxLength: 40 });
  const entry = fc.record({
    remoteUser: value,
    method: value,
    target: value,
    referer: value,
    userAgent: value,
  });
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { maxLength: 20 }), async (entries) => {
      const lines = await written(entries);
      assert.equal(lines.length, entries.length);
      for (const line of lines) {
        assert.match(
          line,
          /^10\.0\.0\.1 - [ -~]+ \[[^\]]+\] "[^"]*" 200 1234 "[^"]+" "[^"]+" kong_request_id: "[0-9a-f]{32}"$/,
        );
      }
    }),
    { numRuns: 60 },
  );
});

test('access log: the longest values are cut and fit', async () => {
  const huge = '\xff'.repeat(1_000_000);
  const [line, next] = await written([
    { remoteUser: huge, target: huge, referer: huge, userAgent: huge, requestId: huge },
    {},
  ]);
  assert.equal(line?.match(/\\xFF/g)?.length, 5 * 8192);
  assert.ok(next?.startsWith('10.0.0.1 - - ['));
});
