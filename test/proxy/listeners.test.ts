/** Listeners as `proxy_listen` and the like write them: unix sockets, several addresses, IPv6, keep-alive. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { startPlane } from '../support/data-plane.ts';
import { sluice, startGateway } from '../support/gateway.ts';
import { freePorts } from '../support/ports.ts';
import { connectRaw } from '../support/raw-client.ts';
import { tempDir } from '../support/temp-dir.ts';
import { type Echo, startEcho } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

async function ask(to: number | string, host?: string, request = GET): Promise<Echo> {
  await using client = await connectRaw(to, host);
  client.write(request);
  const response = await client.readResponse();
  assert.equal(response.status, 200, response.body.toString());
  return JSON.parse(response.body.toString()) as Echo;
}

const config = (url: string): Record<string, unknown> => ({
  _format_version: '3.0',
  services: [{ name: 's', url, routes: [{ name: 'r', paths: ['/'] }] }],
});

test('unix sockets of proxy, admin and status, with two workers', async () => {
  await using upstream = await startEcho();
  await using folder = await tempDir();
  const [port = 0] = await freePorts(1);
  const path = (name: string): string => join(folder.path, `${name}.sock`);
  const settings = {
    proxy_listen: `unix:${path('proxy')}, 127.0.0.1:${port}`,
    admin_listen: `unix:${path('admin')}`,
    trusted_ips: 'unix:',
    nginx_worker_processes: 2,
  };
  await using gateway = await startGateway({ config: config(upstream.url), settings });
  for (let n = 0; n < 5; n++) {
    const { headers } = await ask(path('proxy'));
    assert.equal(headers['x-real-ip'], 'unix:');
    assert.equal(headers['x-forwarded-for'], 'unix:');
  }
  // Trusted as any other proxy in front.
  const said = await ask(path('proxy'), undefined, `${GET.slice(0, -2)}X-Real-IP: 192.0.2.1\r\n\r\n`);
  assert.equal(said.headers['x-real-ip'], '192.0.2.1');
  assert.equal((await ask(port)).headers['x-real-ip'], '127.0.0.1');
  // Whoever reaches the folder may be proxied; the Admin API is its owner's, and therefore open.
  assert.equal((await stat(path('proxy'))).mode & 0o777, 0o666);
  assert.equal((await stat(path('admin'))).mode & 0o777, 0o600);
  await using admin = await connectRaw(path('admin'));
  admin.write('GET /services HTTP/1.1\r\nHost: localhost\r\n\r\n');
  assert.equal((await admin.readResponse()).status, 200);
  for (const name of ['admin_access.log', 'access.log']) {
    await waitFor(async () => /^unix: - - /m.test(await gateway.logFile(name)), { what: name });
  }

  // A living owner is left alone, by its file too.
  const other = ['-p', join(folder.path, 'other')];
  const conf = join(folder.path, 'other.conf');
  await writeFile(
    conf,
    `prefix = ${other[1]}\ndatabase = off\nproxy_listen = unix:${path('proxy')}\nadmin_listen = off\nstatus_listen = off\n`,
  );
  const refused = await sluice(['start', '-c', conf]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /proxy\.sock is in use/);
  await ask(path('proxy'));

  await gateway.stop();
  assert.equal(existsSync(path('proxy')), false);
  assert.equal(existsSync(path('admin')), false);
});

test('the file of a process that was killed is taken over, any other file is not', async () => {
  await using upstream = await startEcho();
  await using folder = await tempDir();
  const path = join(folder.path, 'proxy.sock');
  const settings = { proxy_listen: `unix:${path}` };
  {
    await using gateway = await startGateway({ config: config(upstream.url), settings });
    await ask(path);
    gateway.signal('SIGKILL');
    await gateway.waitExit();
    assert.equal(existsSync(path), true, 'nobody was left to remove it');
  }
  {
    await using gateway = await startGateway({ config: config(upstream.url), settings });
    assert.ok(gateway.pid > 0);
    await ask(path);
  }
  await writeFile(path, 'precious');
  const conf = join(folder.path, 'sluice.conf');
  await writeFile(
    conf,
    `prefix = ${folder.path}/p\ndatabase = off\nproxy_listen = unix:${path}\nadmin_listen = off\nstatus_listen = off\n`,
  );
  const refused = await sluice(['start', '-c', conf]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /is there already and is no socket/);
  assert.equal((await stat(path)).size, 8);
});

test('several addresses and IPv6, alone and for both families', async () => {
  await using upstream = await startEcho();
  const [one = 0, two = 0, three = 0] = await freePorts(3);
  await using it = await startPlane(upstream.port, {
    settings: {
      proxy_listen: `127.0.0.1:${one}, [::1]:${two} ipv6only=on backlog=7, [::]:${three} ipv6only=off`,
    },
  });
  assert.deepEqual(it.plane.ports, [one, two, three]);
  for (const [port, host, wanted] of [
    [one, '127.0.0.1', '127.0.0.1'],
    [two, '::1', '::1'],
    [three, '::1', '::1'],
    [three, '127.0.0.1', '127.0.0.1'],
  ] as const) {
    assert.equal((await ask(port, host)).headers['x-real-ip'], wanted);
  }
  await assert.rejects(connectRaw(two, '127.0.0.1'), /ECONNREFUSED/);
});

test('so_keepalive reaches the sockets of clients', async () => {
  await using upstream = await startEcho();
  const [on = 0, off = 0, plain = 0] = await freePorts(3);
  await using it = await startPlane(upstream.port, {
    settings: {
      proxy_listen: `127.0.0.1:${on} so_keepalive=77:10:3, 127.0.0.1:${off} so_keepalive=off, 127.0.0.1:${plain}`,
    },
  });
  assert.equal(it.plane.ports.length, 3);
  for (const [port, timer] of [
    [on, true],
    [off, false],
    [plain, false],
  ] as const) {
    await using client = await connectRaw(port);
    client.write(GET);
    await client.readResponse();
    // Column `tr` of the kernel's table: 02 is a running keep-alive timer.
    const local = `:${port.toString(16).toUpperCase().padStart(4, '0')} `;
    const line = execFileSync('cat', ['/proc/net/tcp'], { encoding: 'utf8', maxBuffer: 1 << 28 })
      .split('\n')
      .find((row) => row.trim().split(/\s+/)[1]?.endsWith(local.trim()) === true && / 01 /.test(row));
    assert.equal(line?.trim().split(/\s+/)[5]?.startsWith('02'), timer, String(line));
  }
});
