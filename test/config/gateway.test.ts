/** `sluice config` with the gateway itself: one commit for everything, and its history. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { type Gateway, sluice, startGateway } from '../support/gateway.ts';
import { assertExit, config, withFile } from './support/cli.ts';
import { relay } from './support/relay.ts';
import { whole } from './support/whole.ts';

const HEAD = '_format_version: "3.0"\n';
const GROUPS = 'consumer_groups:\n  - name: gold\n  - name: silver\n';

function grouped(groups: string): string {
  return (
    whole(false).replace('username: bob\n    custom', `username: bob\n    groups: ${groups}\n    custom`) +
    GROUPS
  );
}

const start = (): Promise<Gateway> => startGateway({ settings: { database: 'sqlite' } });

describe('one gateway', () => {
  let gateway: Gateway;
  before(async () => {
    gateway = await start();
  });
  after(() => gateway[Symbol.asyncDispose]());

  const revision = async (): Promise<number> => {
    const response = await fetch(`${gateway.adminUrl}/revisions?size=1`);
    return Number(response.headers.get('x-sluice-revision'));
  };

  test('a dump brought into an empty gateway is dumped alike, hashed passwords and groups included', () =>
    withFile(grouped('[{name: gold}, silver]'), async (file) => {
      assertExit(await config(gateway.adminUrl, 'sync', '--yes', '-m', 'all of it', file), 0);
      assertExit(await config(gateway.adminUrl, 'diff', file), 0);
      const dump = await config(gateway.adminUrl, 'dump');
      assert.match(dump.stdout, /_transform: false\n/);
      assert.match(dump.stdout, /groups:\n {6}- name: gold\n {6}- name: silver\n/);
      await writeFile(file, dump.stdout);
      await using second = await start();
      assertExit(await config(second.adminUrl, 'sync', file), 0);
      assert.equal((await config(second.adminUrl, 'dump')).stdout, dump.stdout);
      assertExit(await config(gateway.adminUrl, 'diff', file), 0);
    }));

  test('a sync is one commit, or nothing', () =>
    withFile(
      `${HEAD}services:\n  - {name: good, host: h}\n  - {name: bad, host: "no host"}\n`,
      async (file) => {
        const was = await revision();
        const failed = await config(gateway.adminUrl, 'sync', '--yes', file);
        assertExit(failed, 1);
        assert.match(
          failed.stderr,
          /nothing was changed: create service bad: 400: schema violation \(host: invalid/,
        );
        assert.equal(await revision(), was);
        assertExit(await config(gateway.adminUrl, 'sync', '--yes', '--dry-run', file), 1);
        await writeFile(file, `${HEAD}services:\n  - {name: good, host: h}\n`);
        assertExit(await config(gateway.adminUrl, 'sync', '--yes', '--dry-run', file), 0);
        assert.equal(await revision(), was);
        const done = await config(gateway.adminUrl, 'sync', '--yes', '-m', 'good', file);
        assert.match(done.stdout, new RegExp(`done: revision ${was + 1}\\n$`));
      },
    ));

  test('history, one commit of it, and back', () =>
    withFile(`${HEAD}services:\n  - {name: good, host: h, retries: 1}\n`, async (file) => {
      const was = await revision();
      assertExit(await config(gateway.adminUrl, 'sync', '--yes', '-m', 'fewer', file), 0);
      const history = await config(gateway.adminUrl, 'history', '-n', '2');
      assert.match(
        history.stdout,
        new RegExp(`^${was + 1} {2}\\S+ {2}127\\.0\\.0\\.1 {2}1 change {2}fewer\\n${was} `),
      );
      const json = await config(gateway.adminUrl, 'history', '-n', '1', '--json');
      assert.equal((JSON.parse(json.stdout) as { revision: number }).revision, was + 1);
      const one = await config(gateway.adminUrl, 'history', String(was + 1));
      assert.equal(
        one.stdout,
        '~ service good\n    retries: 5 -> 1\n\ncreate 0, update 1, delete 0, unchanged 0\n',
      );
      const asked = await config(gateway.adminUrl, 'rollback', String(was));
      assertExit(asked, 1);
      assert.match(asked.stdout, /retries: 1 -> 5/);
      const back = await config(gateway.adminUrl, 'rollback', '--yes', '-m', 'back, ältere', String(was));
      assertExit(back, 0);
      assert.match(
        (await config(gateway.adminUrl, 'history', '-n', '1')).stdout,
        /1 change {2}back, ältere\n/,
      );
      assertExit(await config(gateway.adminUrl, 'rollback', '--yes', '99999'), 2);
      assertExit(await config(gateway.adminUrl, 'history', '99999'), 1);
    }));

  test('a way back has nothing of what came back the same by itself', () =>
    withFile(`${HEAD}services:\n  - {name: good, host: h}\n  - {name: away, host: h}\n`, async (file) => {
      const same = await readFile(file, 'utf8');
      const sync = async (text: string): Promise<void> => {
        await writeFile(file, text);
        assertExit(await config(gateway.adminUrl, 'sync', '--yes', file), 0);
      };
      await sync(same);
      const was = await revision();
      await sync(same.replace('host: h}', 'host: h, retries: 1, tags: [a]}'));
      const away = await fetch(`${gateway.adminUrl}/services/away`);
      const entity = (await away.json()) as { readonly id: string };
      await fetch(`${gateway.adminUrl}/services/away`, { method: 'DELETE' });
      const gone = await config(gateway.adminUrl, 'rollback', '--dry-run', String(was));
      assert.match(gone.stdout, /^\+ service away\n~ service good\n {4}retries: 1 -> 5\n {4}tags: .*\n\n/);
      await sync(same.replace('name: away', `id: ${entity.id}, name: away`));
      const back = await config(gateway.adminUrl, 'rollback', '--yes', String(was));
      assertExit(back, 0);
      assert.equal(back.stdout, 'no difference (0 the same)\n');
      // Another one in between is not hidden by those.
      await sync(
        same.replace('host: h}', 'host: other}').replace('name: away', `id: ${entity.id}, name: away`),
      );
      const other = await config(gateway.adminUrl, 'rollback', '--dry-run', String(was));
      assert.equal(
        other.stdout,
        `~ service good\n    host: "other" -> "h"\n\ncreate 0, update 1, delete 0, unchanged 0\n`,
      );
    }));

  test('a secret that is not shown may have changed, and that is said', () =>
    withFile(`${HEAD}consumers: [{username: s, keyauth_credentials: [{key: one}]}]\n`, async (file) => {
      const text = await readFile(file, 'utf8');
      assertExit(await config(gateway.adminUrl, 'sync', '--yes', file), 0);
      const was = await revision();
      const { id } = (await (await fetch(`${gateway.adminUrl}/key-auths/one`)).json()) as {
        readonly id: string;
      };
      await fetch(`${gateway.adminUrl}/key-auths/one`, { method: 'DELETE' });
      await writeFile(file, text.replace('key: one', `id: ${id}, key: one`));
      assertExit(await config(gateway.adminUrl, 'sync', '--yes', file), 0);
      const { stdout } = await config(gateway.adminUrl, 'rollback', '--dry-run', String(was));
      assert.match(stdout, /^~ key-auth credential [^\n]*\n {4}key: changed, not shown\n/);
    }));

  test('who is in which group', () =>
    withFile(
      `${HEAD}consumers: [{username: a, groups: [gold, silver]}, {username: b, groups: [gold]}]\n${GROUPS}`,
      async (file) => {
        assertExit(await config(gateway.adminUrl, 'sync', '--yes', file), 0);
        await writeFile(
          file,
          `${HEAD}consumers: [{username: a, groups: [gold]}, {username: b, groups: [gold, silver]}]\n${GROUPS}`,
        );
        const moved = await config(gateway.adminUrl, 'sync', '--yes', file);
        assertExit(moved, 0);
        assert.match(
          moved.stdout,
          /^\+ consumer b in consumer group silver\n- consumer a in consumer group silver\n/,
        );
        assertExit(await config(gateway.adminUrl, 'diff', file), 0);
      },
    ));

  test('an entity that another of its name replaces makes room within the commit', () =>
    withFile(`${HEAD}services: [{name: a, host: h, routes: [{name: r, paths: [/]}]}]\n`, async (file) => {
      assertExit(await config(gateway.adminUrl, 'sync', '--yes', file), 0);
      const text = await readFile(file, 'utf8');
      await writeFile(file, text.replace('{name: a', '{id: 11111111-1111-4111-8111-111111111111, name: a'));
      assertExit(await config(gateway.adminUrl, 'sync', '--yes', file), 0);
      assertExit(await config(gateway.adminUrl, 'diff', file), 0);
    }));

  test('validate: without a gateway, and with one', () =>
    withFile(
      `${HEAD}_info: {select_tags: [a]}\nservices:\n  - {name: a, host: h, retrys: 1}\n`,
      async (file) => {
        const offline = await sluice(['config', 'validate', file]);
        assertExit(offline, 1);
        assert.match(offline.stderr, /kong\.yml:4:\d+: services\[0\]\.retrys: unknown field/);
        const online = await config(gateway.adminUrl, 'validate', '--online', file);
        assertExit(online, 1);
        assert.match(online.stderr, /services\[0\]: 400: schema violation \(retrys: unknown field\)/);
        await writeFile(file, `${HEAD}_info: {select_tags: [a]}\nservices:\n  - {name: a, host: h}\n`);
        assertExit(await sluice(['config', 'validate', file]), 0);
        assertExit(await config(gateway.adminUrl, 'validate', '--online', file), 0);
      },
    ));
});

test('a change that somebody else makes meanwhile is not undone', () =>
  withFile(`${HEAD}services: [{name: a, host: h}]\n`, async (file) => {
    await using gateway = await start();
    // An Admin API in between, which changes something when the transaction comes.
    await using between = await relay(gateway.adminUrl, '/transactions', () =>
      fetch(`${gateway.adminUrl}/services`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"name":"other","host":"h"}',
      }),
    );
    const refused = await config(between.url, 'sync', file);
    assertExit(refused, 1);
    assert.match(refused.stderr, /somebody else changed the configuration meanwhile.*nothing was changed/);
  }));

test('10,000 services with routes in one commit, in little memory', () => {
  const lines = Array.from(
    { length: 10_000 },
    (_, n) => `  - {name: s${n}, host: h, routes: [{name: r${n}, paths: [/${n}]}]}\n`,
  );
  return withFile(`${HEAD}services:\n${lines.join('')}`, async (file) => {
    await using gateway = await start();
    const env = { NODE_OPTIONS: '--max-old-space-size=256' };
    const run = (...args: string[]) => sluice(['config', ...args, '--admin', gateway.adminUrl], env);
    assertExit(await run('sync', file), 0);
    assertExit(await run('diff', file), 0);
    assertExit(await run('dump', '-o', `${file}.dump`), 0);
    assertExit(await run('diff', `${file}.dump`), 0);
  });
});
