/** Starts that go wrong, each with its reason; and configurations from unusual places and of unusual size. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sluice, startGateway } from '../support/gateway.ts';
import { freePort } from '../support/ports.ts';
import { tempDir } from '../support/temp-dir.ts';
import { startEcho } from '../support/upstream.ts';

const SLUICE = fileURLToPath(new URL('../../bin/sluice', import.meta.url));
const QUIET = 'admin_listen = off\nstatus_listen = off\nnginx_worker_processes = 1\n';

/** What `sluice start` says and answers with these settings; it must end by itself. */
async function failedStart(
  lines: (folder: string) => string,
): Promise<{ code: number | null; stderr: string }> {
  await using folder = await tempDir();
  const conf = join(folder.path, 'sluice.conf');
  const prefix = join(folder.path, 'prefix');
  await writeFile(join(folder.path, 'file'), '');
  await mkdir(join(folder.path, 'folder'));
  await writeFile(
    conf,
    `prefix = ${prefix}\nproxy_listen = 127.0.0.1:${await freePort()}\n${QUIET}${lines(folder.path)}`,
  );
  return await sluice(['start', '-c', conf]);
}

const REFUSED: readonly (readonly [title: string, lines: (folder: string) => string, said: RegExp])[] = [
  ['a prefix below a file', (folder) => `prefix = ${folder}/file/prefix\n`, /ENOTDIR.*file\/prefix/],
  [
    'a prefix where no folder can be made',
    () => 'prefix = /proc/nothing/prefix\n',
    /ENOENT.*\/proc\/nothing/,
  ],
  [
    'a prefix whose socket path is too long',
    (folder) => `prefix = ${folder}/${'x'.repeat(100)}\n`,
    /shorter prefix/,
  ],
  [
    'a declarative file that is not there',
    (folder) => `declarative_config = ${folder}/no.yml\n`,
    /ENOENT.*no\.yml/,
  ],
  ['a declarative file that is a folder', (folder) => `declarative_config = ${folder}/folder\n`, /EISDIR/],
  ['an empty declarative file', (folder) => `declarative_config = ${folder}/file\n`, /expected/],
  [
    'an address of another machine',
    () => 'proxy_listen = 192.0.2.1:8000\n',
    /192\.0\.2\.1:8000: this machine has no/,
  ],
];

for (const [title, lines, said] of REFUSED) {
  test(`refused with its reason: ${title}`, async () => {
    const { code, stderr } = await failedStart(lines);
    assert.equal(code, 1, stderr);
    assert.match(stderr, said);
    assert.doesNotMatch(stderr, /\n\s+at /, 'no stack for what is no defect');
  });
}

test('sockets that systemd hands over are refused, not ignored', async () => {
  await using folder = await tempDir();
  const script = 'LISTEN_PID=$$; LISTEN_FDS=1; export LISTEN_PID LISTEN_FDS; exec "$0" start -p "$1"';
  const starter = spawn('sh', ['-c', script, SLUICE, join(folder.path, 'prefix')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  starter.stderr.on('data', (chunk: Buffer) => void (said += chunk.toString()));
  const [code] = (await once(starter, 'close')) as [number | null];
  assert.equal(code, 1);
  assert.match(said, /socket activation is not there yet, and 1 sockets were handed over/);
});

test('the configuration as text in a setting; no secret is shown', async () => {
  await using upstream = await startEcho();
  const text = JSON.stringify({
    _format_version: '3.0',
    services: [{ name: 's', url: upstream.url, routes: [{ name: 'r', paths: ['/'] }] }],
  });
  await using gateway = await startGateway({
    env: { KONG_DECLARATIVE_CONFIG_STRING: text, KONG_PG_PASSWORD: 'hush' },
  });
  assert.equal((await fetch(gateway.url)).status, 200);
  const node = (await (await fetch(gateway.adminUrl)).json()) as { configuration: Record<string, unknown> };
  assert.equal(node.configuration['declarative_config_string'], '******');
  assert.equal(node.configuration['pg_password'], '******');
  assert.equal(node.configuration['pg_ro_password'], null);
  await gateway.reload();
});

test('a configuration of 50 MB is served', async () => {
  await using upstream = await startEcho();
  const filler = 'x'.repeat(5000);
  const routes = Array.from({ length: 10_000 }, (_, n) => ({
    name: `r${n}`,
    paths: [`/r${n}`],
    tags: [`${filler}${n}`],
  }));
  const config = JSON.stringify({
    _format_version: '3.0',
    services: [{ name: 's', url: upstream.url, routes }],
  });
  assert.ok(config.length > 50_000_000);
  await using gateway = await startGateway({ config, timeout: 60_000 });
  assert.equal((await fetch(`${gateway.url}/r9999`)).status, 200);
});
