import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { issueIn } from '../../../test/support/pki.ts';
import { freePort } from '../../../test/support/ports.ts';
import { tempDir } from '../../../test/support/temp-dir.ts';
import { pair, startTlsUpstream, type TlsEcho } from '../../../test/support/tls-upstream.ts';
import { type Echo, startEcho, startHttpUpstream, startRawUpstream } from '../../../test/support/upstream.ts';
import { DnsError, type ResolvedAddress, type ResolvedName } from '../../balancer/resolver/resolver.ts';
import { FetchError, type FetchFailure } from '../kit/fetch-error.ts';
import { HttpFetch, type HttpFetchOptions } from './http-fetch.ts';

const folder = await tempDir();
after(() => folder[Symbol.asyncDispose]());
const ca = await issueIn(folder.path, { name: 'ca', by: null, authority: true });
const other = await issueIn(folder.path, { name: 'other', by: null, authority: true });
const server = await issueIn(folder.path, { name: 'server', by: ca, names: 'DNS:a.test,IP:127.0.0.1' });
const client = await issueIn(folder.path, { name: 'client', by: ca });

/** `a.test` and addresses resolve; other names do not. */
function resolver(addresses: ReadonlyArray<Partial<ResolvedAddress>>): HttpFetchOptions['resolver'] {
  const list = addresses.map((one) => ({ ip: '127.0.0.1', port: null, weight: 1, ...one }));
  let at = 0;
  const name: ResolvedName = {
    addresses: list,
    expiresAt: Infinity,
    next: () => list[at++ % list.length] ?? assert.fail(),
  };
  return {
    peek: (host) => (host === '127.0.0.1' || host === 'known.test' ? name : null),
    resolve: (host) =>
      host === 'a.test' ? Promise.resolve(name) : Promise.reject(new DnsError('name_error', 'no such name')),
  };
}

function open(
  addresses: ReadonlyArray<Partial<ResolvedAddress>> = [{}],
  trusted: readonly string[] = [ca.certFile],
): HttpFetch & Disposable {
  const made = new HttpFetch({ resolver: resolver(addresses), trusted });
  return Object.assign(made, { [Symbol.dispose]: () => made.close() });
}

async function failure(promise: Promise<unknown>): Promise<FetchError> {
  const error: unknown = await promise.then(
    () => assert.fail('it was answered'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof FetchError, String(error));
  return error;
}

test('method, path, fields and body arrive; the connection is kept', async () => {
  await using upstream = await startEcho();
  using http = open();
  const url = `http://known.test:${upstream.port}/x/y?q=1`;
  for (let turn = 0; turn < 3; turn++) {
    const answer = await http.fetch(url, {
      method: 'POST',
      headers: { 'X-One': 'a', 'x-two': ['b', 'c'] },
      body: 'hello',
    });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['content-type'], 'application/json');
    const echo = answer.json() as Echo;
    assert.deepEqual([echo.method, echo.url, echo.bodyLength], ['POST', '/x/y?q=1', 5]);
    assert.equal(echo.headers['host'], `known.test:${upstream.port}`);
    assert.equal(echo.headers['x-one'], 'a');
    assert.deepEqual(echo.headers['x-two'], ['b', 'c']);
  }
  assert.equal(upstream.connections, 1);
});

test('a name that the resolver has to look up, an SRV port, and user and password of the URL', async () => {
  await using upstream = await startEcho();
  using http = open([{ port: upstream.port }]);
  const { headers } = (await http.fetch('http://ann:p%20w@a.test/')).json() as Echo;
  assert.equal(headers['host'], 'a.test');
  assert.equal(headers['authorization'], `Basic ${Buffer.from('ann:p w').toString('base64')}`);
});

test('a redirect is answered, and so is every status', async () => {
  await using upstream = await startHttpUpstream((request, response) => {
    response.writeHead(request.url === '/' ? 302 : 500, { location: '/there', 'set-cookie': ['a=1', 'b=2'] });
    response.end('body');
  });
  using http = open();
  const answer = await http.fetch(upstream.url);
  assert.deepEqual([answer.status, answer.headers['location'], answer.text()], [302, '/there', 'body']);
  assert.deepEqual(answer.headers['set-cookie'], ['a=1', 'b=2']);
  assert.equal((await http.fetch(`${upstream.url}/x`)).status, 500);
  assert.equal(upstream.requests, 2);
});

test('a response that is too large is an error, with a length and without', async () => {
  await using upstream = await startHttpUpstream((request, response) => {
    if (request.url === '/long') response.setHeader('content-length', 11);
    response.write('01234');
    response.end('567890');
  });
  using http = open();
  assert.equal((await http.fetch(upstream.url, { maxBytes: 11 })).text(), '01234567890');
  for (const path of ['/', '/long']) {
    const { code } = await failure(http.fetch(`${upstream.url}${path}`, { maxBytes: 10 }));
    assert.equal(code, 'too_large', path);
  }
});

test('time-outs and signals end an exchange at any point', async () => {
  await using upstream = await startHttpUpstream((request, response) => {
    if (request.url === '/body') response.write('half');
  });
  using http = open();
  for (const path of ['/', '/body']) {
    assert.equal((await failure(http.fetch(`${upstream.url}${path}`, { timeoutMs: 50 }))).code, 'timeout');
    const controller = new AbortController();
    const asked = failure(http.fetch(`${upstream.url}${path}`, { signal: controller.signal }));
    setImmediate(() => controller.abort(new Error('enough')));
    const error = await asked;
    assert.deepEqual([error.code, error.message], ['aborted', `${upstream.url}: enough`]);
  }
  assert.equal((await failure(http.fetch(upstream.url, { signal: AbortSignal.abort() }))).code, 'aborted');
  const never = new HttpFetch({
    resolver: { peek: () => null, resolve: () => new Promise(() => {}) },
    trusted: [],
  });
  assert.equal((await failure(never.fetch('http://a.test/', { timeoutMs: 20 }))).code, 'timeout');
});

test('failures are told with the origin only', async () => {
  const dead = await freePort();
  await using raw = await startRawUpstream((peer) =>
    peer.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf'),
  );
  using http = open();
  const cases: ReadonlyArray<readonly [url: string, code: FetchFailure]> = [
    [`http://b.test/secret`, 'name'],
    [`http://127.0.0.1:${dead}/secret?token=secret`, 'connection'],
    [`http://127.0.0.1:${raw.port}/secret`, 'connection'],
  ];
  for (const [url, code] of cases) {
    const error = await failure(http.fetch(url));
    assert.equal(error.code, code, url);
    assert.ok(error.message.startsWith(new URL(url).origin), error.message);
    assert.ok(!error.message.includes('secret'), error.message);
  }
});

test('what is no request is a TypeError', async () => {
  using http = open();
  for (const url of ['', '/x', 'ftp://a.test/', 'file:///etc/passwd']) {
    await assert.rejects(http.fetch(url), TypeError, url);
  }
  await assert.rejects(http.fetch('http://127.0.0.1:1/', { headers: { 'x-a': 'b\r\nc: d' } }), TypeError);
  await assert.rejects(http.fetch('http://127.0.0.1:1/', { method: 'GET /x' }), TypeError);
});

test('the next address is tried where one takes no connection', async () => {
  await using upstream = await startEcho();
  using http = open([{ port: await freePort() }, { port: upstream.port }]);
  for (let turn = 0; turn < 3; turn++) assert.equal((await http.fetch('http://a.test/')).status, 200);
});

test('a kept connection that was closed is replaced, where the request may be sent twice', async () => {
  // The second request on a connection gets no answer.
  await using upstream = await startRawUpstream(async (peer) => {
    await peer.heads(1);
    peer.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    await peer.heads(2);
    peer.reset();
  });
  using http = open();
  const { url } = upstream;
  for (let turn = 0; turn < 4; turn++) assert.equal((await http.fetch(url)).status, 200, `turn ${turn}`);
  assert.equal((await failure(http.fetch(url, { method: 'POST', body: 'x' }))).code, 'connection');
  assert.equal((await http.fetch(url, { method: 'POST' })).status, 200);
  const { status } = await http.fetch(url, { method: 'POST', idempotent: true });
  assert.equal(status, 200);
});

test('certificates are verified by the setting, for the name of the URL, unless the plugin says otherwise', async () => {
  await using upstream = await startTlsUpstream({
    ...pair(server),
    ca: ca.cert,
    requestCert: true,
    rejectUnauthorized: false,
  });
  using http = open();
  const at = (host: string): string => `https://${host}:${upstream.port}/`;
  const good = (await http.fetch(at('a.test'))).json() as TlsEcho;
  assert.deepEqual([good.serverName, good.host, good.client], ['a.test', `a.test:${upstream.port}`, '']);
  assert.equal(((await http.fetch(at('a.test'))).json() as TlsEcho).connection, good.connection);
  assert.equal(((await http.fetch(at('127.0.0.1'))).json() as TlsEcho).serverName, '');
  const wrongName = await failure(http.fetch(at('known.test')));
  assert.match(wrongName.message, /altnames/);
  assert.equal((await http.fetch(at('known.test'), { tlsVerify: false })).status, 200);
  assert.equal((await http.fetch(at('known.test'), { tls: { serverName: 'a.test' } })).status, 200);
  const strangers = await failure(http.fetch(at('a.test'), { tls: { ca: [other.cert] } }));
  assert.match(strangers.message, /issuer certificate|self-signed/);
  const named = await http.fetch(at('a.test'), { tls: { cert: client.cert, key: client.key } });
  assert.equal((named.json() as TlsEcho).client, 'client');
});

test('an authority that is not trusted, or cannot be read, is an error', async () => {
  await using upstream = await startTlsUpstream(pair(server));
  using strict = open([{}], [other.certFile]);
  const url = `https://a.test:${upstream.port}/`;
  assert.equal((await failure(strict.fetch(url))).code, 'connection');
  using missing = open([{}], ['/nonexistent.pem']);
  assert.match((await failure(missing.fetch(url))).message, /ENOENT/);
});
