/**
 * Tokens, signatures and client certificates on whole gateways: what the Admin API takes away no worker lets in any more,
 * keys are published, and clients are asked for certificates from the moment that a route needs them.
 */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { issue, makeAuthority } from '../support/authority.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { freePort } from '../support/ports.ts';
import { connectRaw, type RawConnection } from '../support/raw-client.ts';
import { tempDir } from '../support/temp-dir.ts';
import { hmac, rsa, token } from '../support/tokens.ts';
import { startEcho } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';
import { request, shake } from '../tls/support.ts';

const WORKERS = 4;
/** So many that each worker has some. */
const CONNECTIONS = 40;

type Json = Readonly<Record<string, unknown>>;

async function admin(gateway: Gateway, method: string, path: string, body?: object): Promise<Json> {
  const response = await fetch(gateway.adminUrl + path, {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  const text = await response.text();
  assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`);
  return text === '' ? {} : (JSON.parse(text) as Json);
}

async function start(
  upstreamPort: number,
  plugins: readonly string[],
  settings: Json = {},
): Promise<Gateway> {
  const gateway = await startGateway({
    settings: { database: 'sqlite', nginx_worker_processes: WORKERS, ...settings },
  });
  await admin(gateway, 'POST', '/services', { name: 's', url: `http://127.0.0.1:${upstreamPort}` });
  for (const name of ['jwt', 'hmac-auth', 'mtls-auth']) {
    await admin(gateway, 'POST', '/services/s/routes', { name, paths: [`/${name}`] });
    if (plugins.includes(name)) await admin(gateway, 'POST', `/routes/${name}/plugins`, { name });
  }
  await admin(gateway, 'POST', '/consumers', { username: 'anna' });
  return gateway;
}

/** Statuses that all connections get, each once. Each stays with its worker. */
async function statuses(
  connections: readonly RawConnection[],
  path: string,
  lines: readonly string[],
): Promise<number[]> {
  const found = await Promise.all(
    connections.map(async (connection) => {
      connection.write(`GET ${path} HTTP/1.1\r\nHost: a.test\r\n${lines.join('\r\n')}\r\n\r\n`);
      return (await connection.readResponse()).status;
    }),
  );
  return [...new Set(found)];
}

const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
const RS = token({ alg: 'RS256' }, { iss: 'rs' }, rsa('sha256', pair.privateKey));
const HS = token({ alg: 'HS256' }, { iss: 'hs' }, hmac('sha256', 's3cret'));
const bearer = (text: string): readonly string[] => [`Authorization: Bearer ${text}`];

function signature(secret: string): readonly string[] {
  const date = new Date().toUTCString();
  const value = hmac('sha256', secret)(`date: ${date}`).toString('base64');
  return [
    `Date: ${date}`,
    `Authorization: hmac username="bob", algorithm="hmac-sha256", headers="date", signature="${value}"`,
  ];
}

test('a credential that was revoked or changed ends on every worker, and so do tokens that were verified', async () => {
  await using upstream = await startEcho();
  await using gateway = await start(upstream.port, ['jwt', 'hmac-auth']);
  const connections = await Promise.all(
    Array.from({ length: CONNECTIONS }, () => connectRaw(gateway.proxyPort)),
  );
  const expect = async (path: string, lines: readonly string[], status: number): Promise<void> =>
    assert.deepEqual(await statuses(connections, path, lines), [status], `${path} ${lines.join()}`);
  const publicKey = pair.publicKey.export({ type: 'spki', format: 'pem' });
  for (let round = 0; round < 3; round++) {
    const rs = { key: 'rs', algorithm: 'RS256', rsa_public_key: publicKey };
    const credential = await admin(gateway, 'POST', '/consumers/anna/jwt', rs);
    for (let again = 0; again < 2; again++) await expect('/jwt', bearer(RS), 200);
    await admin(gateway, 'DELETE', `/consumers/anna/jwt/${String(credential['id'])}`);
    await expect('/jwt', bearer(RS), 401);
  }
  const { id } = await admin(gateway, 'POST', '/consumers/anna/jwt', { key: 'hs', secret: 's3cret' });
  await expect('/jwt', bearer(HS), 200);
  await admin(gateway, 'PATCH', `/consumers/anna/jwt/${String(id)}`, { secret: 'other' });
  await expect('/jwt', bearer(HS), 401);
  await admin(gateway, 'PATCH', `/consumers/anna/jwt/${String(id)}`, { secret: 's3cret' });
  await expect('/jwt', bearer(HS), 200);
  const bob = await admin(gateway, 'POST', '/consumers/anna/hmac-auth', { username: 'bob', secret: 'one' });
  await expect('/hmac-auth', signature('one'), 200);
  await admin(gateway, 'PATCH', `/consumers/anna/hmac-auth/${String(bob['id'])}`, { secret: 'two' });
  await expect('/hmac-auth', signature('one'), 401);
  await expect('/hmac-auth', signature('two'), 200);
  await admin(gateway, 'DELETE', '/consumers/anna');
  await expect('/hmac-auth', signature('two'), 401);
  await expect('/jwt', bearer(HS), 401);
  await Promise.all(connections.map((connection) => connection[Symbol.asyncDispose]()));
});

test('the public keys of a set are published, and nothing of the private ones', async () => {
  await using gateway = await startGateway({ settings: { database: 'sqlite' } });
  const set = { id: (await admin(gateway, 'POST', '/key-sets', { name: 'ours' }))['id'] };
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = JSON.stringify({ ...ec.privateKey.export({ format: 'jwk' }), kid: 'a', alg: 'ES256' });
  const pem = { private_key: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }) };
  const oct = JSON.stringify({ kty: 'oct', k: 'c2VjcmV0', kid: 'c' });
  await admin(gateway, 'POST', '/keys', { kid: 'a', set, jwk });
  await admin(gateway, 'POST', '/keys', { kid: 'b', set, pem });
  await admin(gateway, 'POST', '/keys', { kid: 'c', set, jwk: oct });
  await admin(gateway, 'POST', '/keys', { kid: 'd', jwk: jwk.replace('"kid":"a"', '"kid":"d"') });
  const { keys } = (await admin(gateway, 'GET', '/jwt-signer/jwks/ours')) as { keys: Json[] };
  keys.sort((one, other) => String(one['kid']).localeCompare(String(other['kid'])));
  assert.deepEqual(keys, [
    { ...ec.publicKey.export({ format: 'jwk' }), kid: 'a', use: 'sig', alg: 'ES256' },
    { ...pair.publicKey.export({ format: 'jwk' }), kid: 'b', use: 'sig' },
  ]);
  assert.equal((await fetch(`${gateway.adminUrl}/jwt-signer/jwks/theirs`)).status, 404);
});

test('clients are asked for certificates from the moment that a route needs them, for as long', async () => {
  await using folder = await tempDir();
  const root = await makeAuthority(folder.path, 'root');
  const anna = await issue(folder.path, root, 'anna', 'DNS:none.test');
  const client = {
    cert: await readFile(anna.cert),
    key: await readFile(anna.key),
    rejectUnauthorized: false,
  };
  await using upstream = await startEcho();
  const port = await freePort();
  await using gateway = await start(upstream.port, [], {
    proxy_listen: `127.0.0.1:${port} ssl`,
    nginx_worker_processes: 2,
  });
  const ask = async (): Promise<string> => {
    const { text } = await request(await shake(port, client), 'localhost');
    return (
      /"message":\s*"([^"]+)"/.exec(text)?.[1] ?? /"x-consumer-username":\s*"(\w+)"/.exec(text)?.[1] ?? 'open'
    );
  };
  const everyWorker = async (answer: string): Promise<void> => {
    await waitFor(async () => new Set(await Promise.all(Array.from({ length: 16 }, ask))).size === 1);
    assert.equal(await ask(), answer);
  };
  await admin(gateway, 'PATCH', '/routes/mtls-auth', { paths: ['/'] });
  await everyWorker('open');
  const { id } = await admin(gateway, 'POST', '/ca_certificates', {
    cert: await readFile(root.cert, 'utf8'),
  });
  const config = { ca_certificates: [id], send_ca_dn: true };
  const plugin = await admin(gateway, 'POST', '/routes/mtls-auth/plugins', { name: 'mtls-auth', config });
  await everyWorker('anna');
  await admin(gateway, 'DELETE', '/consumers/anna');
  await everyWorker('TLS certificate failed verification');
  await admin(gateway, 'DELETE', `/plugins/${String(plugin['id'])}`);
  await everyWorker('open');
});
