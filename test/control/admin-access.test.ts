/** Who may use the Admin API: tokens, closed listeners, and pages in browsers. */
import assert from 'node:assert/strict';
import { chmod } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { mintToken } from '../../src/control/access/token.ts';
import { sluice } from '../support/gateway.ts';
import { freePorts } from '../support/ports.ts';
import { waitFor } from '../support/wait.ts';
import { type Called, callAdmin } from './support/call.ts';
import { type StandInGateway, config, startStandIn } from './support/gateway.ts';

type Headers = Readonly<Record<string, string>>;

async function createToken(gateway: StandInGateway, ...options: readonly string[]): Promise<string> {
  const result = await sluice(['admin', 'token', 'create', '-p', gateway.prefix, ...options]);
  assert.equal(result.code, 0, result.stderr);
  return result.stdout.trim();
}

const bearer = (token: string): Headers => ({ authorization: `Bearer ${token}` });

const replaceConfig = (url: string, headers: Headers): Promise<Called> =>
  callAdmin(url, {
    method: 'POST',
    headers: { 'content-type': 'text/yaml', ...headers },
    body: config('/two'),
  });

test('tokens: made, used, limited and revoked while the gateway runs', async () => {
  await using gateway = await startStandIn({ config: config('/one'), settings: { admin_auth: 'on' } });
  const url = gateway.url('admin', '/config');
  const without = await callAdmin(url);
  assert.equal(without.status, 401);
  assert.equal(without.headers['www-authenticate'], 'Bearer realm="sluice"');
  assert.match(without.text, /a token is needed/);
  const basic = await callAdmin(url, { headers: { authorization: 'Basic YTpi' } });
  assert.equal(basic.status, 401);

  const admin = await createToken(gateway, '--name', 'ops', '--role', 'admin');
  const read = await createToken(gateway, '--name', 'viewer');
  const limited = await createToken(gateway, '--name', 'team', '--role', 'write', '--tags', 'team-a');
  const rows: ReadonlyArray<[what: string, headers: Headers, root: number, dump: number, write: number]> = [
    ['admin', bearer(admin), 200, 200, 201],
    ['admin, as decK sends it', { 'kong-admin-token': admin }, 200, 200, 201],
    ['scheme in other letters', { authorization: `bearer  ${admin} ` }, 200, 200, 201],
    ['read', bearer(read), 200, 403, 403],
    ['write by tag', bearer(limited), 200, 403, 403],
    ['typing error', bearer(`${admin.slice(0, -1)}-`), 401, 401, 401],
  ];
  for (const [what, headers, root, dump, write] of rows) {
    const answers = [
      await callAdmin(gateway.url('admin', '/'), { headers }),
      await callAdmin(url, { headers }),
      await replaceConfig(url, headers),
    ];
    assert.deepEqual(
      answers.map(({ status }) => status),
      [root, dump, write],
      what,
    );
  }
  assert.match((await replaceConfig(url, bearer(limited))).text, /'team' is limited to the tag team-a/);

  const list = await sluice(['admin', 'token', 'list', '-p', gateway.prefix]);
  assert.match(list.stdout, /^ops +admin +everything .* never +a token$/m);
  assert.match(list.stdout, /^team +write +tagged team-a /m);
  assert.ok(!list.stdout.includes(admin));
  const again = await sluice(['admin', 'token', 'create', '-p', gateway.prefix, '--name', 'ops']);
  assert.deepEqual([again.code, again.stderr], [1, "sluice: there is a token named 'ops' already\n"]);
  assert.equal((await sluice(['admin', 'token', 'revoke', '-p', gateway.prefix, 'ops'])).code, 0);
  const revoked = await callAdmin(url, { headers: bearer(admin) });
  assert.equal(revoked.status, 401);
  assert.equal(revoked.headers['www-authenticate'], 'Bearer realm="sluice", error="invalid_token"');
  assert.equal((await sluice(['admin', 'token', 'revoke', '-p', gateway.prefix, 'ops'])).code, 1);

  await chmod(join(gateway.prefix, 'admin-tokens.json'), 0o644);
  const unreadable = await callAdmin(url, { headers: bearer(read) });
  assert.equal(unreadable.status, 503);
  assert.ok(!unreadable.text.includes(gateway.prefix), unreadable.text);
  const said = async (): Promise<boolean> => (await gateway.errorLog()).includes('chmod 600');
  await waitFor(said, { what: 'the log to say what to do' });
  const log = await gateway.errorLog();
  for (const token of [admin, read, limited]) assert.ok(!log.includes(token));
});

test('the status listener is open for reading and asks who drains the node', async () => {
  await using gateway = await startStandIn({ config: config('/one'), settings: { admin_auth: 'on' } });
  const ready = gateway.url('status', '/status/ready');
  const drain = (headers: Headers): Promise<Called> =>
    callAdmin(ready, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: '{"status":"draining"}',
    });
  assert.equal((await callAdmin(ready)).status, 200);
  assert.equal((await drain({})).status, 401);
  assert.equal((await drain(bearer(await createToken(gateway, '--name', 'r')))).status, 403);
  const admin = await createToken(gateway, '--name', 'a', '--role', 'admin');
  assert.equal((await drain({ 'content-length': '21', ...bearer(admin) })).status, 204);
  assert.equal((await callAdmin(ready)).status, 503);
});

function outerAddress(): string {
  const all = Object.values(networkInterfaces()).flat();
  return all.find((one) => one?.family === 'IPv4' && !one.internal)?.address ?? '127.0.0.1';
}

test('a listener that others can reach answers nobody until the settings say what to ask', async () => {
  const [port = 0] = await freePorts(1);
  await using gateway = await startStandIn({
    config: config('/one'),
    settings: { admin_listen: `0.0.0.0:${port}` },
  });
  const url = `http://${outerAddress()}:${port}/config`;
  assert.equal((await gateway.ask('/one')).revision, 1);
  const token = await createToken(gateway, '--name', 'a', '--role', 'admin');
  for (const headers of [{}, bearer(token), { origin: 'https://evil.test' }]) {
    assert.equal((await callAdmin(url, { headers })).status, 401);
    assert.equal((await replaceConfig(`http://127.0.0.1:${port}/config`, headers)).status, 401);
  }
  const told = /answers 401 to everything: set 'admin_auth = on' .* or 'admin_auth = off'/;
  await waitFor(async () => told.test(await gateway.errorLog()), { what: 'the log to say what to set' });

  await gateway.writeSettings({ admin_auth: 'on' });
  assert.equal((await gateway.control('POST', '/reload')).status, 200);
  assert.equal((await callAdmin(url)).status, 401);
  assert.equal((await callAdmin(url, { headers: bearer(token) })).status, 200);
  await gateway.writeSettings({ admin_auth: 'off' });
  assert.equal((await gateway.control('POST', '/reload')).status, 200);
  assert.equal((await callAdmin(url)).status, 200);
});

const FORM = 'config=_format_version%3A%203.0';
const MULTIPART =
  '--b\r\nContent-Disposition: form-data; name="config"\r\n\r\n_format_version: "3.0"\r\n--b--\r\n';

test('pages of other sites change and read nothing, whatever their requests look like', async () => {
  await using gateway = await startStandIn({ config: config('/one') });
  const port = new URL(gateway.url('admin')).port;
  const page = { origin: 'https://evil.test', 'sec-fetch-site': 'cross-site' };
  const form = 'application/x-www-form-urlencoded';
  const posts: ReadonlyArray<[what: string, headers: Headers, body: string]> = [
    ['a form', { ...page, 'content-type': form }, FORM],
    ['a form with a file', { ...page, 'content-type': 'multipart/form-data; boundary=b' }, MULTIPART],
    ['a form as text', { ...page, 'content-type': 'text/plain' }, '{"services":[]}'],
    ['a sandboxed frame', { origin: 'null', 'content-type': form }, FORM],
    ['an old browser', { origin: 'https://evil.test', 'content-type': form }, FORM],
    ['a page that hides its origin', { 'sec-fetch-site': 'cross-site', 'content-type': form }, FORM],
    ['another port of this machine', { origin: 'http://127.0.0.1:3000', 'content-type': form }, FORM],
    [
      'rebinding',
      { origin: `http://evil.test:${port}`, host: `evil.test:${port}`, 'content-type': form },
      FORM,
    ],
  ];
  for (const [what, headers, body] of posts) {
    const { status } = await callAdmin(gateway.url('admin', '/config'), { method: 'POST', headers, body });
    assert.equal(status, 403, what);
  }
  const reads: ReadonlyArray<[what: string, headers: Headers]> = [
    ['rebinding', { host: `evil.test:${port}`, 'sec-fetch-site': 'same-origin' }],
    ['rebinding by an old browser', { host: `evil.test:${port}` }],
    ['an image', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' }],
    ['a frame', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' }],
  ];
  for (const [what, headers] of reads) {
    const { status, headers: answered } = await callAdmin(gateway.url('admin', '/config'), { headers });
    assert.equal(status, 403, what);
    assert.equal(answered['access-control-allow-origin'], undefined, what);
  }
  assert.equal((await gateway.ask('/one')).revision, 1);
  const token = await createToken(gateway, '--name', 'a', '--role', 'admin');
  const known = await callAdmin(gateway.url('admin', '/config'), { headers: { ...page, ...bearer(token) } });
  assert.equal(known.status, 200);
  assert.equal(known.headers['access-control-allow-origin'], undefined);
});

test("the console's origin gets CORS, also before it has a token", async () => {
  await using gateway = await startStandIn({
    config: config('/one'),
    settings: {
      admin_auth: 'on',
      admin_gui_url: 'https://console.example.com',
      admin_gui_listen: '0.0.0.0:8002',
    },
  });
  const url = gateway.url('admin', '/config');
  const preflight = (origin: string): Promise<Called> =>
    callAdmin(url, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST' } });
  for (const origin of ['https://console.example.com', 'http://127.0.0.1:8002']) {
    const { status, headers } = await preflight(origin);
    assert.equal(status, 204, origin);
    assert.equal(headers['access-control-allow-origin'], origin);
    assert.equal(headers['access-control-allow-credentials'], 'true');
    assert.equal(headers['access-control-allow-methods'], 'GET, HEAD, OPTIONS, POST');
    assert.match(headers['access-control-allow-headers'] ?? '', /Content-Type, Authorization/);
    const asked = await callAdmin(url, { headers: { origin } });
    assert.equal(asked.status, 401);
    assert.equal(asked.headers['access-control-allow-origin'], origin);
  }
  assert.equal((await preflight('https://evil.test')).status, 403);
  assert.equal((await callAdmin(url, { method: 'OPTIONS' })).status, 401);
});

test('keys of secrets: shown to nobody, and wrong ones end the start with what to do', async () => {
  await using gateway = await startStandIn({ settings: { database: 'sqlite', secret_keys: 'a'.repeat(64) } });
  const { text } = await callAdmin(gateway.url('admin'));
  const { configuration } = JSON.parse(text) as { configuration: Record<string, unknown> };
  assert.deepEqual([configuration['secret_keys'], configuration['secret_key_file']], ['******', null]);
  assert.ok(!text.includes('aaaa'));

  await using wrong = await startStandIn({
    settings: { database: 'sqlite', secret_keys: 'hunter2' },
    unready: true,
  });
  const { code } = await wrong.child.exited;
  assert.equal(code, 1);
  assert.match(
    wrong.child.output,
    /^sluice: secret_keys: key 1 is not 32 octets .*openssl rand -base64 32$/m,
  );
  assert.ok(!wrong.child.output.includes('hunter2'));
});

test('who guesses is slowed, and neither tokens in use nor other addresses are', async () => {
  await using gateway = await startStandIn({ settings: { admin_auth: 'on' } });
  const used = await createToken(gateway, '--name', 'used');
  const fresh = await createToken(gateway, '--name', 'fresh');
  const url = gateway.url('admin', '/status');
  const ask = (token: string, localAddress: string, signal?: AbortSignal): Promise<Called> =>
    callAdmin(url, { headers: bearer(token), localAddress, ...(signal === undefined ? {} : { signal }) });
  assert.equal((await ask(used, '127.0.0.1')).status, 200);
  const stop = new AbortController();
  const statuses: number[] = [];
  const guesses = Array.from({ length: 60 }, async (_, n) => {
    const wrong = mintToken();
    statuses.push((await ask(n % 2 === 0 ? wrong : wrong.slice(1), '127.0.0.1', stop.signal)).status);
  });
  const refused = async (): Promise<boolean> => statuses.includes(401) && statuses.includes(429);
  await waitFor(refused, { what: 'guesses to be refused' });
  assert.equal((await ask(used, '127.0.0.1')).status, 200);
  assert.equal((await ask(fresh, '127.0.0.2')).status, 200);
  stop.abort();
  await Promise.allSettled(guesses);
  assert.ok(!statuses.includes(200));
  const told = async (): Promise<string[]> => (await gateway.errorLog()).match(/no access for .*/g) ?? [];
  await waitFor(async () => (await told()).length > 0, { what: 'the log to tell of it' });
  assert.ok((await told()).length < 8, String(await told()));
});
