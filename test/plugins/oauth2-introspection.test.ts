/** oauth2-introspection through sockets. Facts: Kong Enterprise's documentation of the plugin, RFC 7662. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startPlane, type PlaneOptions, type TestPlane } from '../support/data-plane.ts';
import { rawRequest } from '../support/raw-client.ts';
import { startEcho, startHttpUpstream, type Upstream } from '../support/upstream.ts';
import { answerBody, type AnswerBody } from './support/body.ts';

const ANNA = '00000000-0000-4000-8000-00000000000a';
const ENTITIES: NonNullable<PlaneOptions['entities']> = [
  {
    kind: 'consumers',
    entity: { id: ANNA, username: 'anna', custom_id: 'app', tags: null, created_at: 1, updated_at: 1 },
  },
];

interface Asked {
  readonly body: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

interface Server extends Upstream {
  readonly asked: Asked[];
}

/** What it says of each token. */
async function startServer(tokens: Readonly<Record<string, unknown>>): Promise<Server> {
  const asked: Asked[] = [];
  const upstream = await startHttpUpstream((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => void (body += text));
    request.on('end', () => {
      asked.push({ body, headers: request.headers });
      const answer = tokens[new URLSearchParams(body).get('token') ?? ''] ?? { active: false };
      if (typeof answer === 'number') response.writeHead(answer).end('{}');
      else response.end(typeof answer === 'string' ? answer : JSON.stringify(answer));
    });
  });
  return Object.assign(upstream, { asked });
}

const now = Math.floor(Date.now() / 1000);
const GOOD = {
  active: true,
  scope: 'a b',
  client_id: 'app',
  username: 'anna',
  token_type: 'Bearer',
  exp: now + 3600,
  iat: now,
  sub: 'é\r\nX: y',
  aud: ['x', 'y'],
  iss: 'https://id.test',
  jti: 'j',
  tenant: { name: 't' },
};
const TOKENS = {
  good: GOOD,
  stranger: { active: true, username: 'who', client_id: 'who' },
  nobody: { active: true },
  over: { ...GOOD, exp: now - 1 },
  early: { ...GOOD, nbf: now + 60 },
  text: { ...GOOD, active: 'true' },
  broken: '{"active":',
  list: [],
  failing: 503,
  unauthorized: 401,
};

function plane(server: Upstream, upstream: Upstream, config: object = {}): Promise<TestPlane> {
  const introspection_url = `http://127.0.0.1:${server.port}/introspect`;
  const base = { introspection_url, authorization_value: 'Basic Z3c6eA==' };
  return startPlane(upstream.port, {
    entities: ENTITIES,
    plugins: [{ name: 'oauth2-introspection', config: { ...base, ...config } }],
  });
}

interface Answer {
  readonly status: number;
  readonly body: AnswerBody;
  readonly told: string | undefined;
}

async function send({ port }: TestPlane, request: string): Promise<Answer> {
  const { responses } = await rawRequest(port, request);
  const text = responses[0]?.text() ?? '';
  return {
    status: responses[0]?.status ?? 0,
    body: answerBody(text),
    told: responses[0]?.header('www-authenticate'),
  };
}

const get = (to: TestPlane, headers: string, target = '/x', method = 'GET'): Promise<Answer> =>
  send(to, `${method} ${target} HTTP/1.1\r\nHost: a\r\n${headers}\r\n`);
const bearer = (token: string): string => `Authorization: Bearer ${token}\r\n`;

test('who is let in, and what the upstream is told', async () => {
  await using upstream = await startEcho();
  await using server = await startServer(TOKENS);
  await using gateway = await plane(server, upstream, {
    custom_claims_forward: ['tenant'],
    custom_introspection_headers: { 'X-From': 'gateway' },
    token_type_hint: 'access_token',
  });
  const spoofed = 'X-Credential-Nbf: 1\r\nX_Credential_Sub: me\r\nX-Consumer-ID: me\r\n';
  const { status, body } = await get(gateway, bearer('good') + spoofed);
  assert.equal(status, 200);
  const seen = Object.entries(body.headers).filter(([name]) => /^x.(?:credential|consumer)/.test(name));
  assert.deepEqual(Object.fromEntries(seen), {
    'x-consumer-id': ANNA,
    'x-consumer-username': 'anna',
    'x-consumer-custom-id': 'app',
    'x-credential-identifier': 'anna',
    'x-credential-scope': 'a b',
    'x-credential-client-id': 'app',
    'x-credential-token-type': 'Bearer',
    'x-credential-exp': String(GOOD.exp),
    'x-credential-iat': String(GOOD.iat),
    'x-credential-sub': Buffer.from('é%0D%0AX: y').toString('latin1'),
    'x-credential-aud': 'x, y',
    'x-credential-iss': 'https://id.test',
    'x-credential-jti': 'j',
    'x-credential-tenant': '{"name":"t"}',
  });
  const [asked] = server.asked;
  assert.equal(asked?.body, 'token=good&token_type_hint=access_token');
  assert.equal(asked?.headers['authorization'], 'Basic Z3c6eA==');
  assert.equal(asked?.headers['x-from'], 'gateway');
  assert.equal(asked?.headers['x-request-path'], undefined);
  assert.equal((await get(gateway, bearer('stranger'))).body.headers['x-consumer-id'], undefined);
  assert.equal((await get(gateway, bearer('nobody'))).status, 200);
  assert.equal((await get(gateway, '', '/?access_token=good')).status, 200);
});

test('who is not', async () => {
  await using upstream = await startEcho();
  await using server = await startServer(TOKENS);
  await using gateway = await plane(server, upstream);
  const missing = ['invalid_request', 'Bearer realm="service"'];
  const description = 'The access token is invalid or has expired';
  const told = `Bearer realm="service" error="invalid_token" error_description="${description}"`;
  const invalid = ['invalid_token', told];
  const cases: ReadonlyArray<readonly [headers: string, target: string, answer: readonly unknown[]]> = [
    ['', '/', missing],
    ['Authorization: Basic YTpi\r\n', '/', missing],
    ['Authorization: Bearer\r\n', '/', missing],
    ['Authorization: Bearer good x\r\n', '/', missing],
    ['', '/?access_token=good&access_token=good', missing],
    [bearer('unknown'), '/', invalid],
    [bearer('over'), '/', invalid],
    [bearer('early'), '/', invalid],
    [bearer('text'), '/', invalid],
    [bearer('x'.repeat(6000)), '/', invalid],
    [bearer('\xff\xfe'), '/', invalid],
  ];
  for (const [headers, target, answer] of cases) {
    const { status, body, told: header } = await get(gateway, headers, target);
    assert.deepEqual([status, body.error, header], [401, ...answer], headers + target);
  }
  for (const token of ['broken', 'list', 'failing', 'unauthorized']) {
    assert.equal((await get(gateway, bearer(token))).status, 500, token);
  }
  assert.equal(upstream.requests, 0);
});

test('of two tokens in two lines the upstream might believe the other one', async () => {
  await using upstream = await startEcho();
  await using server = await startServer(TOKENS);
  await using gateway = await plane(server, upstream);
  assert.equal((await get(gateway, bearer('good') + bearer('other'))).status, 401);
  assert.equal(upstream.requests, 0);
});

test('answers are kept, and asked for once at a time; with the request, for each request', async () => {
  await using upstream = await startEcho();
  await using server = await startServer(TOKENS);
  await using gateway = await plane(server, upstream);
  await Promise.all(Array.from({ length: 20 }, () => get(gateway, bearer('good'))));
  await Promise.all(Array.from({ length: 20 }, () => get(gateway, bearer('bad'))));
  assert.equal(server.asked.length, 2);
  // A fault is not kept.
  await get(gateway, bearer('failing'));
  await get(gateway, bearer('failing'));
  assert.equal(server.asked.length, 4);
  await using telling = await plane(server, upstream, { introspect_request: true });
  for (const [method, path] of [
    ['GET', '/a'],
    ['GET', '/a'],
    ['PUT', '/a'],
    ['GET', '/b'],
    ['GET', '/b%0D%0AX-Scope:%20all%C3%A9'],
  ] as const) {
    await get(telling, bearer('good'), path, method);
  }
  const told = server.asked
    .slice(4)
    .map(({ headers }) => [headers['x-request-http-method'], headers['x-request-path']]);
  assert.deepEqual(told, [
    ['GET', '/a'],
    ['PUT', '/a'],
    ['GET', '/b'],
    ['GET', '/b%0D%0AX-Scope:%20all%C3%A9'],
  ]);
});

test('consumer_by, hide_credentials, run_on_preflight, anonymous, a server that is away', async () => {
  await using upstream = await startEcho();
  await using server = await startServer(TOKENS);
  await using gateway = await plane(server, upstream, {
    consumer_by: 'client_id',
    hide_credentials: true,
    run_on_preflight: false,
    anonymous: 'anna',
  });
  const known = await get(gateway, bearer('good'));
  assert.equal(known.body.headers['x-consumer-id'], ANNA);
  assert.equal(known.body.headers.authorization, undefined);
  const query = await get(gateway, '', '/?a=1&access_token=good');
  assert.equal(query.body.url, '/?a=1');
  const preflight = await get(gateway, '', '/', 'OPTIONS');
  assert.equal(preflight.status, 200);
  assert.equal(preflight.body.headers['x-anonymous-consumer'], undefined);
  const nobody = await get(gateway, bearer('bad') + 'X-Credential-Sub: me\r\n');
  assert.equal(nobody.body.headers['x-anonymous-consumer'], 'true');
  assert.equal(nobody.body.headers['x-credential-sub'], undefined);
  // A fault is no reason to be anonymous.
  assert.equal((await get(gateway, bearer('failing'))).status, 500);
});
