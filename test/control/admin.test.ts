/** Admin and status listeners, with the stand-in data plane. */
import assert from 'node:assert/strict';
import { readFile, rename } from 'node:fs/promises';
import { connect } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { waitFor } from '../support/wait.ts';
import { type StandInGateway, config, startStandIn } from './support/gateway.ts';

type Json = Readonly<Record<string, unknown>>;

async function call(
  gateway: StandInGateway,
  path: string,
  init: RequestInit = {},
): Promise<{ status: number; body: Json; headers: Headers }> {
  const response = await fetch(gateway.url('admin', path), init);
  const text = await response.text();
  return {
    status: response.status,
    body: text === '' ? {} : (JSON.parse(text) as Json),
    headers: response.headers,
  };
}

const post = (
  body: string | Uint8Array<ArrayBuffer>,
  type: string | null,
  more: Record<string, string> = {},
): RequestInit => ({
  method: 'POST',
  // As octets, so that fetch adds no Content-Type of its own.
  body: typeof body === 'string' ? new TextEncoder().encode(body) : body,
  headers: { ...(type === null ? {} : { 'content-type': type }), ...more },
});

test('the node tells who it is, as Kong does', async () => {
  await using gateway = await startStandIn({ config: config('/one') });
  const { status, body, headers } = await call(gateway, '/');
  assert.equal(status, 200);
  assert.match(String(body['version']), /^3\.9\./);
  assert.equal(body['tagline'], 'Welcome to kong');
  const configuration = body['configuration'] as Json;
  assert.equal(configuration['database'], 'off');
  assert.equal(headers.get('content-type'), 'application/json; charset=utf-8');
  assert.match(headers.get('server') ?? '', /^sluice\//);
  assert.match(headers.get('x-kong-admin-latency') ?? '', /^\d+$/);
  assert.equal(headers.get('access-control-allow-origin'), null);
});

test('status counts over the workers and names the configuration by its hash', async () => {
  await using gateway = await startStandIn({ config: config('/one') });
  for (let n = 0; n < 5; n++) await gateway.ask();
  for (const url of [
    gateway.url('admin', '/status?unit=k&scale=0'),
    gateway.url('status', '/status?unit=k&scale=0'),
  ]) {
    // A worker that does not tell its heap in time is left out.
    const body = await waitFor(async () => {
      const status = (await (await fetch(url)).json()) as {
        memory: { workers_lua_vms: Array<{ http_allocated_gc: string }> };
        server: Json;
        configuration_hash: string;
      };
      return status.memory.workers_lua_vms.length === 2 ? status : null;
    });
    assert.equal(body.server['total_requests'], 5);
    assert.match(body.configuration_hash, /^[0-9a-f]{32}$/);
    assert.match(body.memory.workers_lua_vms[0]?.http_allocated_gc ?? '', /^\d+ KiB$/);
  }
  assert.equal((await call(gateway, '/status?unit=x')).status, 400);
});

test('paths and methods that are not there are answered as Kong answers them', async () => {
  await using gateway = await startStandIn();
  const unknown = await call(gateway, '/nothing');
  assert.deepEqual([unknown.status, unknown.body], [404, { message: 'Not found' }]);
  const wrong = await call(gateway, '/config', { method: 'DELETE' });
  assert.deepEqual([wrong.status, wrong.body], [405, { message: 'Method not allowed' }]);
  const options = await call(gateway, '/config', { method: 'OPTIONS' });
  assert.equal(options.status, 204);
  assert.equal(options.headers.get('allow'), 'GET, HEAD, OPTIONS, POST');
  const head = await fetch(gateway.url('admin', '/status/'), { method: 'HEAD' });
  assert.deepEqual([head.status, await head.text()], [200, '']);
});

test('without a database the entities that are served are read, and not written', async () => {
  await using gateway = await startStandIn({ config: config('/one', '/two') });
  const services = await call(gateway, '/services');
  assert.equal(services.status, 200, JSON.stringify(services.body));
  const [service] = services.body['data'] as Json[];
  const routes = await call(gateway, `/services/${String(service?.['id'])}/routes?size=1`);
  assert.equal((routes.body['data'] as Json[]).length, 1);
  const refused = await call(gateway, '/services', post('{"host":"h"}', 'application/json'));
  assert.deepEqual(
    [refused.status, refused.body['message']],
    [405, "cannot create 'services' entities when not using a database"],
  );
  await call(gateway, '/config', post(config('/three'), 'text/yaml'));
  assert.equal(((await call(gateway, '/routes')).body['data'] as Json[]).length, 1);
});

test('with a database a write is kept, served and in the log', async () => {
  await using gateway = await startStandIn({ settings: { database: 'sqlite' } });
  const made = await call(gateway, '/services', post('{"name":"made","host":"h"}', 'application/json'));
  assert.equal(made.status, 201, JSON.stringify(made.body));
  const revision = made.headers.get('x-sluice-revision');
  const route = post('{"paths":["/a"]}', 'application/json', { 'if-match': `"${String(revision)}"` });
  assert.equal((await call(gateway, '/services/made/routes', route)).status, 201);
  assert.equal((await call(gateway, '/services/made/routes', route)).status, 412);
  const newest = await call(gateway, '/revisions?size=1');
  const [commit] = newest.body['data'] as Json[];
  assert.deepEqual(commit?.['author'], { name: null, source: '127.0.0.1' });
});

const JSON_CONFIG = JSON.stringify({ _format_version: '3.0', services: [{ name: 's', host: 'up.test' }] });

test('POST /config takes every form of a configuration', async () => {
  await using gateway = await startStandIn();
  const form = new FormData();
  form.set('config', config('/multipart'));
  const ways: ReadonlyArray<[what: string, init: RequestInit]> = [
    ['json', post(JSON_CONFIG, 'application/json')],
    ['json with text', post(JSON.stringify({ config: config('/a') }), 'application/json')],
    ['yaml', post(config('/b'), 'text/yaml')],
    ['application/yaml', post(config('/c'), 'application/yaml')],
    ['form', post(`config=${encodeURIComponent(config('/d'))}`, 'application/x-www-form-urlencoded')],
    ['multipart', { method: 'POST', body: form }],
    ['no type', post(config('/e'), null)],
  ];
  let revision = 0;
  for (const [what, init] of ways) {
    const { status, body } = await call(gateway, '/config', init);
    assert.equal(status, 201, `${what}: ${JSON.stringify(body)}`);
    const [service] = Object.values(body['services'] as Record<string, Json>);
    assert.deepEqual([service?.['name'], service?.['path']], ['s', null], what);
    assert.equal((await gateway.ask()).revision, ++revision, what);
  }
});

test('GET /config answers what is served, in a form that POST takes', async () => {
  await using gateway = await startStandIn({ config: config('/one', '/two') });
  const { body } = await call(gateway, '/config');
  const text = String(body['config']);
  assert.match(text, /_format_version: ["']3\.0["']/);
  assert.match(text, /\/two/);
  assert.equal((await call(gateway, '/config', post(text, 'text/yaml'))).status, 201);
});

test('check_hash answers 304 for the same text and loads another', async () => {
  await using gateway = await startStandIn({ config: config('/one') });
  const same = await fetch(gateway.url('admin', '/config?check_hash=1'), post(config('/one'), 'text/yaml'));
  assert.deepEqual([same.status, await same.text()], [304, '']);
  const other = await call(gateway, '/config?check_hash=1', post(config('/two'), 'text/yaml'));
  assert.equal(other.status, 201);
  assert.equal((await gateway.ask()).revision, 2);
});

test('what is wrong is refused with its status and changes nothing', async () => {
  const settings = { nginx_admin_client_max_body_size: '1k' };
  await using gateway = await startStandIn({ config: config('/one'), settings });
  const wrong = '_format_version: "3.0"\nservices:\n- name: s\n  host: up.test\n  port: x\n';
  const invalid = await call(gateway, '/config', post(wrong, 'text/yaml'));
  assert.equal(invalid.status, 400);
  assert.deepEqual([invalid.body['code'], invalid.body['name']], [14, 'invalid declarative configuration']);
  assert.deepEqual(invalid.body['fields'], { services: [{ port: 'expected an integer' }] });
  for (const flag of ['1', 'true', 'On', 'yes']) {
    const flat = await call(gateway, `/config?flatten_errors=${flag}`, post(wrong, 'text/yaml'));
    assert.deepEqual(flat.body['fields'], {});
    const [error] = flat.body['flattened_errors'] as Json[];
    assert.deepEqual([error?.['entity_type'], error?.['entity_name']], ['service', 's']);
  }
  const latin1 = Buffer.from(config('/\xe9'), 'latin1');
  const notUtf8 = await call(gateway, '/config', post(latin1, 'text/yaml'));
  assert.deepEqual([notUtf8.status, notUtf8.body['code']], [400, 14]);
  assert.match(JSON.stringify(notUtf8.body['fields']), /is not UTF-8 at line \d+, column \d+/);

  const nothing = await call(gateway, '/config', post('', 'text/yaml'));
  assert.deepEqual([nothing.status, nothing.body['message']], [400, 'expected a declarative configuration']);
  assert.equal((await call(gateway, '/config', post('{', 'application/json'))).status, 400);
  assert.equal((await call(gateway, '/config', post('x', 'text/plain'))).status, 415);
  assert.equal((await call(gateway, '/config', post('x'.repeat(2000), 'text/yaml'))).status, 413);
  assert.equal(await chunked(gateway, 2000), 413);
  assert.equal((await gateway.ask()).revision, 1);
});

/** A body without Content-Length, which shows its size only while it comes. */
async function chunked(gateway: StandInGateway, octets: number): Promise<number> {
  const socket = connect({ port: gateway.ports[1] ?? 0, host: '127.0.0.1' });
  const chunk = 'x'.repeat(octets);
  socket.write(`POST /config HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n`);
  socket.write(`${octets.toString(16)}\r\n${chunk}\r\n`);
  const [data] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return Number(data.toString().split(' ')[1]);
}

test('two Content-Type lines are refused', async () => {
  await using gateway = await startStandIn();
  const socket = connect({ port: gateway.ports[1] ?? 0, host: '127.0.0.1' });
  socket.write('POST /config HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/yaml\r\n');
  socket.write('Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}');
  const [data] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  assert.match(data.toString(), /^HTTP\/1\.1 400 /);
});

test('a page of another site cannot change the configuration', async () => {
  await using gateway = await startStandIn({ config: config('/one') });
  const init = post(config('/two'), 'text/plain', { origin: 'https://evil.test' });
  const { status, headers } = await call(gateway, '/config', init);
  assert.equal(status, 403);
  assert.equal(headers.get('access-control-allow-origin'), null);
  const socket = connect({ port: gateway.ports[1] ?? 0, host: '127.0.0.1' });
  socket.write('GET /config HTTP/1.1\r\nHost: rebound.evil.test:8001\r\n\r\n');
  const [data] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  assert.match(data.toString(), /^HTTP\/1\.1 403 /);
  assert.equal((await gateway.ask()).revision, 1);
});

test('ready only with a configuration, and no more when draining was announced', async () => {
  await using gateway = await startStandIn();
  const ready = async (init?: RequestInit): Promise<[number, unknown]> => {
    const response = await fetch(gateway.url('status', '/status/ready'), init);
    const text = await response.text();
    return [response.status, text === '' ? null : (JSON.parse(text) as Json)['message']];
  };
  assert.deepEqual(await ready(), [503, 'no configuration available (empty configuration present)']);
  await call(gateway, '/config', post(config('/one'), 'text/yaml'));
  await waitFor(async () => (await ready())[0] === 200);
  assert.deepEqual(await ready({ method: 'HEAD' }), [200, null]);
  assert.equal((await ready(post('{"status":"x"}', 'application/json')))[0], 400);
  assert.deepEqual(await ready(post('{"status":"draining"}', 'application/json')), [204, null]);
  assert.deepEqual(await ready(), [503, 'draining']);
});

test('listeners that are off are off', async () => {
  await using gateway = await startStandIn({ settings: { admin_listen: 'off', status_listen: 'off' } });
  await assert.rejects(fetch(gateway.url('admin')));
  await assert.rejects(fetch(gateway.url('status')));
  assert.equal((await gateway.ask()).revision, 0);
});

test('admin and status requests are logged where their settings say, in the format of nginx', async () => {
  await using gateway = await startStandIn({
    config: config('/one'),
    settings: { status_access_log: 'logs/both.log', admin_access_log: 'logs/both.log' },
  });
  const { headers } = await call(gateway, '/nothing', { headers: { 'user-agent': 'a"b', referer: 'there' } });
  await fetch(gateway.url('status', '/status/ready'), { method: 'HEAD', headers: { 'user-agent': 'probe' } });
  const lines = await waitFor(async () => {
    const text = await readFile(join(gateway.prefix, 'logs/both.log'), 'utf8').catch(() => '');
    const found = text.split('\n').filter((line) => /a\\x22b|probe/.test(line));
    return found.length === 2 ? found : null;
  });
  const time = '\\[\\d+/\\w+/\\d+:\\d+:\\d+:\\d+ [+-]\\d+\\]';
  const length = headers.get('content-length') ?? '';
  assert.match(
    lines[0] ?? '',
    new RegExp(`^127\\.0\\.0\\.1 - - ${time} "GET /nothing HTTP/1\\.1" 404 ${length} "there" "a\\\\x22b"$`),
  );
  assert.match(lines[1] ?? '', new RegExp(`${time} "HEAD /status/ready HTTP/1\\.1" 200 0 "-" "probe"$`));
});

test('the logs of the admin side are opened again on SIGUSR1, and one that cannot be opened is told', async () => {
  await using gateway = await startStandIn({ config: config('/one') });
  const log = join(gateway.prefix, 'logs/admin_access.log');
  const text = (file: string): Promise<string> => readFile(file, 'utf8').catch(() => '');
  await call(gateway, '/before');
  await waitFor(async () => (await text(log)).includes('/before'));
  await rename(log, `${log}.1`);
  assert.equal((await gateway.control('POST', '/reopen')).status, 200);
  await call(gateway, '/after');
  await waitFor(async () => (await text(log)).includes('/after'));
  assert.equal((await text(`${log}.1`)).includes('/after'), false);

  await using refused = await startStandIn({
    settings: { admin_error_log: '/proc/nothing/error.log' },
    unready: true,
  });
  assert.equal((await refused.child.exited).code, 1);
  assert.match(refused.child.output, /ENOENT.*\/proc\/nothing/);
});
