/** `sluice config dump`, `diff` and `sync` through the real program, against a stand-in for a Kong. */
import assert from 'node:assert/strict';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { sluice } from '../support/gateway.ts';
import { assertExit, config, withFile } from './support/cli.ts';
import { fakeKong } from './support/fake-kong.ts';
import { whole } from './support/whole.ts';

describe('round trip', () => {
  for (const format of ['yaml', 'json']) {
    test(`a dump (${format}) brought into an empty gateway is dumped alike`, () =>
      withFile(whole(true), async (file) => {
        await using first = await fakeKong();
        assertExit(await config(first.url, 'sync', file), 0);
        const dump = `${file}.${format}`;
        assertExit(await config(first.url, 'dump', '-o', dump, '--format', format), 0);
        assert.equal((await stat(dump)).mode & 0o777, 0o600);
        assertExit(await config(first.url, 'diff', dump), 0);
        assertExit(await config(first.url, 'diff', file), 0);
        const text = await readFile(dump, 'utf8');
        // A Kong would hash hashed passwords again, and is not asked to.
        const plain = text.replace(/^ *"?_transform.*\n/m, '').replaceAll(/[0-9a-f]{40}/g, 'plain-text');
        await writeFile(dump, plain);
        await using second = await fakeKong();
        assertExit(await config(second.url, 'sync', dump), 0);
        assert.equal((await config(second.url, 'dump', '--format', format)).stdout, text);
      }));
  }
});

const SMALL = `_format_version: "3.0"
services:
  - name: a
    host: a.internal
    routes: [{name: r, paths: [/a]}]
`;

describe('exit codes', () => {
  test('diff: 2 with differences, 0 without, 1 when something is wrong, also with the command line', () =>
    withFile(SMALL, async (file) => {
      await using kong = await fakeKong();
      const first = await config(kong.url, 'diff', file);
      assertExit(first, 2);
      assert.equal(
        first.stdout,
        '+ service a\n+ route r (service a)\n\ncreate 2, update 0, delete 0, unchanged 0\n',
      );
      assert.deepEqual(kong.writes, []);
      assertExit(await config(kong.url, 'sync', file), 0);
      const same = await config(kong.url, 'diff', file);
      assertExit(same, 0);
      assert.equal(same.stdout, 'no difference (2 the same)\n');
      for (const args of [
        ['diff'],
        ['diff', '--nothing', file],
        ['diff', `${file}.gone`],
        ['diff', '--parallel', '0', file],
      ]) {
        assertExit(await config(kong.url, args[0] ?? '', ...args.slice(1)), 1);
      }
      const gone = await sluice(['config', 'diff', '--admin', 'http://127.0.0.1:1', file]);
      assertExit(gone, 1);
      assert.match(
        gone.stderr,
        /cannot reach the Admin API at http:\/\/127\.0\.0\.1:1: the connection was refused/,
      );
    }));

  test('sync: deletions need --yes or a terminal; --dry-run changes nothing', () =>
    withFile(SMALL, async (file) => {
      await using kong = await fakeKong();
      kong.add('services', { name: 'old', host: 'old.internal' });
      const refused = await config(kong.url, 'sync', file);
      assertExit(refused, 1);
      assert.match(refused.stdout, /^\+ service a\n.*\n- service old\n/);
      assert.match(refused.stderr, /One entity is deleted.*--yes/);
      assertExit(await config(kong.url, 'sync', '--dry-run', file), 0);
      assert.deepEqual(kong.writes, []);
      assertExit(await config(kong.url, 'sync', '--yes', file), 0);
      assert.deepEqual(
        kong.list('services').map(({ name }) => name),
        ['a'],
      );
    }));

  test('dump: a server that fails in the middle leaves the earlier file as it was', () =>
    withFile('earlier', async (file) => {
      await using kong = await fakeKong({
        intercept: (_method, path) =>
          path.startsWith('/upstreams') ? { status: 500, body: { message: 'broken' } } : null,
      });
      const failed = await config(kong.url, 'dump', '-o', file);
      assertExit(failed, 1);
      assert.match(failed.stderr, /GET \/upstreams\?size=1000 answered 500: broken/);
      assert.equal(await readFile(file, 'utf8'), 'earlier');
    }));
});

const BROKEN: readonly (readonly [text: string, error: RegExp])[] = [
  ['services: [', /kong\.yml:1:\d+: /],
  ['- a', /kong\.yml: expected a declarative configuration/],
  ['services: []', /_format_version: required field missing/],
  ['_format_version: "4"', /_format_version: expected one of: 1\.1, 2\.1, 3\.0/],
  ['_format_version: "3.0"\n_konnect: {control_plane_name: x}', /_konnect: this file is for Kong Konnect/],
  ['_format_version: "3.0"\n_workspace: team', /_workspace: "team": there is one workspace/],
  ['_format_version: "3.0"\nservice: []', /kong\.yml: service: unknown field/],
  ['_format_version: "3.0"\nservices: x', /kong\.yml: services: expected an array/],
  ['_format_version: "3.0"\nservices: [x]', /kong\.yml: services\[0\]: expected a record/],
  [
    '_format_version: "3.0"\nroutes: [{paths: [/], service: nix}]',
    /routes\[0\]: service: there is no service 'nix'/,
  ],
  [
    '_format_version: "3.0"\nservices: [{name: a, host: b}, {name: a, host: c}]',
    /services\[1\]: the same service stands at .*services\[0\]/,
  ],
  [
    '_format_version: "3.0"\nconsumers: [{username: a, keyauth_credentials: [{}]}]',
    /keyauth_credentials\[0\]: key: it must be said/,
  ],
  [
    '_format_version: "3.0"\nplugins: [{name: cors, _config: nix}]',
    /_config: nothing named "nix" in _plugin_configs/,
  ],
  ['_format_version: "3.0"\n_info: {select_tags: x}', /_info\.select_tags: expected a list of strings/],
];

describe('broken files', () => {
  for (const [text, error] of BROKEN) {
    test(text.replaceAll('\n', ' '), () =>
      withFile(text, async (file) => {
        await using kong = await fakeKong();
        const result = await config(kong.url, 'sync', file);
        assertExit(result, 1);
        assert.match(result.stderr, error);
        assert.doesNotMatch(result.stderr, /internal error/);
        assert.deepEqual(kong.writes, []);
      }),
    );
  }
});
