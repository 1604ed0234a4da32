/** What `sluice config` does at a Kong that it cannot ask for one commit: order, failures, scope, terminals, size. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sluice } from '../support/gateway.ts';
import { tempDir } from '../support/temp-dir.ts';
import { assertExit, config, withFile } from './support/cli.ts';
import { fakeKong } from './support/fake-kong.ts';

const HEAD = '_format_version: "3.0"\n';

const services = (count: number): string =>
  `${HEAD}services:\n${Array.from({ length: count }, (_, n) => `  - {name: s${n}, host: h, routes: [{name: r${n}, paths: [/${n}]}]}\n`).join('')}`;

test('requests go parents first, deletions children first, ten at once', () =>
  withFile(services(60), async (file) => {
    await using kong = await fakeKong();
    const old = kong.add('services', { name: 'old', host: 'h' });
    kong.add('routes', { name: 'old', paths: ['/old'], service: { id: old['id'] } });
    assertExit(await config(kong.url, 'sync', '--yes', file), 0);
    const kinds = kong.writes.map((line) => line.split('/', 2).join('/'));
    const order = kinds.filter((kind, index) => kind !== kinds[index - 1]);
    assert.deepEqual(order, ['PUT /services', 'PUT /routes', 'DELETE /routes', 'DELETE /services']);
    assert.ok(kong.busiest <= 10, String(kong.busiest));
  }));

test('a failure in the middle ends it, and what was done is told', () =>
  withFile(services(20), async (file) => {
    await using kong = await fakeKong({
      intercept: (method, _path, body) =>
        method === 'PUT' && body['name'] === 'r3'
          ? { status: 500, body: { message: 'An unexpected error occurred' } }
          : null,
    });
    const failed = await config(kong.url, 'sync', '--parallel', '1', file);
    assertExit(failed, 1);
    assert.match(
      failed.stderr,
      /create route r3 \(service s3\): .* answered 500: An unexpected error occurred/,
    );
    assert.match(failed.stderr, /23 of 40 changes were made before:\n.* create service s0/);
    assert.equal(kong.list('routes').length, 3);
  }));

test('only what has the selected tags is compared, created and deleted', () =>
  withFile(
    `${HEAD}_info: {select_tags: [team]}\nservices: [{name: a, host: h}]\nroutes: [{name: r, paths: [/], service: outside}]\n`,
    async (file) => {
      await using kong = await fakeKong();
      const outside = kong.add('services', { name: 'outside', host: 'h' });
      kong.add('services', { name: 'gone', host: 'h', tags: ['x', 'team'] });
      assertExit(await config(kong.url, 'sync', '--yes', file), 0);
      assert.deepEqual(
        kong.list('services').map(({ name, tags }) => [name, tags]),
        [
          ['outside', null],
          ['a', ['team']],
        ],
      );
      assert.deepEqual(kong.list('routes')[0]?.['service'], { id: outside['id'] });
      const dump = await config(kong.url, 'dump', '--select-tag', 'team');
      assert.match(dump.stdout, /_info:\n {2}select_tags:\n {4}- team\n/);
      assert.match(dump.stdout, /service: outside\n/);
      assert.doesNotMatch(dump.stdout, /name: outside|tags:\n {6}/);
      await writeFile(file, dump.stdout);
      assertExit(await config(kong.url, 'diff', file), 0);
    },
  ));

test("decK's defaults and shared configs are worked in; several files are taken together", () =>
  withFile(
    `${HEAD}_info: {defaults: {service: {retries: 7}, route: {strip_path: false}}}
_workspace: default
_plugin_configs: {shared: {header_name: X-Shared, generator: uuid}}
services: [{name: a, host: h, plugins: [{name: correlation-id, _config: shared, config: {generator: tracker}}]}]
`,
    async (file) => {
      await using kong = await fakeKong();
      await writeFile(`${file}.2.yml`, `${HEAD}routes: [{name: r, paths: [/], service: {name: a}}]\n`);
      assertExit(await config(kong.url, 'sync', file, `${file}.2.yml`), 0);
      assert.equal(kong.list('services')[0]?.['retries'], 7);
      assert.equal(kong.list('routes')[0]?.['strip_path'], false);
      const shared = (kong.list('plugins')[0]?.['config'] ?? {}) as Record<string, unknown>;
      assert.deepEqual([shared['header_name'], shared['generator']], ['X-Shared', 'tracker']);
      assertExit(await config(kong.url, 'diff', file, `${file}.2.yml`), 0);
    },
  ));

test('an entity that another of its name replaces makes room first', () =>
  withFile(
    `${HEAD}services: [{id: 11111111-1111-4111-8111-111111111111, name: a, host: h, routes: [{name: r, paths: [/]}]}]\n`,
    async (file) => {
      await using kong = await fakeKong();
      const old = kong.add('services', { name: 'a', host: 'h' });
      const route = kong.add('routes', { name: 'r', paths: ['/'], service: { id: old['id'] } });
      assertExit(await config(kong.url, 'sync', '--yes', file), 0);
      assert.deepEqual(
        kong.list('services').map(({ id }) => id),
        ['11111111-1111-4111-8111-111111111111'],
      );
      assert.equal(kong.list('routes')[0]?.['id'], route['id']);
    },
  ));

test('a Kong would hash a hashed password again: it is not sent there', () =>
  withFile(
    `${HEAD}_transform: false\nconsumers: [{username: b, basicauth_credentials: [{username: b, password: abc}]}]\n`,
    async (file) => {
      await using kong = await fakeKong();
      const result = await config(kong.url, 'sync', file);
      assertExit(result, 1);
      assert.match(result.stderr, /_transform: false, and a Kong would hash the hashed password again/);
      assert.deepEqual(kong.writes, []);
    },
  ));

test('passwords and keys are shown nowhere', () =>
  withFile(
    `${HEAD}consumers: [{username: b, keyauth_credentials: [{key: secret-key}], basicauth_credentials: [{username: b, password: one}]}]\n`,
    async (file) => {
      await using kong = await fakeKong();
      const first = await config(kong.url, 'sync', file);
      assert.doesNotMatch(first.stdout, /secret-key/);
      await writeFile(
        file,
        `${HEAD}consumers: [{username: b, keyauth_credentials: [{key: secret-key}], basicauth_credentials: [{username: b, password: two}]}]\n`,
      );
      const second = await config(kong.url, 'diff', file);
      assertExit(second, 2);
      assert.match(second.stdout, /password: changed, not shown/);
      assert.doesNotMatch(second.stdout, /two|[0-9a-f]{40}/);
      await writeFile(
        file,
        `${HEAD}consumers: [{username: b, keyauth_credentials: [{key: secret-key}], basicauth_credentials: [{username: b, password: one}]}]\n`,
      );
      assertExit(await config(kong.url, 'diff', file), 0);
    },
  ));

test('tokens and header fields are sent, and a token never to a Kong that is imported from', async () => {
  await using kong = await fakeKong();
  assertExit(await config(kong.url, 'dump', '--token', 'abc', '--header', 'X-Team: a:b'), 0);
  assert.deepEqual([kong.headers['authorization'], kong.headers['x-team']], ['Bearer abc', 'a:b']);
  assertExit(await sluice(['config', 'dump', '--admin', kong.url], { SLUICE_ADMIN_TOKEN: 'of-env' }), 0);
  assert.equal(kong.headers['authorization'], 'Bearer of-env');
  assertExit(await config(kong.url, 'dump', '--header', 'no colon'), 2);
  await using target = await fakeKong({
    root: { sluice_version: '1' },
    intercept: (_method, path) =>
      path.startsWith('/revisions') ? { status: 200, body: { data: [] } } : null,
  });
  const from = ['--from', kong.url, '--from-header', 'X-From: 1'];
  await config(target.url, 'import', '--token', 'abc', '--dry-run', ...from);
  assert.deepEqual([kong.headers['authorization'], kong.headers['x-from']], [undefined, '1']);
  assert.equal(target.headers['authorization'], 'Bearer abc');
});

test('an answer that does not come, and one that is no JSON', async () => {
  await using folder = await tempDir();
  const server = createServer(
    (request, response) => void (request.url === '/' ? response.end('<html>') : null),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const file = join(folder.path, 'kong.yml');
  const html = await config(url, 'dump', '-o', file);
  assertExit(html, 1);
  assert.match(html.stderr, /GET \/ answered 200 with something that is not JSON/);
  const silent = await config(`${url}/below`, 'dump', '--timeout', '0.2');
  assertExit(silent, 1);
  assert.match(silent.stderr, /cannot reach the Admin API at .*\/below: no answer within 0\.2 s/);
  assert.equal(existsSync(file), false);
  server.closeAllConnections();
  server.close();
});

/** Runs a command with a terminal of its own (script of util-linux), and types `input`. */
async function atTerminal(
  line: string,
  input: string,
  env: Record<string, string> = {},
): Promise<{ code: number | null; text: string }> {
  const bin = fileURLToPath(new URL('../../bin/sluice', import.meta.url));
  const child = spawn('script', ['-qec', `${bin} ${line}`, '/dev/null'], {
    env: { ...process.env, TERM: 'xterm', NO_COLOR: '', ...env },
  });
  let text = '';
  let typed = false;
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part;
    if (typed || !text.includes('[y/N]')) return;
    typed = true;
    child.stdin.write(input);
  });
  await once(child, 'close');
  return { code: child.exitCode, text };
}

describe('at a terminal', () => {
  for (const [input, code, left] of [
    ['n\n', 1, 1],
    ['yes\n', 0, 0],
  ] as const) {
    test(`deletions are asked about: ${input.trim()}`, () =>
      withFile(HEAD, async (file) => {
        await using kong = await fakeKong();
        kong.add('services', { name: 'old', host: 'h' });
        const result = await atTerminal(`config sync --admin ${kong.url} ${file}`, input);
        assert.equal(result.code, code, result.text);
        assert.equal(kong.list('services').length, left);
        assert.ok(result.text.includes('\u001b[31m- service old\u001b[0m'), result.text);
      }));
  }

  test('NO_COLOR', () =>
    withFile(HEAD, async (file) => {
      await using kong = await fakeKong();
      kong.add('services', { name: 'old', host: 'h' });
      const result = await atTerminal(`config diff --admin ${kong.url} ${file}`, '', { NO_COLOR: '1' });
      assert.equal(result.code, 2);
      assert.match(result.text, /^- service old/m);
      assert.ok(!result.text.includes('\u001b[31m'));
    }));
});

test('thousands of requests: the pages are large, and memory is bounded', () =>
  withFile(services(2000), async (file) => {
    await using kong = await fakeKong();
    const env = { NODE_OPTIONS: '--max-old-space-size=128' };
    assertExit(await sluice(['config', 'sync', '--admin', kong.url, file], env), 0);
    assert.equal(kong.list('routes').length, 2000);
    kong.requests.length = 0;
    assertExit(await sluice(['config', 'diff', '--admin', kong.url, file], env), 0);
    assert.ok(kong.requests.length < 60, String(kong.requests.length));
  }));
