import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { freePort } from '../../test/support/ports.ts';
import { tempDir } from '../../test/support/temp-dir.ts';
import type { Listener } from '../settings/settings.ts';
import { listeningInodes, portOwner } from './port-owner.ts';
import { portProblems } from './ports.ts';

const listener = (port: number, host = '127.0.0.1'): Listener => ({
  host,
  port,
  backlog: 511,
  reuseport: false,
  ipv6only: false,
  ssl: false,
  http2: false,
  path: null,
  proxyProtocol: false,
  udp: false,
  keepAlive: null,
});

async function listen(reusePort: boolean): Promise<{ port: number; close: () => void }> {
  const server = createServer();
  // Not 0: the system may give one that another process shares, or a connection of another test has by now.
  const port = await freePort();
  server.listen({ host: '127.0.0.1', port, reusePort });
  await once(server, 'listening');
  return { port, close: () => server.close() };
}

test('a port that somebody has is told, also when it is shared with SO_REUSEPORT', async () => {
  for (const reusePort of [false, true]) {
    const { port, close } = await listen(reusePort);
    const [problem = '', ...more] = await portProblems([listener(port)]);
    close();
    assert.ok(problem.startsWith(`127.0.0.1:${port} is in use`), problem);
    assert.deepEqual(more, []);
    if (process.platform === 'linux') assert.ok(problem.endsWith(`(pid ${process.pid})`), problem);
  }
});

test('free ports have no problem and are free afterwards', async () => {
  const { port, close } = await listen(false);
  close();
  assert.deepEqual(await portProblems([listener(port)]), []);
  assert.deepEqual(await portProblems([listener(port)]), []);
});

test('every problem is told in one go', async () => {
  const first = await listen(false);
  const second = await listen(false);
  const problems = await portProblems([
    listener(first.port),
    listener(second.port),
    listener(0, '192.0.2.1'),
  ]);
  first.close();
  second.close();
  assert.equal(problems.length, 3);
  assert.match(problems[2] ?? '', /this machine has no such address/);
});

test('the kernel table is read by column', () => {
  const table = [
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
    '   0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100',
    '   1: 0100007F:1F40 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 100',
    '   2: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0 100',
    '',
  ].join('\n');
  assert.deepEqual(listeningInodes(table, 8000), ['4711']);
  assert.deepEqual(listeningInodes(table, 80), ['4713']);
  assert.deepEqual(listeningInodes(table, 81), []);
  assert.deepEqual(listeningInodes('', 80), []);
});

test('a port without a listener has no owner', () => {
  assert.equal(portOwner(1), null);
});

test('ports of datagrams, and files', async () => {
  await using folder = await tempDir();
  const path = join(folder.path, 'x.sock');
  // Not 0: a client of another test may have the port that the system gives, in TCP.
  const port = await freePort();
  await using udp = createSocket('udp4');
  udp.bind(port, '127.0.0.1');
  await once(udp, 'listening');
  const taken = { ...listener(port), udp: true, ipv6only: true };
  const [problem = ''] = await portProblems([taken]);
  assert.ok(problem.startsWith(`127.0.0.1:${port} (udp) is in use`), problem);
  if (process.platform === 'linux') assert.ok(problem.endsWith(`(pid ${process.pid})`), problem);
  assert.deepEqual(await portProblems([{ ...taken, udp: false }]), [], 'TCP has ports of its own');
  udp.close();
  await once(udp, 'close');
  assert.deepEqual(await portProblems([taken]), []);

  const file = { ...listener(0), host: '', path };
  assert.deepEqual(await portProblems([file, file]), []);
  assert.equal(existsSync(path), false);
  const server = createServer();
  server.listen(path);
  await once(server, 'listening');
  assert.deepEqual(await portProblems([file]), [`unix:${path} is in use`]);
  server.close();
  await writeFile(path, '');
  assert.deepEqual(await portProblems([file]), [`unix:${path} is there already and is no socket`]);
  const nowhere = { ...file, path: join(folder.path, 'no/x.sock') };
  assert.match((await portProblems([nowhere]))[0] ?? '', /(?:EACCES|ENOENT).*no\/x\.sock/);
});
