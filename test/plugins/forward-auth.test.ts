/** forward-auth through sockets; the service that decides is a server of the test's. */
import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { test } from 'node:test';
import { startPlane, type TestPlane } from '../support/data-plane.ts';
import { pluginProblems } from '../support/plugins.ts';
import { freePort } from '../support/ports.ts';
import { rawRequest } from '../support/raw-client.ts';
import type { RawResponse } from '../support/response-reader.ts';
import { type Echo, startEcho, startHttpUpstream, type Upstream } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';

interface Question {
  readonly method: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

interface Service extends Upstream {
  readonly questions: Question[];
}

type Answer = (question: Question, response: ServerResponse) => void | Promise<void>;

async function startService(answer: Answer): Promise<Service> {
  const questions: Question[] = [];
  const upstream = await startHttpUpstream(async (request, response) => {
    let body = '';
    for await (const chunk of request as AsyncIterable<Buffer>) body += chunk.toString('latin1');
    const question = { method: request.method ?? '', headers: request.headers, body };
    questions.push(question);
    await answer(question, response);
  });
  return Object.assign(upstream, { questions });
}

async function ask(plane: TestPlane, headers = '', line = 'GET /a?b=1', body = ''): Promise<RawResponse> {
  const length = body === '' ? '' : `Content-Length: ${body.length}\r\n`;
  const { responses } = await rawRequest(
    plane.port,
    `${line} HTTP/1.1\r\nHost: a.test\r\n${length}${headers}\r\n${body}`,
  );
  assert.ok(responses[0] !== undefined);
  return responses[0];
}

function plugin(config: object): { readonly name: string; readonly config: object }[] {
  return [{ name: 'forward-auth', config }];
}

test('the service is told what it is asked about, and nothing that the client made up', async () => {
  await using upstream = await startEcho();
  await using service = await startService((_, response) => {
    response.writeHead(200, { 'X-User': 'anna', 'X-Other': 'no', 'Set-Cookie': 'a=1' }).end('ignored');
  });
  const config = { url: `${service.url}/verify`, upstream_headers: ['X-User', 'X-Role'] };
  await using plane = await startPlane(upstream.port, { plugins: plugin(config) });
  const forged =
    'X-Forwarded-Uri: /forged\r\nX-Forwarded-Method: PUT\r\nX-Forwarded-Host: forged\r\nX-Forwarded-Prefix: /p\r\n' +
    'X-Forwarded-For: 9.9.9.9\r\nX-Real-IP: 9.9.9.9\r\nForwarded: for=9.9.9.9\r\nX-User: admin\r\nX-Role: root\r\nX_Role: root\r\n';
  const response = await ask(
    plane,
    `${forged}Authorization: Bearer t\r\nContent-Type: text/a\r\n`,
    'DELETE /a?b=1',
  );
  assert.equal(response.status, 200);
  const [question] = service.questions;
  assert.ok(question !== undefined);
  assert.equal(question.method, 'GET');
  const { headers } = question;
  assert.equal(headers.host, `127.0.0.1:${service.port}`);
  assert.equal(headers['x-forwarded-method'], 'DELETE');
  assert.equal(headers['x-forwarded-uri'], '/a?b=1');
  assert.equal(headers['x-forwarded-host'], 'a.test');
  assert.equal(headers['x-forwarded-proto'], 'http');
  assert.equal(headers['x-forwarded-for'], '127.0.0.1');
  assert.equal(headers['x-forwarded-prefix'], undefined);
  assert.equal(headers['x-real-ip'], undefined);
  assert.equal(headers.forwarded, undefined);
  assert.equal(headers.authorization, 'Bearer t');
  assert.equal(headers['content-type'], undefined);
  const echo = JSON.parse(response.text()) as Echo;
  assert.equal(echo.headers['x-user'], 'anna');
  assert.equal(echo.headers['x-role'], undefined);
  assert.equal(echo.headers['x_role'], undefined);
  assert.equal(echo.headers['x-other'], undefined);
  assert.equal(response.header('set-cookie'), undefined);
});

test('the service decides about the path that the upstream is asked for', async () => {
  await using upstream = await startEcho();
  await using service = await startService((_, response) => void response.writeHead(200).end());
  await using plane = await startPlane(upstream.port, { plugins: plugin({ url: service.url }) });
  const paths: ReadonlyArray<readonly [asked: string, path: string]> = [
    ['/public/../admin', '/admin'],
    ['/public/%2e%2e/admin', '/admin'],
    ['/%61dmin', '/admin'],
    ['//admin//x', '/admin/x'],
    ['/a;b/../admin', '/admin'],
    ['/a%2Fb%20c', '/a%2Fb%20c'],
    ['http://a.test/public/../admin', '/admin'],
  ];
  for (const [asked, path] of paths) {
    const response = await ask(plane, '', `GET ${asked}?b=1`);
    assert.equal((JSON.parse(response.text()) as Echo).url, `${path}?b=1`);
    assert.equal(service.questions.at(-1)?.headers['x-forwarded-uri'], `${path}?b=1`, asked);
  }
});

test('what else is configurable: method, headers, body, headers for the client', async () => {
  await using upstream = await startEcho();
  await using service = await startService((_, response) => {
    response.writeHead(200, { 'Set-Cookie': ['a=1', 'b=2'] }).end();
  });
  const config = {
    url: service.url,
    method: 'same',
    request_headers: ['Cookie'],
    downstream_headers: ['Set-Cookie'],
    send_body: true,
    max_body_size: 10,
  };
  await using plane = await startPlane(upstream.port, { plugins: plugin(config) });
  const headers = 'Cookie: x=y\r\nAuthorization: secret\r\n';
  const response = await ask(plane, headers, 'POST /', '0123456789');
  assert.equal(response.status, 200);
  assert.deepEqual(response.all('set-cookie'), ['a=1', 'b=2']);
  assert.equal((JSON.parse(response.text()) as Echo).bodyLength, 10);
  const [question] = service.questions;
  assert.equal(question?.method, 'POST');
  assert.equal(question?.body, '0123456789');
  assert.equal(question?.headers.cookie, 'x=y');
  assert.equal(question?.headers.authorization, undefined);
  const tooLarge = await ask(plane, headers, 'POST /', '0123456789a');
  assert.equal(tooLarge.status, 413);
  assert.equal(service.questions.length, 1);
});

test('a refusal is the client’s answer, with its cookies and its body, and no upstream is asked', async () => {
  await using upstream = await startEcho();
  await using service = await startService(({ headers }, response) => {
    response.writeHead(Number(headers['x-case']), {
      'Content-Type': 'text/x',
      Location: 'https://login.test/?a=1',
      'WWW-Authenticate': 'Bearer realm="r"',
      'Set-Cookie': ['s=1; HttpOnly', 't=2'],
      Connection: 'close',
      'X-Name': Buffer.from('Žofie', 'utf8').toString('latin1'),
    });
    response.end('no entry');
  });
  await using plane = await startPlane(upstream.port, { plugins: plugin({ url: service.url }) });
  for (const status of [302, 303, 400, 401, 403, 407, 418, 429]) {
    const response = await ask(plane, `X-Case: ${status}\r\n`);
    assert.equal(response.status, status);
    assert.equal(response.header('location'), 'https://login.test/?a=1');
    assert.equal(response.header('www-authenticate'), 'Bearer realm="r"');
    assert.deepEqual(response.all('set-cookie'), ['s=1; HttpOnly', 't=2']);
    assert.equal(response.header('content-type'), 'text/x');
    assert.equal(Buffer.from(response.header('x-name') ?? '', 'latin1').toString(), 'Žofie');
    assert.equal(response.text(), 'no entry');
  }
  assert.equal(upstream.requests, 0);
  const few = plugin({ url: service.url, client_headers: ['WWW-Authenticate'] });
  await using other = await startPlane(upstream.port, { plugins: few });
  const response = await ask(other, 'X-Case: 401\r\n');
  assert.equal(response.header('www-authenticate'), 'Bearer realm="r"');
  assert.equal(response.header('set-cookie'), undefined);
});

test('a service that fails lets nobody in, unless that is wanted', async () => {
  await using upstream = await startEcho();
  let hang: ServerResponse | null = null;
  await using service = await startService(({ headers }, response) => {
    if (headers['x-case'] === 'hang') hang = response;
    else if (headers['x-case'] === 'cut') response.socket?.destroy();
    else if (headers['x-case'] === 'huge') response.writeHead(401).end(Buffer.alloc(300_000));
    else response.writeHead(500).end('secret trace');
  });
  const nobody = `http://127.0.0.1:${await freePort()}/`;
  const cases: ReadonlyArray<readonly [url: string, what: string]> = [
    [service.url, 'error'],
    [service.url, 'cut'],
    [service.url, 'hang'],
    [service.url, 'huge'],
    [nobody, 'refused'],
    ['http://name.invalid/', 'no such name'],
  ];
  for (const [url, what] of cases) {
    const timeout = what === 'hang' ? 50 : 10_000;
    await using closed = await startPlane(upstream.port, { plugins: plugin({ url, timeout }) });
    const refused = await ask(closed, `X-Case: ${what}\r\n`);
    assert.equal(refused.status, 503, what);
    assert.doesNotMatch(refused.text(), /secret/);
    const open = { url, timeout, failure_mode: 'allow', upstream_headers: ['X-User'] };
    await using opened = await startPlane(upstream.port, { plugins: plugin(open) });
    const allowed = await ask(opened, `X-Case: ${what}\r\nX-User: forged\r\n`);
    assert.equal(allowed.status, 200, what);
    assert.equal((JSON.parse(allowed.text()) as Echo).headers['x-user'], undefined, what);
  }
  assert.notEqual(hang, null);
});

test('a permission is kept by the headers that were chosen; a refusal and a request without them are not', async () => {
  await using upstream = await startEcho();
  await using service = await startService(({ headers }, response) => {
    response.writeHead(headers.authorization === 'no' ? 401 : 200, { 'X-User': 'anna' }).end();
  });
  const config = {
    url: service.url,
    upstream_headers: ['X-User'],
    cache_headers: ['Authorization'],
    cache_ttl: 600,
  };
  await using plane = await startPlane(upstream.port, { plugins: plugin(config) });
  const table: ReadonlyArray<readonly [headers: string, line: string, asked: number]> = [
    ['Authorization: a\r\n', 'GET /', 1],
    ['Authorization: a\r\n', 'GET /', 0],
    ['Authorization: b\r\n', 'GET /', 1],
    ['Authorization: a\r\n', 'GET /other', 1],
    ['Authorization: a\r\n', 'GET /?x', 1],
    ['Authorization: a\r\n', 'POST /', 1],
    ['Authorization: a\r\nAuthorization: b\r\n', 'GET /', 1],
    ['Authorization: no\r\n', 'GET /', 1],
    ['Authorization: no\r\n', 'GET /', 1],
    ['', 'GET /', 1],
    ['', 'GET /', 1],
  ];
  for (const [headers, line, asked] of table) {
    const before = service.questions.length;
    const response = await ask(plane, headers, line);
    assert.equal(service.questions.length - before, asked, `${headers} ${line}`);
    if (response.status === 200)
      assert.equal((JSON.parse(response.text()) as Echo).headers['x-user'], 'anna');
  }
  await using any = await startPlane(upstream.port, { plugins: plugin({ ...config, cache_by_url: false }) });
  const before = service.questions.length;
  for (const line of ['GET /', 'GET /other', 'POST /?x']) await ask(any, 'Authorization: a\r\n', line);
  assert.equal(service.questions.length - before, 1);
});

test('requests of the same credentials wait for one answer', async () => {
  await using upstream = await startEcho();
  const held: ServerResponse[] = [];
  await using service = await startService((_, response) => void held.push(response));
  const config = { url: service.url, cache_headers: ['Authorization'], cache_ttl: 600 };
  await using plane = await startPlane(upstream.port, { plugins: plugin(config) });
  const asking = Array.from({ length: 20 }, () => ask(plane, 'Authorization: a\r\n', 'GET /'));
  const other = ask(plane, 'Authorization: b\r\n', 'GET /');
  await waitFor(() => held.length === 2, { what: 'both questions' });
  for (const response of held) response.writeHead(200).end();
  for (const response of await Promise.all([...asking, other])) assert.equal(response.status, 200);
  assert.equal(service.questions.length, 2);
});

test('a service behind the gateway itself is a loop, and told as one', async () => {
  await using upstream = await startEcho();
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/verify`;
  await using plane = await startPlane(upstream.port, {
    settings: { proxy_listen: `127.0.0.1:${port}` },
    plugins: plugin({ url, client_headers: [] }),
  });
  const response = await ask(plane);
  assert.equal(response.status, 503);
  assert.equal(upstream.requests, 0);
});

test('configurations that make no sense are refused', () => {
  const url = 'http://a.test/';
  const table: ReadonlyArray<readonly [config: object, problem: RegExp]> = [
    [{}, /required/],
    [{ url: 'ftp://a.test' }, /must begin with http/],
    [{ url: 'http://u:p@a.test' }, /no user/],
    [{ url, cache_ttl: 5 }, /needs 'cache_headers'/],
    [{ url, cache_ttl: 5, cache_headers: ['a'], send_body: true }, /cannot be used together/],
    [{ url, request_headers: ['a b'] }, /bad header name/],
    [{ url, uri: 'x' }, /unknown field/],
  ];
  for (const [config, problem] of table) {
    assert.match(pluginProblems({ name: 'forward-auth', config }), problem, JSON.stringify(config));
  }
});
