import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ErrorLog, LINES_PER_WINDOW, WINDOW_MS } from './error-log.ts';
import { LogFile } from './log-file.ts';
import type { LogLevel } from '../settings/settings.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-error-'));
after(() => rmSync(folder, { recursive: true }));

const START = new Date(2026, 10, 24, 3, 0, 0).getTime();

interface Fixture {
  readonly log: ErrorLog;
  readonly clock: { now: number };
  readonly lines: () => Promise<string[]>;
}

function fixture(level: LogLevel = 'notice'): Fixture {
  const path = join(folder, `${Math.random()}.log`);
  const file = new LogFile({ path });
  const clock = { now: START };
  const log = new ErrorLog(file, level, () => clock.now);
  return {
    log,
    clock,
    async lines() {
      log.close();
      await file.close();
      return readFileSync(path, 'utf8').split('\n').slice(0, -1);
    },
  };
}

test("error log: nginx's line", async () => {
  const { log, lines } = fixture();
  log.log('error', 'x', 'it broke', {
    connection: 42,
    client: '10.0.0.1',
    request: 'GET / HTTP/1.1',
    upstream: 'http://10.0.0.2:80',
    host: 'example.com',
    route: 'r',
    service: 's',
    requestId: 'abc',
  });
  log.log('warn', 'x', 'alone');
  assert.deepEqual(await lines(), [
    `2026/11/24 03:00:00 [error] ${process.pid}#0: *42 it broke, client: 10.0.0.1, request: "GET / HTTP/1.1", upstream: "http://10.0.0.2:80", host: "example.com", route: "r", service: "s", request_id: "abc"`,
    `2026/11/24 03:00:00 [warn] ${process.pid}#0: alone`,
  ]);
});

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'notice', 'warn', 'error', 'crit', 'alert', 'emerg'];

for (const [index, threshold] of LEVELS.entries()) {
  test(`error log: at level ${threshold} only that and worse is written`, async () => {
    const { log, lines } = fixture(threshold);
    for (const level of LEVELS) {
      assert.equal(log.enabled(level), LEVELS.indexOf(level) >= index);
      log.log(level, level, level);
    }
    const found = (await lines()).map((line) => /\[(\w+)\]/.exec(line)?.[1]);
    assert.deepEqual(found, LEVELS.slice(index));
  });
}

test('error log: the level changes while it runs', async () => {
  const { log, lines } = fixture('error');
  log.log('info', 'a', 'no');
  log.setLevel('info');
  log.log('info', 'a', 'yes');
  assert.equal((await lines()).length, 1);
});

test('error log: off writes nothing', () => {
  const log = new ErrorLog(null, 'debug');
  assert.equal(log.enabled('emerg'), false);
  log.log('emerg', 'a', 'b');
});

test('error log: nobody forges a line or a value', async () => {
  const { log, lines } = fixture();
  const evil = 'x"\n2026/11/24 03:00:00 [alert] 1#1: \x1b[2J\x00\x7f\x85\u2028\r';
  log.log('error', 'a', evil, { request: evil, client: evil });
  const [line, ...more] = await lines();
  assert.deepEqual(more, []);
  // oxlint-disable-next-line no-control-regex -- none of them may be there
  assert.doesNotMatch(line ?? '', /[\u0000-\u001f\u007f-\u009f\u2028]/);
  assert.ok(line?.includes('request: "x\\x22\\n2026/11/24'));
  assert.ok(line?.includes('\\x1B[2J\\x00\\x7F\\x85\\u2028\\x0D'));
});

test('error log: long values are cut', async () => {
  const { log, lines } = fixture();
  log.log('error', 'a', 'm'.repeat(100_000), { request: 'r'.repeat(100_000) });
  const [line] = await lines();
  assert.equal(line?.length, 4000);
});

test('error log: each kind has its budget; what is left out is counted when the window ends', async () => {
  const { log, clock, lines } = fixture();
  for (let i = 0; i < LINES_PER_WINDOW + 50; i++) log.log('error', 'attack', `a${i}`);
  log.log('warn', 'other', 'still told');
  clock.now += WINDOW_MS;
  log.log('error', 'attack', 'again');
  const found = await lines();
  assert.equal(found.length, LINES_PER_WINDOW + 3);
  assert.match(found[LINES_PER_WINDOW] ?? '', /\[warn\].*still told$/);
  assert.match(
    found[LINES_PER_WINDOW + 1] ?? '',
    /\[error\].*50 more messages of kind attack were left out$/,
  );
  assert.match(found[LINES_PER_WINDOW + 2] ?? '', /again$/);
});

test('error log: what is left out is told at the end too', async () => {
  const { log, lines } = fixture();
  for (let i = 0; i < LINES_PER_WINDOW + 2; i++) log.log('error', 'attack', 'a');
  assert.match((await lines()).at(-1) ?? '', /2 more messages of kind attack/);
});

test('error log: a clock set back starts a new window', async () => {
  const { log, clock, lines } = fixture();
  for (let i = 0; i < LINES_PER_WINDOW; i++) log.log('error', 'a', 'a');
  clock.now -= 3_600_000;
  log.log('error', 'a', 'heard');
  assert.match((await lines()).at(-1) ?? '', /heard$/);
});

test('error log: kinds made from input share one budget beyond a bound', async () => {
  const { log, lines } = fixture();
  for (let i = 0; i < 5000; i++) log.log('error', `kind ${i}`, 'a');
  assert.ok((await lines()).length <= 512 + LINES_PER_WINDOW + 1);
});

test('error log: debug is not limited', async () => {
  const { log, lines } = fixture('debug');
  for (let i = 0; i < 1000; i++) log.log('debug', 'a', 'a');
  assert.equal((await lines()).length, 1000);
});
