/** Plugins for `kong-pdk`, as they are, through sockets. Facts: Kong's kong-js-pdk 0.6 and its declarations. */
import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import type { Plugin } from '../../src/entities/plugin.ts';
import type { PluginServices } from '../../src/plugins/kit/services.ts';
import { adaptKongPdk } from '../../src/plugins/kong-pdk/adapt.ts';
import { type PlaneOptions, startPlane, type TestPlane } from '../support/data-plane.ts';
import type { TestPlugin } from '../support/plugins.ts';
import { rawRequest } from '../support/raw-client.ts';
import { type Echo, startEcho } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';

const ANNA = '00000000-0000-4000-8000-00000000000a';
const CONSUMER = { id: ANNA, username: 'anna', custom_id: null, tags: null, created_at: 1, updated_at: 1 };
const ENTITIES: PlaneOptions['entities'] = [{ kind: 'consumers', entity: CONSUMER }];
const require = createRequire(import.meta.url);
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const log: string[] = [];

/** What is handed to a plugin, as far as these plugins ask. */
function gateway(): PluginServices {
  const say = (line: string): void => void log.push(line);
  return {
    plugin: { id: randomUUID() } as Plugin,
    log: { debug: say, info: say, notice: say, warn: say, error: say },
    node: { id: 'n-1', hostname: 'h-1', workerId: 0 },
    entities: {
      get: (_: string, id: string) => (id === ANNA ? CONSUMER : null),
      find: (_: string, __: string, name: string) => (name === 'anna' ? CONSUMER : null),
      owned: () => [],
    },
    secret: (text: string) => `secret of ${text}`,
  } as unknown as PluginServices;
}

async function fixture(name: string, config: object = {}): Promise<TestPlugin> {
  const definition = adaptKongPdk(require(`../fixtures/kong-pdk/${name}.js`), name);
  assert.ok(definition !== null);
  const filters = await definition.create(config as never, gateway());
  return { name: definition.name, priority: definition.priority, filters };
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly header: (name: string) => readonly string[];
}

async function ask(plane: TestPlane, head: string, rest = '\r\n'): Promise<Answer> {
  const { responses } = await rawRequest(plane.port, `${head}\r\nHost: a.test\r\n${rest}`);
  const [response] = responses;
  assert.ok(response !== undefined);
  const header = (wanted: string): readonly string[] =>
    response.headers.filter(([name]) => name.toLowerCase() === wanted).map(([, value]) => value);
  return { status: response.status, text: response.text(), header };
}

test('a header of the response, set while the request is on its way', async () => {
  await using upstream = await startEcho();
  for (const [config, greeting] of [
    [{ message: 'salve' }, 'salve a.test'],
    [{}, 'hello a.test'],
  ] as const) {
    await using plane = await startPlane(upstream.port, { plugins: [await fixture('greeter', config)] });
    const { header } = await ask(plane, 'GET / HTTP/1.1');
    assert.deepEqual(header('x-greeting'), [greeting]);
    assert.deepEqual(header('x-process'), [String(process.pid)]);
  }
});

test('an answer ends the request, whatever the plugin does then', async () => {
  await using upstream = await startEcho();
  await using plane = await startPlane(upstream.port, { plugins: [await fixture('members-only')] });
  const refused = await ask(plane, 'GET / HTTP/1.1');
  assert.deepEqual([refused.status, refused.text], [403, '{"message":"members only"}']);
  assert.deepEqual([refused.header('x-why'), refused.header('x-after')], [['no user', 'at all'], []]);
  const let_in = await ask(plane, 'GET / HTTP/1.1', 'X-User: anna\r\n\r\n');
  assert.equal((JSON.parse(let_in.text) as Echo).headers['x-member'], 'anna');
});

test('bodies of requests and responses', async () => {
  await using upstream = await startEcho();
  await using plane = await startPlane(upstream.port, {
    plugins: [await fixture('upper-case', { suffix: '?' })],
  });
  const { text, header, status } = await ask(plane, 'POST /x HTTP/1.1', 'Content-Length: 6\r\n\r\nhe llo');
  assert.equal(status, 200);
  assert.equal(text.at(-1), '?');
  assert.deepEqual(header('x-length'), [String(text.length - 1)]);
  const echo = JSON.parse(text.slice(0, -1)) as Echo;
  assert.equal(echo.url, '/x?by=me&by=you&changed=yes');
  assert.equal(echo.bodySha256, sha256('HE LLO'));
});

test('each phase, failures, and what is not waited for', async () => {
  await using upstream = await startEcho();
  await using plane = await startPlane(upstream.port, { plugins: [await fixture('phases')] });
  const { status, header } = await ask(plane, 'GET / HTTP/1.1');
  assert.deepEqual([status, header('x-trail')], [201, ['rewrite access response']]);
  const logged = globalThis as { kongPdkLogged?: string };
  await waitFor(() => logged.kongPdkLogged === 'rewrite access', { what: 'the phase log' });
  for (const [fail, expected] of [
    ['throw', 500],
    ['reject', 500],
    ['forget', 201],
  ] as const) {
    const answer = await ask(plane, 'GET / HTTP/1.1', `X-Fail: ${fail}\r\n\r\n`);
    assert.equal(answer.status, expected, fail);
    assert.doesNotMatch(answer.text, /as told|suchThing/);
  }
  assert.equal((await ask(plane, 'GET / HTTP/1.1')).status, 201);
});

/** A call, its arguments, and its value; a pattern for what it rejects with. */
const CALLS: ReadonlyArray<readonly [call: string, args: readonly unknown[], value: unknown]> = [
  ['request.getMethod', [], 'POST'],
  ['request.get_method', [], 'POST'],
  ['request.getScheme', [], 'http'],
  ['request.getHost', [], 'a.test'],
  ['request.getForwardedHost', [], 'a.test'],
  ['request.getForwardedScheme', [], 'http'],
  ['request.getForwardedPath', [], '/a/b'],
  ['request.getForwardedPrefix', [], null],
  ['request.getHttpVersion', [], 1.1],
  ['request.getPath', [], '/a/b'],
  ['request.getRawPath', [], '/a/b'],
  ['request.getPathWithQuery', [], '/a/b?x=1&x=2'],
  ['request.getRawQuery', [], 'x=1&x=2'],
  ['request.getQuery', [100], { x: ['1', '2'] }],
  ['request.getQueryArg', ['x'], '1'],
  ['request.getHeader', ['X-Call'], 'request.getHeader'],
  ['request.getRawBody', [], 'a=1&b=2&b=3'],
  ['request.getBody', [], { a: '1', b: ['2', '3'] }],
  ['request.getUriCaptures', [], { named: {}, unnamed: [] }],
  ['client.getIp', [], '127.0.0.1'],
  ['client.getForwardedIp', [], '127.0.0.1'],
  ['client.getProtocol', [], 'http'],
  ['client.getConsumer', [], null],
  ['client.getCredential', [], null],
  ['client.getConsumerGroups', [], []],
  ['client.loadConsumer', [ANNA], CONSUMER],
  ['client.loadConsumer', ['anna', true], CONSUMER],
  ['client.authenticate', [{ id: ANNA }, { id: 'c' }], null],
  ['client.authenticate', [{ id: 'nobody' }], /no such consumer/],
  ['client.authenticate', [], /a consumer or a credential/],
  ['client.tls.getFullClientCertificateChain', [], null],
  ['ctx.shared.get', ['none'], null],
  ['ip.isTrusted', ['127.0.0.1'], false],
  ['ip.isTrusted', ['10.0.0.1'], /only the address of the connection/],
  ['log', ['a', { b: 1 }], null],
  ['log.err', ['a'], null],
  ['log.setSerializeValue', ['a.b', 1], null],
  ['log.setSerializeValue', ['a.b', 1, { mode: 'add' }], /mode must be 'set'/],
  ['nginx.getSubsystem', [], 'http'],
  ['nginx.setCtx', ['a', 1], null],
  ['nginx.getVar', ['request_method'], 'POST'],
  ['nginx.getVar', ['nothing'], /of nginx's variables there are/],
  ['node.getId', [], 'n-1'],
  ['node.getHostname', [], 'h-1'],
  ['response.setHeader', ['bad name', 'x'], /is not a header name/],
  ['response.setHeaders', [{ a: 'b\n' }], /no header may have/],
  ['response.setHeader', ['a', {}], /must be a string, a number or a boolean/],
  ['response.setStatus', [99], /a whole number from 200 to 599/],
  ['response.error', [200], /a whole number from 400 to 599/],
  ['service.response.getStatus', [], null],
  ['service.response.getRawBody', [], /not there in the phase access/],
  ['service.setTarget', ['h', 0], /whole number from 1 to 65535/],
  ['service.setRetries', [-1], /whole number/],
  ['service.setTimeouts', [1, 2, 0], /read_timeout/],
  ['service.request.enableBuffering', [], /a method `response` only/],
  ['service.request.setScheme', ['ftp'], /'http' or 'https'/],
  ['service.request.setMethod', ['A B'], /not a method/],
  ['service.request.setPath', ['a'], /not a path/],
  ['service.request.setHeader', ['a', 'b\r\nc'], /no header may have/],
  ['service.request.setHeaders', [1], /must be an object/],
  ['service.request.setBody', [{ a: 1 }, 'text/plain'], /is not written/],
  ['vault.get', ['{vault://env/a}'], 'secret of {vault://env/a}'],
  ['vault.isReference', ['{vault://env/a}'], true],
  ['vault.parseReference', ['x'], /Sluice does not have it/],
  [
    'service.setTlsVerify',
    [true],
    /PDK method kong\.service\.set_tls_verify failed: Sluice does not have it: the service says it/,
  ],
  ['no.suchThing', [], /PDK method kong\.no\.such_thing failed: there is no such call/],
  ['request.constructor', [], /no such call/],
];

test('every call answers what it says, or rejects with its name', async () => {
  await using upstream = await startEcho();
  await using plane = await startPlane(upstream.port, {
    entities: ENTITIES,
    plugins: [await fixture('everything')],
  });
  for (const [call, args, value] of CALLS) {
    const body = 'a=1&b=2&b=3';
    const { text, status } = await ask(
      plane,
      'POST /a/b?x=1&x=2 HTTP/1.1',
      `X-Call: ${call}\r\nX-Args: ${JSON.stringify(args).replaceAll(/\\[rn]/g, (c) => `\\${c}`.slice(1))}\r\n` +
        `Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    assert.equal(status, 200, `${call}: ${text}`);
    const answer = JSON.parse(text) as { value?: unknown; name?: string; error?: string };
    if (value instanceof RegExp) {
      assert.equal(answer.name, 'PDKError', `${call}: ${text}`);
      assert.match(answer.error ?? '', value, call);
      assert.match(answer.error ?? '', /^PDK method kong\.[a-z._]+ failed: /, call);
    } else assert.deepEqual(answer.value, value, `${call}: ${text}`);
  }
});
