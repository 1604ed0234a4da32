/** The whole process under its launcher: killed, told to reopen its logs while it starts, without a configuration. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { Child } from '../support/child.ts';
import { type Gateway, sluice, startGateway } from '../support/gateway.ts';
import { startEcho } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';

const SLUICE = fileURLToPath(new URL('../../bin/sluice', import.meta.url));

function config(url: string): Record<string, unknown> {
  return { _format_version: '3.0', services: [{ name: 's', url, routes: [{ name: 'r', paths: ['/'] }] }] };
}

async function pidOf(gateway: Gateway): Promise<number | null> {
  const text = await readFile(join(gateway.prefix, 'pids/sluice.pid'), 'utf8').catch(() => '');
  return text === '' ? null : Number(text);
}

async function isReady(gateway: Gateway): Promise<boolean> {
  const response = await fetch(`${gateway.statusUrl}/status/ready`).catch(() => null);
  return response?.status === 200;
}

test('killed under its launcher, it comes back with pid file, control socket and configuration', async () => {
  await using upstream = await startEcho();
  await using gateway = await startGateway({
    config: config(upstream.url),
    env: { SLUICE_NO_RESTART: '0' },
  });
  for (let round = 0; round < 2; round++) {
    const before = await pidOf(gateway);
    assert.ok(before !== null && before !== gateway.pid, 'the launcher is another process');
    process.kill(before, 'SIGKILL');
    const after = await waitFor(async () => {
      const pid = await pidOf(gateway);
      return pid !== before && pid !== null && (await isReady(gateway)) ? pid : null;
    });
    assert.notEqual(after, before);
    assert.equal((await fetch(gateway.url)).status, 200);
    const health = await sluice(['health', '-c', gateway.conf]);
    assert.equal(health.code, 0, health.stderr);
    await gateway.reload();
  }
  assert.match(gateway.child.output, /was killed by signal 9; starting it again in 0 s/);
  assert.deepEqual(await gateway.stop('SIGTERM'), { code: 0, signal: null });
});

test('without a configuration it answers 404, is not ready, and takes one by POST; a new process has forgotten it', async () => {
  await using upstream = await startEcho();
  await using gateway = await startGateway({ env: { SLUICE_NO_RESTART: '0' } });
  const empty = await fetch(gateway.url);
  assert.equal(empty.status, 404);
  assert.match(await empty.text(), /no Route matched with those values/);
  assert.equal(await isReady(gateway), false);
  assert.equal((await gateway.postConfig(config(upstream.url))).status, 201);
  assert.equal(await isReady(gateway), true);
  assert.equal((await fetch(gateway.url)).status, 200);

  const before = await pidOf(gateway);
  process.kill(before ?? 0, 'SIGKILL');
  await waitFor(async () => {
    const response = await fetch(`${gateway.statusUrl}/status/ready`).catch(() => null);
    return response !== null && (await pidOf(gateway)) !== before;
  });
  assert.equal((await fetch(gateway.url)).status, 404);
  assert.equal(await isReady(gateway), false);
});

test('a prefix whose pid file names a living stranger is taken over', async () => {
  await using upstream = await startEcho();
  await using gateway = await startGateway({ config: config(upstream.url) });
  await gateway.stop('SIGKILL');
  const stranger = spawn('sleep', ['60'], { stdio: 'ignore' });
  try {
    const file = join(gateway.prefix, 'pids/sluice.pid');
    await writeFile(file, `${stranger.pid}\n`);
    const old = new Date(Date.now() - 3_600_000);
    await utimes(file, old, old);
    const next = new Child(SLUICE, ['start', '-c', gateway.conf], {
      env: { ...process.env, SLUICE_NO_RESTART: '1' },
    });
    await waitFor(() => isReady(gateway));
    assert.equal(await pidOf(gateway), next.pid);
    assert.deepEqual(await next.stop('SIGTERM'), { code: 0, signal: null });
  } finally {
    stranger.kill('SIGKILL');
  }
});
