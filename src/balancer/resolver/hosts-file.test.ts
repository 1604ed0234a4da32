import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { HOSTS_TTL, HostsFile, parseHosts } from './hosts-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-hosts-'));
after(() => rmSync(folder, { recursive: true }));

test('hosts syntax', () => {
  const names = parseHosts(
    [
      '127.0.0.1\tlocalhost Alias # comment',
      '::1 localhost',
      '# 1.1.1.1 no',
      'bad name',
      '10.0.0.1',
      '10.0.0.2 alias',
      '10.0.0.2 alias',
      '\r',
      '10.0.0.3 crlf\r',
    ].join('\n'),
  );
  assert.deepEqual(Object.fromEntries(names), {
    localhost: { v4: ['127.0.0.1'], v6: ['::1'] },
    alias: { v4: ['127.0.0.1', '10.0.0.2'], v6: [] },
    crlf: { v4: ['10.0.0.3'], v6: [] },
  });
});

test('a changed file is read again, but not looked at all the time', async () => {
  const path = join(folder, 'hosts');
  let now = 0;
  const warnings: string[] = [];
  const hosts = new HostsFile(
    path,
    () => now,
    (line) => warnings.push(line),
  );
  assert.equal(hosts.find('a'), undefined);
  writeFileSync(path, '10.0.0.1 a');
  assert.equal(hosts.refresh(), undefined, 'too early to look');
  now += HOSTS_TTL * 1000;
  const looking = hosts.refresh();
  assert.equal(hosts.refresh(), looking, 'one look at a time');
  await looking;
  assert.deepEqual(hosts.find('a')?.v4, ['10.0.0.1']);
  rmSync(path);
  now += HOSTS_TTL * 1000;
  await hosts.refresh();
  assert.equal(hosts.find('a'), undefined);
  assert.deepEqual(warnings, []);
});

test('a file that is read at the start', () => {
  const path = join(folder, 'present');
  writeFileSync(path, '10.0.0.1 a');
  assert.deepEqual(new HostsFile(path, () => 0, assert.fail).find('a')?.v4, ['10.0.0.1']);
});

test('a file that cannot be read is warned of once', async () => {
  let now = 0;
  const warnings: string[] = [];
  const hosts = new HostsFile(
    folder,
    () => now,
    (line) => warnings.push(line),
  );
  for (let i = 0; i < 3; i++) {
    now += HOSTS_TTL * 1000;
    await hosts.refresh();
  }
  assert.equal(warnings.length, 1);
  assert.match(warnings[0]!, /cannot be read: .*EISDIR/);
});
