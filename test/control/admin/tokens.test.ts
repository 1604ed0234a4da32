/** OAuth 2.0 tokens over the Admin API: who may do what, pages, and writes at the same moment. */
import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { sluice } from '../../support/gateway.ts';
import { logOptions, startPostgres } from '../../support/postgres.ts';
import { waitFor } from '../../support/wait.ts';
import { prepare } from '../../store/support/log.ts';
import { callAdmin } from '../support/call.ts';
import { type StandInGateway, startStandIn } from '../support/gateway.ts';

type Body = Readonly<Record<string, unknown>>;

interface Asked {
  readonly status: number;
  readonly body: Body;
}

async function ask(
  gateway: StandInGateway,
  method: string,
  path: string,
  body?: unknown,
  token?: string,
): Promise<Asked> {
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const headers = { 'content-type': 'application/json', ...authorization };
  const { status, text } = await callAdmin(gateway.url('admin', path), { method, headers, ...sent });
  return { status, body: text === '' ? {} : (JSON.parse(text) as Body) };
}

async function makeParents(gateway: StandInGateway, token?: string): Promise<void> {
  await ask(gateway, 'POST', '/consumers', { username: 'bob' }, token);
  const made = await ask(gateway, 'POST', '/consumers/bob/oauth2', { name: 'a', client_id: 'app' }, token);
  assert.equal(made.status, 201, JSON.stringify(made.body));
}

test('rights: by role and kind, and secrets are for those who may write them', async () => {
  await using gateway = await startStandIn({ settings: { database: 'sqlite', admin_auth: 'on' } });
  const grant = async (name: string, ...options: readonly string[]): Promise<string> => {
    const command = ['admin', 'token', 'create', '-c', gateway.settingsFile, '--name', name];
    const made = await sluice(command.concat(options));
    assert.equal(made.code, 0, made.stderr);
    return made.stdout.trim();
  };
  const ops = await grant('ops', '--role', 'admin');
  const viewer = await grant('viewer');
  const tokens = await grant('tokens', '--role', 'write', '--kinds', 'oauth2_tokens');
  const services = await grant('services', '--role', 'write', '--kinds', 'services');
  const tagged = await grant('tagged', '--role', 'write', '--tags', 'a');
  await makeParents(gateway, ops);
  const path = '/oauth2_tokens/secret-a';
  const sent = { expires_in: 1, access_token: 'secret-a', refresh_token: 'secret-r' };
  const nested = '/oauth2/app/oauth2_tokens';
  const cases: ReadonlyArray<[token: string, method: string, path: string, body: unknown, status: number]> = [
    [viewer, 'POST', nested, sent, 403],
    [services, 'POST', nested, sent, 403],
    // Tokens have no tags.
    [tagged, 'POST', nested, sent, 403],
    [tokens, 'POST', nested, sent, 201],
    [viewer, 'PATCH', path, { scope: 'x' }, 403],
    [services, 'PATCH', path, { scope: 'x' }, 403],
    [tagged, 'PATCH', path, { scope: 'x' }, 403],
    [tagged, 'DELETE', path, undefined, 403],
    [services, 'DELETE', path, undefined, 403],
    [tokens, 'PATCH', `${path}/credential`, { name: 'b' }, 403],
    [tokens, 'PUT', `${path}/service`, { host: 'h' }, 403],
    // It would write the token.
    [services, 'PUT', `${path}/service`, { host: 'h' }, 403],
    [tagged, 'PUT', `${path}/service`, { host: 'h', tags: ['a'] }, 403],
    [tokens, 'PATCH', path, { scope: 'x' }, 200],
  ];
  for (const [token, method, where, body, status] of cases) {
    const answer = await ask(gateway, method, where, body, token);
    assert.equal(answer.status, status, `${method} ${where} ${JSON.stringify(answer.body)}`);
  }
  assert.equal(((await ask(gateway, 'GET', '/services', undefined, ops)).body['data'] as []).length, 0);
  for (const [token, access, refresh] of [
    [ops, 'secret-a', 'secret-r'],
    [tokens, 'secret-a', 'secret-r'],
    [viewer, '******', '******'],
    [services, '******', '******'],
  ] as const) {
    const one = await ask(gateway, 'GET', path, undefined, token);
    const { data } = (await ask(gateway, 'GET', '/oauth2_tokens', undefined, token)).body;
    for (const shown of [one.body, ...(data as Body[])]) {
      assert.deepEqual([shown['access_token'], shown['refresh_token']], [access, refresh]);
    }
  }
  assert.equal((await ask(gateway, 'DELETE', path, undefined, tokens)).status, 204);
});

async function walk(gateway: StandInGateway, first: string): Promise<string[]> {
  const seen: string[] = [];
  for (let path: unknown = first; typeof path === 'string';) {
    const { status, body } = await ask(gateway, 'GET', path);
    assert.equal(status, 200);
    for (const one of body['data'] as Body[]) seen.push(String(one['access_token']));
    path = body['next'];
  }
  return seen.toSorted((a, b) => (a < b ? -1 : 1));
}

async function pagesAndRaces(gateway: StandInGateway): Promise<void> {
  await makeParents(gateway);
  await ask(gateway, 'POST', '/services', { name: 's', host: 'h' });
  const names = Array.from({ length: 25 }, (_, n) => `t${String(n).padStart(2, '0')}`);
  for (const [n, access_token] of names.entries()) {
    const service = n % 2 === 0 ? { name: 's' } : null;
    const body = { expires_in: n, access_token, service };
    assert.equal((await ask(gateway, 'POST', '/oauth2/app/oauth2_tokens', body)).status, 201);
  }
  assert.deepEqual(await walk(gateway, '/oauth2_tokens?size=4'), names);
  assert.deepEqual(await walk(gateway, '/oauth2/app/oauth2_tokens?size=4'), names);
  assert.deepEqual(
    await walk(gateway, '/services/s/oauth2_tokens?size=4'),
    names.filter((_, n) => n % 2 === 0),
  );
  // No update of a field is lost to one of another.
  const fields = ['scope', 'authenticated_userid', 'refresh_token'] as const;
  const patches = fields.flatMap((field) =>
    [0, 1, 2, 3].map((n) => ask(gateway, 'PATCH', '/oauth2_tokens/t00', { [field]: `${field}-${n}` })),
  );
  for (const { status, body } of await Promise.all(patches)) assert.equal(status, 200, JSON.stringify(body));
  const { body } = await ask(gateway, 'GET', '/oauth2_tokens/t00');
  for (const field of fields) assert.match(String(body[field]), new RegExp(`^${field}-\\d$`));
  // One of them has the token.
  const same = await Promise.all(
    [0, 1, 2, 3].map(() =>
      ask(gateway, 'POST', '/oauth2/app/oauth2_tokens', { expires_in: 1, access_token: 'one' }),
    ),
  );
  assert.deepEqual(
    same.map(({ status }) => status).toSorted((a, b) => a - b),
    [201, 409, 409, 409],
  );
  const puts = await Promise.all(
    [0, 1, 2, 3].map(() => ask(gateway, 'PUT', '/oauth2/app/oauth2_tokens/put', { expires_in: 1 })),
  );
  assert.deepEqual(new Set(puts.map(({ status }) => status)), new Set([200]));
  assert.equal(new Set(puts.map((one) => one.body['id'])).size, 1);
  const gone = await Promise.all([0, 1, 2].map(() => ask(gateway, 'DELETE', '/oauth2_tokens/put')));
  assert.deepEqual(new Set(gone.map(({ status }) => status)), new Set([204]));
}

test('pages, and writes at the same moment, on SQLite', async () => {
  await using gateway = await startStandIn({ settings: { database: 'sqlite' } });
  await pagesAndRaces(gateway);
});

test('and on Postgres, by way of two nodes; without the database the answer is 503', async () => {
  await using postgres = await startPostgres();
  await prepare(logOptions(postgres));
  const settings = { database: 'postgres', pg_port: postgres.port, pg_password: 'secret' };
  await using one = await startStandIn({ settings });
  await using two = await startStandIn({ settings });
  await pagesAndRaces(one);
  assert.equal((await ask(two, 'GET', '/oauth2_tokens/t01')).body['access_token'], 't01');
  assert.equal((await ask(two, 'PATCH', '/oauth2_tokens/t01', { scope: 'two' })).status, 200);
  assert.equal((await ask(one, 'GET', '/oauth2_tokens/t01')).body['scope'], 'two');
  await waitFor(async () => (await ask(two, 'GET', '/oauth2/app')).status === 200);
  assert.equal((await ask(two, 'DELETE', '/oauth2/app')).status, 204);
  assert.deepEqual((await ask(one, 'GET', '/oauth2_tokens')).body['data'], []);
  await postgres.stop();
  assert.equal((await ask(one, 'GET', '/oauth2_tokens')).status, 503);
  assert.equal((await ask(one, 'GET', '/oauth2_tokens/t01')).status, 503);
});

test('with a key for secrets no token lies in the prefix in clear, and what was written is found', async () => {
  await using gateway = await startStandIn({ settings: { database: 'sqlite' } });
  const file = join(gateway.prefix, '..', 'keys');
  await writeFile(file, `${Buffer.alloc(32, 7).toString('base64')}\n`, { mode: 0o600 });
  await gateway.writeSettings({ secret_key_file: file });
  await gateway.restart();
  await makeParents(gateway);
  const token = { expires_in: 1, access_token: 'needle-a', refresh_token: 'needle-r' };
  assert.equal((await ask(gateway, 'POST', '/oauth2/app/oauth2_tokens', token)).status, 201);
  assert.equal((await ask(gateway, 'GET', '/oauth2_tokens/needle-a')).body['refresh_token'], 'needle-r');
  const files = await readdir(gateway.prefix, { recursive: true, withFileTypes: true });
  for (const one of files.filter((entry) => entry.isFile())) {
    const octets = await readFile(join(one.parentPath, one.name));
    assert.ok(!octets.includes('needle-'), one.name);
  }
});
