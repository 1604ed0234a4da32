/** Start, death and end, with the stand-in data plane. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { waitFor } from '../support/wait.ts';
import { config, spawnMain, startStandIn } from './support/gateway.ts';

const ONE = config('/one');
/** Asks for what is not answered: nobody opens this gate. */
const NEVER = '/?gate=/nonexistent/gate';

test('a worker that dies comes back with the current configuration, the other goes on', async () => {
  for (const way of ['/throw', '/eat']) {
    await using gateway = await startStandIn({ config: ONE, tuning: { restartMs: 10, workerHeapMb: 64 } });
    await writeFile(gateway.configFile, config('/two'));
    await gateway.control('POST', '/reload');
    await gateway.ask(way).catch(() => null);
    await waitFor(async () => (await gateway.errorLog()).includes('is back with revision 2'), {
      timeout: 60_000,
    });
    await waitFor(
      async () => {
        const { workers } = await gateway.health();
        return (
          workers.length === 2 &&
          workers.every(({ state, revision }) => state === 'running' && revision === 2)
        );
      },
      { what: `both to run, ${way}` },
    );
    const answers = await gateway.askAll();
    assert.deepEqual([...new Set(answers.map(({ revision }) => revision))], [2]);
    assert.match(await gateway.errorLog(), /\[crit\].*worker \d died: /);
    const gaugeText = 'gauges of the dead worker are zero';
    await waitFor(async () => (await gateway.counters())['connections_active'] === 0, { what: gaugeText });
  }
});

test('fast signals end it with success and leave neither pid file nor socket', async () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    await using gateway = await startStandIn({ config: ONE });
    const slow = gateway.ask(NEVER).then(
      () => 'answered',
      () => 'cut',
    );
    await waitFor(async () => (await gateway.errorLog()) !== '');
    gateway.child.kill(signal);
    assert.deepEqual(await gateway.child.exited, { code: 0, signal: null });
    assert.equal(await slow, 'cut');
    assert.equal(existsSync(join(gateway.prefix, 'pids/sluice.pid')), false);
    assert.equal(existsSync(join(gateway.prefix, 'control.sock')), false);
  }
});

test('a graceful end finishes what is in flight and takes no more', async () => {
  await using gateway = await startStandIn({ config: ONE });
  const gate = gateway.gate();
  const slow = gateway.ask(`/?${gate.query}`);
  await waitFor(async () => (await gateway.counters())['connections_active'] === 1);
  gateway.child.kill('SIGQUIT');
  await waitFor(async () => (await fetch(gateway.url('status', '/status/ready'))).status === 503);
  assert.equal((await gateway.health()).status, 'draining');
  await waitFor(
    () =>
      gateway.ask().then(
        () => false,
        () => true,
      ),
    { what: 'no more to be taken' },
  );
  await gate.open();
  assert.equal((await slow).revision, 1);
  assert.deepEqual(await gateway.child.exited, { code: 0, signal: null });
});

const SIGQUIT = 3;

/** Whether a signal waits for the process (proc_pid_status(5)). */
function isPending(pid: number, signal: number): boolean {
  const mask = /^ShdPnd:\t([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '0';
  return ((BigInt(`0x${mask}`) >> BigInt(signal - 1)) & 1n) === 1n;
}

test('the same signal from the terminal and from the launcher is one wish', async () => {
  await using gateway = await startStandIn({ config: ONE });
  const gate = gateway.gate();
  const slow = gateway.ask(`/?${gate.query}`);
  await waitFor(async () => (await gateway.counters())['connections_active'] === 1);
  // Signals of one kind are one until they are delivered: the second comes right after that, and is a wish of its own
  // only when the first was half a second ago.
  for (let n = 0; n < 2; n++) {
    gateway.child.kill('SIGQUIT');
    while (isPending(gateway.child.pid, SIGQUIT));
  }
  assert.equal((await gateway.health()).status, 'draining');
  await gate.open();
  assert.equal((await slow).revision, 1);
  assert.deepEqual(await gateway.child.exited, { code: 0, signal: null });
});

test('quit cuts what is left after its time, and a second signal cuts at once', async () => {
  await using timed = await startStandIn({ config: ONE });
  const slow = timed.ask(NEVER).catch(() => null);
  await waitFor(async () => (await timed.errorLog()) !== '');
  assert.equal((await timed.control('POST', '/quit', { timeout: 0.2, wait: 0 })).status, 202);
  assert.deepEqual(await timed.child.exited, { code: 0, signal: null });
  assert.equal(await slow, null);

  await using impatient = await startStandIn({ config: ONE });
  const other = impatient.ask(NEVER).catch(() => null);
  // A gateway without a connection has nothing to wait for.
  await waitFor(async () => (await impatient.counters())['connections_active'] === 1);
  impatient.child.kill('SIGQUIT');
  await waitFor(async () => (await impatient.health()).status === 'draining');
  impatient.child.kill('SIGTERM');
  assert.deepEqual(await impatient.child.exited, { code: 0, signal: null });
  await other;
});

test('a signal at any moment of a start is an end that was wanted', async () => {
  await Promise.all(
    [0, 20, 40, 60, 80, 120, 160].map(async (moment) => {
      await using gateway = await startStandIn({ config: ONE, unready: true });
      await waitFor(() => existsSync(join(gateway.prefix, 'control.sock')));
      await delay(moment);
      gateway.child.kill('SIGQUIT');
      assert.deepEqual(await gateway.child.exited, { code: 0, signal: null }, gateway.child.output);
    }),
  );
});

test('stop cuts a quit short, while it waits and while it drains', async () => {
  for (const wait of [600, 0]) {
    await using gateway = await startStandIn({ config: ONE });
    const slow = gateway.ask(NEVER).then(
      () => 'answered',
      () => 'cut',
    );
    await waitFor(async () => (await gateway.counters())['connections_active'] === 1);
    await gateway.control('POST', '/quit', { wait, timeout: 600 });
    await gateway.control('POST', '/stop');
    assert.deepEqual(await gateway.child.exited, { code: 0, signal: null });
    assert.equal(await slow, 'cut');
  }
});

test('SIGUSR1 opens the log files again, in main and in the workers', async () => {
  await using gateway = await startStandIn({ config: ONE });
  await waitFor(async () => (await gateway.errorLog()) !== '');
  const log = join(gateway.prefix, 'logs/error.log');
  await rename(log, `${log}.1`);
  gateway.child.kill('SIGUSR1');
  await waitFor(async () => (await gateway.errorLog()).includes('open again'));
  assert.equal((await gateway.ask()).reopened, 1);
  assert.equal((await gateway.control('POST', '/reopen')).status, 200);
  assert.equal((await gateway.ask()).reopened, 2);
});

test('a second start on the same prefix is refused and harms nothing', async () => {
  await using gateway = await startStandIn({ config: ONE });
  const second = spawnMain(join(gateway.prefix, '../sluice.conf'));
  assert.equal((await second.exited).code, 1);
  assert.match(
    second.output,
    new RegExp(`a gateway is running with the prefix .* \\(pid ${gateway.child.pid}\\)`),
  );
  assert.equal((await gateway.ask()).revision, 1);
  const pid = await readFile(join(gateway.prefix, 'pids/sluice.pid'), 'utf8');
  assert.equal(pid, `${gateway.child.pid}\n`);
});

test('after a kill the next start takes the prefix over', async () => {
  await using gateway = await startStandIn({ config: ONE });
  await gateway.child.stop('SIGKILL');
  assert.equal(existsSync(join(gateway.prefix, 'pids/sluice.pid')), true);
  const next = spawnMain(join(gateway.prefix, '../sluice.conf'));
  await waitFor(async () => (await gateway.ask().catch(() => null))?.revision === 1);
  await next.stop('SIGTERM');
});

test('a port that is taken is named with its owner', async () => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  for (const listener of ['proxy_listen', 'admin_listen', 'status_listen']) {
    await using gateway = await startStandIn({
      config: ONE,
      settings: { [listener]: `127.0.0.1:${port}` },
      unready: true,
    });
    assert.equal((await gateway.child.exited).code, 1, listener);
    const owner = process.platform === 'linux' ? ` by .* \\(pid ${process.pid}\\)` : '';
    assert.match(gateway.child.output, new RegExp(`127\\.0\\.0\\.1:${port} is in use${owner}`), listener);
    assert.equal(existsSync(join(gateway.prefix, 'pids/sluice.pid')), false);
  }
  server.close();
});

test('a start with an invalid file says every error and ends with 1', async () => {
  await using gateway = await startStandIn({ config: `${ONE}  retries: x\n  port: y\n`, unready: true });
  assert.equal((await gateway.child.exited).code, 1);
  assert.match(gateway.child.output, /kong\.yml:8:\d+: .*retries/);
  assert.match(gateway.child.output, /kong\.yml:9:\d+: .*port/);
});

test('a prefix that is too long for a unix socket is told as such', async () => {
  await using gateway = await startStandIn({ config: ONE });
  const prefix = join(gateway.prefix, 'x'.repeat(100));
  await mkdir(prefix);
  const conf = join(gateway.prefix, 'long.conf');
  await writeFile(conf, `prefix = ${prefix}\ndatabase = off\nproxy_listen = off\nadmin_listen = off\n`);
  const child = spawnMain(conf);
  assert.equal((await child.exited).code, 1);
  assert.match(child.output, /a unix socket's path may have \d+: choose a shorter prefix/);
});

test('the control socket is for its owner alone', async () => {
  await using gateway = await startStandIn({ config: ONE });
  assert.equal((await stat(join(gateway.prefix, 'control.sock'))).mode & 0o777, 0o600);
  assert.equal((await gateway.control('GET', '/nothing')).status, 404);
  assert.equal((await gateway.control('POST', '/quit', { timeout: -1 })).status, 400);
  assert.equal((await gateway.health()).status, 'running');
});
