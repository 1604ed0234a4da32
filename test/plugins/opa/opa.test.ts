/**
 * opa through sockets. `policy.wasm.gz` is `policy.rego` of this folder, compiled by OPA 0.70; the server of OPA is a
 * stand-in that answers as OPA's documentation of `POST /v1/data` says.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { logOf } from '../support/log.ts';
import { startPlane, type PlaneOptions, type TestPlane } from '../../support/data-plane.ts';
import { pluginEntity, pluginProblems } from '../../support/plugins.ts';
import { freePort } from '../../support/ports.ts';
import { rawRequest } from '../../support/raw-client.ts';
import type { RawResponse } from '../../support/response-reader.ts';
import { type Echo, startEcho, startHttpUpstream } from '../../support/upstream.ts';

const POLICY = readFileSync(new URL('./policy.wasm.gz', import.meta.url));
const WASM = POLICY.toString('base64');
const ANNA = '00000000-0000-4000-8000-00000000000a';
const ENTITIES: PlaneOptions['entities'] = [
  {
    kind: 'consumers',
    entity: { id: ANNA, username: 'anna', custom_id: null, tags: null, created_at: 1, updated_at: 1 },
  },
  {
    kind: 'keyauth_credentials',
    entity: { id: ANNA, consumer: { id: ANNA }, key: 'secret', created_at: 1 },
  },
];

async function ask(plane: TestPlane, line = 'GET /', headers = '', body = ''): Promise<RawResponse> {
  const length = body === '' ? '' : `Content-Length: ${body.length}\r\n`;
  const { responses } = await rawRequest(
    plane.port,
    `${line} HTTP/1.1\r\nHost: a.test\r\n${length}${headers}\r\n${body}`,
  );
  assert.ok(responses[0] !== undefined);
  return responses[0];
}

function plugin(config: object): { readonly name: string; readonly config: object } {
  return { name: 'opa', config };
}

interface Told {
  readonly url: string | undefined;
  readonly input: {
    readonly request: {
      readonly http: Readonly<Record<string, unknown>> & { readonly headers: Record<string, unknown> };
    };
    readonly client_ip: string;
    readonly consumer?: { readonly username: string };
    readonly route?: object;
    readonly service?: object;
  };
}

test('a policy in the gateway decides', async () => {
  await using upstream = await startEcho();
  for (const wasm of [WASM, gunzipSync(POLICY).toString('base64')]) {
    await using plane = await startPlane(upstream.port, { plugins: [plugin({ policy_wasm: wasm })] });
    for (let round = 0; round < 3; round++) {
      assert.equal((await ask(plane, 'GET /')).status, 200);
      const refused = await ask(plane, 'POST /');
      assert.equal(refused.status, 403);
      assert.deepEqual(refused.json(), { message: 'unauthorized' });
    }
  }
});

test('a policy in the gateway knows the consumer, and says what it wants', async () => {
  await using upstream = await startEcho();
  const config = {
    policy_wasm: WASM,
    policy_entrypoint: 'gateway/decision',
    include_consumer_in_opa_input: true,
  };
  const key = { name: 'key-auth', config: {} };
  await using plane = await startPlane(upstream.port, { entities: ENTITIES, plugins: [plugin(config), key] });
  const allowed = await ask(plane, 'POST /', 'apikey: secret\r\nX-Policy: forged\r\nX_Policy: forged\r\n');
  assert.equal(allowed.status, 200);
  const told = (JSON.parse(allowed.text()) as Echo).headers;
  assert.deepEqual([told['x-policy'], told['x_policy']], ['gateway', undefined]);
  await using other = await startPlane(upstream.port, { plugins: [plugin(config)] });
  assert.equal((await ask(other, 'POST /', 'X-Plain: 1\r\n')).status, 403);
  // The policy's header with a line break is no decision, and no header.
  const split = await ask(other, 'POST /');
  assert.equal(split.status, 500);
  assert.equal(split.header('x-bad'), undefined);
});

test('a policy that needs more memory than it may have fails for its request only', async () => {
  await using upstream = await startEcho();
  const config = { policy_wasm: WASM, policy_entrypoint: 'gateway/big', policy_memory: 4 };
  await using plane = await startPlane(upstream.port, { plugins: [plugin(config)] });
  for (let round = 0; round < 3; round++) assert.equal((await ask(plane)).status, 500);
  const input = { policy_wasm: WASM, policy_memory: 1, include_body_in_opa_input: true };
  await using small = await startPlane(upstream.port, { plugins: [plugin(input)] });
  assert.equal((await ask(small, 'GET /', '', 'x'.repeat(2 << 20))).status, 500);
  assert.equal((await ask(small, 'GET /', '', 'x')).status, 200);
});

test('a policy that takes more steps than it may fails for its request only', async () => {
  await using upstream = await startEcho();
  const slow = { policy_wasm: WASM, policy_entrypoint: 'gateway/slow' };
  const settings = { proxy_error_log: 'logs/error.log' };
  await using plane = await startPlane(upstream.port, {
    plugins: [plugin({ ...slow, policy_steps: 100_000 })],
    settings,
  });
  for (let round = 0; round < 3; round++) assert.equal((await ask(plane)).status, 500);
  await logOf(plane, /takes more than 100000 steps/);
  await using quick = await startPlane(upstream.port, {
    plugins: [plugin({ policy_wasm: WASM, policy_steps: 100_000 })],
  });
  for (let round = 0; round < 3; round++) assert.equal((await ask(quick)).status, 200);
});

test('a policy that cannot be used refuses everything, and says why', async () => {
  await using upstream = await startEcho();
  await using plane = await startPlane(upstream.port);
  const table: ReadonlyArray<readonly [config: object, why: RegExp]> = [
    [{ policy_wasm: Buffer.from('\0asm\x01\0\0\0', 'latin1').toString('base64') }, /imports no memory/],
    [{ policy_wasm: POLICY.subarray(0, 1000).toString('base64') }, /unexpected end/],
    [{ policy_wasm: WASM, policy_entrypoint: 'x/y' }, /no entry point 'x\/y'; it has .*gateway\/allow/],
  ];
  for (const [config, why] of table) {
    const instance = await plane.plane.createPlugin(pluginEntity(plugin(config)));
    assert.match(instance.broken ?? '', why);
  }
});

test('a server of OPA is told what Kong tells it', async () => {
  await using upstream = await startEcho();
  const inputs: Told[] = [];
  await using server = await startHttpUpstream(async (request, response) => {
    let body = '';
    for await (const chunk of request as AsyncIterable<Buffer>) body += chunk.toString('utf8');
    inputs.push({ url: request.url, ...(JSON.parse(body) as { input: Told['input'] }) });
    response.end('{"result":true}');
  });
  const config = {
    opa_host: '127.0.0.1',
    opa_port: server.port,
    opa_path: '/v1/data/a/allow',
    include_body_in_opa_input: true,
    include_parsed_json_body_in_opa_input: true,
    include_consumer_in_opa_input: true,
    include_uri_captures_in_opa_input: true,
    include_route_in_opa_input: true,
  };
  const key = { name: 'key-auth', config: {} };
  await using plane = await startPlane(upstream.port, { entities: ENTITIES, plugins: [plugin(config), key] });
  const body = '{"amount":3}';
  const headers = 'apikey: secret\r\nContent-Type: application/json\r\nX-A: 1\r\nX-A: 2\r\n';
  const response = await ask(plane, 'POST /p?a=1&b=2&b=3', headers, body);
  assert.equal(response.status, 200);
  assert.equal((JSON.parse(response.text()) as Echo).bodyLength, body.length);
  const [seen] = inputs;
  assert.ok(seen !== undefined);
  assert.equal(seen.url, '/v1/data/a/allow');
  const { request, client_ip: ip, consumer, route, service } = seen.input;
  assert.equal(ip, '127.0.0.1');
  assert.equal(consumer?.username, 'anna');
  assert.notEqual(route, undefined);
  assert.equal(service, undefined);
  const { headers: told, port, ...rest } = request.http;
  assert.equal(port, String(plane.port));
  assert.deepEqual(told['x-a'], ['1', '2']);
  assert.equal(told['host'], 'a.test');
  assert.deepEqual(rest, {
    host: 'a.test',
    tls: {},
    method: 'POST',
    scheme: 'http',
    path: '/p',
    querystring: { a: '1', b: ['2', '3'] },
    uri_captures: { named: {}, unnamed: [] },
    body,
    size: body.length,
    parsed_body: { amount: 3 },
  });
});

const ANSWERS: ReadonlyArray<
  readonly [answer: string, status: number, header?: string | undefined, message?: string]
> = [
  ['{"result":true}', 200],
  ['{"result":false}', 403, undefined, 'unauthorized'],
  ['{"result":{"allow":true,"headers":{"X-P":"a"}}}', 200, 'a'],
  ['{"result":{"allow":false,"headers":{"X-P":"a"},"status":418,"message":"no"}}', 418, 'a', 'no'],
  ['{"result":{"allow":false,"message":{"message":"deep","code":7}}}', 403, undefined, 'deep'],
  ['{"result":{"allow":false,"headers":{"X-P":"\u017dofie"}}}', 403, 'Å½ofie', 'unauthorized'],
  ['{"result":{"allow":false,"headers":{"X-P":"a\\r\\nX-Q: b"}}}', 500],
  ['{"result":{"allow":true,"headers":{"X-P":"a\\nX-Q: b"}}}', 500],
  ['{"result":{"allow":true,"headers":{"X P":"a"}}}', 500],
  ['{"result":{"allow":false,"status":99}}', 500],
  ['{"result":{"allow":"true"}}', 500],
  ['{"result":"true"}', 500],
  ['{"result":[]}', 500],
  ['{"result":null}', 500],
  ['{}', 500],
  ['true', 500],
  ['no json', 500],
  ['', 500],
];

test('what a server of OPA answers, and what is no decision', async () => {
  await using upstream = await startEcho();
  let answer = '';
  let status = 200;
  await using server = await startHttpUpstream((_, response) => void response.writeHead(status).end(answer));
  const config = { opa_host: '127.0.0.1', opa_port: server.port, opa_path: '/v1/data/a' };
  await using plane = await startPlane(upstream.port, { plugins: [plugin(config)] });
  for (const [text, wanted, header, message] of ANSWERS) {
    answer = text;
    const response = await ask(plane);
    assert.equal(response.status, wanted, text);
    if (wanted === 200) {
      assert.equal((JSON.parse(response.text()) as Echo).headers['x-p'], header, text);
      continue;
    }
    assert.equal(response.header('x-p'), header, text);
    assert.equal(response.header('x-q'), undefined, text);
    if (message !== undefined) assert.equal((response.json() as { message: string }).message, message, text);
  }
  answer = '{"result":true}';
  status = 500;
  assert.equal((await ask(plane)).status, 500);
  const nobody = plugin({ ...config, opa_port: await freePort() });
  await using gone = await startPlane(upstream.port, { plugins: [nobody] });
  assert.equal((await ask(gone)).status, 500);
});

test('opa configurations that make no sense are refused', () => {
  const table: ReadonlyArray<readonly [config: object, problem: RegExp]> = [
    [{}, /opa_path/],
    [{ opa_path: '/a', policy_wasm: WASM }, /only one|exclusive/i],
    [{ opa_path: 'a' }, /should start with/],
    [{ opa_path: '/a', opa_protocol: 'ftp' }, /expected one of/],
    [{ policy_wasm: 'a b' }, /base64/],
    [{ policy_wasm: 'aGVsbG8gd29ybGQ=' }, /WASM module/],
    [{ opa_path: '/a', opa_timeout: 1 }, /unknown field/],
  ];
  for (const [config, problem] of table) {
    assert.match(pluginProblems(plugin(config)), problem, JSON.stringify(config));
  }
});
