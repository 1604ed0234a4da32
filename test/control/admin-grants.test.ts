/** Grants in a database: made before and while the gateway runs, on one node and for all; what they limit, and how. */
import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { type CliResult, sluice } from '../support/gateway.ts';
import { waitFor } from '../support/wait.ts';
import { type Called, callAdmin } from './support/call.ts';
import { config, type StandInGateway, startStandIn } from './support/gateway.ts';

const SETTINGS = { admin_auth: 'on', database: 'sqlite' };

interface Asked {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
  readonly text: string;
}

function command(gateway: StandInGateway, ...args: readonly string[]): Promise<CliResult> {
  const [verb = '', ...rest] = args;
  return sluice(['admin', 'token', verb, '-c', gateway.settingsFile, ...rest]);
}

async function tokenFor(gateway: StandInGateway, name: string, ...options: string[]): Promise<string> {
  const made = await command(gateway, 'create', '--name', name, ...options);
  assert.equal(made.code, 0, made.stderr);
  return made.stdout.trim();
}

type Ask = (token: string, method: string, path: string, body?: unknown) => Promise<Asked>;

function askerOf(gateway: StandInGateway): Ask {
  return async (token, method, path, body) => {
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const { status, text }: Called = await callAdmin(gateway.url('admin', path), {
      method,
      headers,
      ...sent,
    });
    return { status, text, body: text === '' ? {} : (JSON.parse(text) as Asked['body']) };
  };
}

test('tokens of a store: used, listed and revoked, and the log knows of them', async () => {
  await using gateway = await startStandIn({ settings: SETTINGS });
  const ask = askerOf(gateway);
  const ops = await tokenFor(gateway, 'ops', '--role', 'admin');
  const viewer = await tokenFor(gateway, 'viewer');
  const limited = ['--role', 'write', '--kinds', 'services,routes', '--tags', 'a', '--expires', '3d'];
  await tokenFor(gateway, 'team', ...limited);
  const certificate = ['--role', 'write', '--certificate', 'DNS:ci.example.com'];
  assert.equal((await command(gateway, 'create', '--name', 'ci', ...certificate)).code, 0);
  assert.equal((await ask(viewer, 'GET', '/services')).status, 200);
  assert.equal((await ask(viewer, 'POST', '/services', { host: 'h' })).status, 403);
  assert.equal((await ask(ops, 'POST', '/services', { name: 's', host: 'h' })).status, 201);

  const list = await command(gateway, 'list');
  assert.match(list.stdout, /^ops +admin +everything +\S+ +never +a token$/m);
  assert.match(list.stdout, /^team +write +services,routes tagged a +\S+ +\d{4}-\d\d-\d\d +a token$/m);
  assert.match(list.stdout, /^ci +write +everything +\S+ +never +certificate DNS:ci\.example\.com$/m);
  assert.equal(
    (await command(gateway, 'create', '--name', 'ops')).stderr,
    "sluice: there is a token named 'ops' already\n",
  );
  const same = await command(gateway, 'create', '--name', 'ci2', ...certificate);
  assert.equal(same.stderr, 'sluice: DNS:ci.example.com has a grant already\n');

  const log = (await ask(ops, 'GET', '/revisions')).body['data'] as Array<Record<string, unknown>>;
  assert.deepEqual(
    log.map(({ author, message }) => [(author as { name: string | null }).name, message]),
    [
      ['ops', null],
      [null, "admin token 'ci' for the role write"],
      [null, "admin token 'team' for the role write"],
      [null, "admin token 'viewer' for the role read"],
      [null, "admin token 'ops' for the role admin"],
    ],
  );
  const cli = (...args: string[]): Promise<CliResult> =>
    sluice(['config', ...args, '--admin', gateway.url('admin', ''), '--token', ops]);
  assert.match((await cli('history', '1')).stdout, /admin token ops/);
  const back = await cli('rollback', '1', '--dry-run');
  assert.deepEqual([back.code, /admin token/.test(back.stdout)], [0, false], back.stdout + back.stderr);
  const diff = await ask(viewer, 'GET', '/revisions/1/diff');
  assert.match(diff.text, /"name":"ops".*"sha256":"\*{6}"/);

  assert.equal((await command(gateway, 'revoke', 'viewer')).code, 0);
  assert.equal((await ask(viewer, 'GET', '/')).status, 401);
  assert.equal((await command(gateway, 'revoke', 'viewer')).code, 1);
  const late = await tokenFor(gateway, 'late');
  assert.equal((await ask(ops, 'POST', '/revisions/4/restore')).status, 200);
  assert.equal((await ask(ops, 'GET', '/services/s')).status, 404);
  assert.equal((await ask(viewer, 'GET', '/')).status, 401);
  assert.equal((await ask(late, 'GET', '/')).status, 200);
});

test('nothing of the Admin API shows the kind, and nothing writes it', async () => {
  await using gateway = await startStandIn({ settings: SETTINGS });
  const ask = askerOf(gateway);
  const ops = await tokenFor(gateway, 'ops', '--role', 'admin');
  for (const path of ['/admin_tokens', '/admin-tokens', '/schemas/admin_tokens']) {
    assert.equal((await ask(ops, 'GET', path)).status, 404, path);
  }
  for (const path of ['/endpoints', '/openapi.json', '/tags']) {
    assert.doesNotMatch((await ask(ops, 'GET', path)).text, /admin.tokens/, path);
  }
  const entity = { name: 'x', role: 'admin', created: 0, sha256: 'a'.repeat(64) };
  const write = { op: 'create', kind: 'admin_tokens', entity };
  assert.equal((await ask(ops, 'POST', '/transactions', { writes: [write] })).status, 400);
});

test('a token made before the first start holds, and the first configuration is still taken over', async () => {
  await using gateway = await startStandIn({ settings: SETTINGS });
  await gateway.stop();
  for (const suffix of ['', '-wal', '-shm']) {
    await rm(join(gateway.prefix, `store.db${suffix}`), { force: true });
  }
  await writeFile(gateway.configFile, config('/one', '/two'));
  await gateway.writeSettings({ declarative_config: gateway.configFile });
  const early = await tokenFor(gateway, 'early', '--role', 'admin');
  assert.match((await command(gateway, 'list')).stdout, /^early /m);
  await writeFile(join(gateway.prefix, 'admin-tokens.json'), '{}', { mode: 0o600 });
  await gateway.restart();
  const routes = await askerOf(gateway)(early, 'GET', '/routes');
  assert.deepEqual([routes.status, (routes.body['data'] as unknown[]).length], [200, 2]);
  const told = /admin-tokens\.json do not count with database = sqlite: make them again/;
  await waitFor(async () => told.test(await gateway.errorLog()), { what: 'the log to tell of the file' });
});

test('without a running gateway, tokens in Postgres are out of reach, and it is said what to do', async () => {
  await using gateway = await startStandIn({ settings: SETTINGS });
  await gateway.stop();
  await gateway.writeSettings({ database: 'postgres', pg_host: '127.0.0.1' });
  for (const answer of [
    await command(gateway, 'list'),
    await sluice(['secrets', 'status', '-c', gateway.settingsFile]),
  ]) {
    assert.equal(answer.code, 1);
    assert.match(answer.stderr, /through a running gateway: start it \(prefix .*\) and try again/);
  }
});

test('limits hold for what goes along with a change', async () => {
  await using gateway = await startStandIn({ settings: SETTINGS });
  const ask = askerOf(gateway);
  const ops = await tokenFor(gateway, 'ops', '--role', 'admin');
  const team = await tokenFor(gateway, 'team', '--role', 'write', '--tags', 'a');
  const keys = await tokenFor(gateway, 'keys', '--role', 'write', '--kinds', 'consumers');
  for (const [path, body] of [
    ['/consumers', { username: 'bob', tags: ['a'] }],
    ['/consumers/bob/key-auth', { key: 'of-somebody' }],
    ['/consumers', { username: 'eve' }],
  ] as const) {
    assert.equal((await ask(ops, 'POST', path, body)).status, 201, path);
  }
  const rows: ReadonlyArray<[who: string, method: string, path: string, body: unknown, status: number]> = [
    [team, 'DELETE', '/consumers/bob', undefined, 403],
    [keys, 'DELETE', '/consumers/bob', undefined, 403],
    [keys, 'DELETE', '/consumers/eve', undefined, 204],
    [keys, 'PUT', '/key-auths/of-somebody', { key: 'of-somebody' }, 403],
    [keys, 'PUT', '/debug/node/log-level/debug', {}, 403],
    [keys, 'DELETE', '/cache', undefined, 403],
    [keys, 'POST', '/schemas/services/validate', { host: 'h' }, 200],
    [ops, 'DELETE', '/cache', undefined, 204],
    [team, 'POST', '/consumers/bob/key-auth', { key: 'k', tags: ['a'] }, 201],
  ];
  for (const [who, method, path, body, status] of rows) {
    const answer = await ask(who, method, path, body);
    assert.equal(answer.status, status, `${method} ${path}: ${answer.text}`);
  }
  assert.match(
    (await ask(team, 'DELETE', '/consumers/bob')).text,
    /'team' may write only entities with the tag a/,
  );
  const writes = [
    { op: 'create', path: '/services', entity: { host: 'h', tags: ['a'] } },
    { op: 'delete', path: '/consumers/bob' },
  ];
  const refused = await ask(team, 'POST', '/transactions', { writes });
  assert.deepEqual([refused.status, refused.body['index']], [403, 1], refused.text);
  assert.equal(((await ask(ops, 'GET', '/services')).body['data'] as unknown[]).length, 0);

  // A reader writes back what it saw of a credential once it may write.
  const viewer = await tokenFor(gateway, 'viewer');
  const seen = await ask(viewer, 'GET', '/consumers/bob/key-auth/of-somebody');
  assert.equal(seen.body['key'], '******');
  const back = await ask(ops, 'PUT', `/key-auths/${String(seen.body['id'])}`, seen.body);
  assert.equal(back.status, 400);
  assert.match(back.text, /stands for a secret that was not shown/);
});
