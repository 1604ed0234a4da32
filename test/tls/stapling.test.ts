/** OCSP stapling against OpenSSL's own responder and client. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect } from 'node:tls';
import { promisify } from 'node:util';
import { type Pair, issue, makeAuthority } from '../support/authority.ts';
import { startPlane } from '../support/data-plane.ts';
import { freePort } from '../support/ports.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait.ts';
import { entityOf, trustOf } from './support.ts';

const run = promisify(execFile);

interface Responder extends AsyncDisposable {
  readonly port: number;
  readonly asked: Buffer[];
  /** Answers that have been sent. */
  answered: number;
  /** Makes the answer to a request. */
  answer: (request: Buffer) => Promise<Buffer | number>;
}

async function startResponder(): Promise<Responder> {
  const server: Server = createServer(async (request, response) => {
    const body = Buffer.concat((await request.toArray()) as Buffer[]);
    responder.asked.push(body);
    const answer = await responder.answer(body);
    if (typeof answer === 'number') response.writeHead(answer).end();
    else response.end(answer);
    responder.answered++;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const responder: Responder = {
    port,
    asked: [],
    answered: 0,
    answer: () => Promise.resolve(500),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await server[Symbol.asyncDispose]();
    },
  };
  return responder;
}

/** What OpenSSL's responder says to a request of ours, of certificates with these marks in its index. */
function opensslSays(folder: string, authority: Pair, marks: ReadonlyMap<string, 'V' | 'R'>) {
  return async (request: Buffer): Promise<Buffer> => {
    const file = (name: string): string => join(folder, name);
    await writeFile(file('request.der'), request);
    const lines = [...marks].map(([serial, mark]) =>
      [mark, '401231235959Z', mark === 'R' ? '250101000000Z' : '', serial, 'unknown', `/CN=${serial}`].join(
        '\t',
      ),
    );
    await writeFile(file('index.txt'), `${lines.join('\n')}\n`);
    const ca = ['-CA', authority.cert, '-rsigner', authority.cert, '-rkey', authority.key, '-ndays', '1'];
    const files = [
      '-index',
      file('index.txt'),
      '-reqin',
      file('request.der'),
      '-respout',
      file('response.der'),
    ];
    await run('openssl', ['ocsp', ...files, ...ca]);
    return await readFile(file('response.der'));
  };
}

async function serialOf({ cert }: Pair): Promise<string> {
  const { stdout } = await run('openssl', ['x509', '-in', cert, '-noout', '-serial']);
  return stdout.trim().slice('serial='.length);
}

/** The response that came with a handshake, or null. */
async function stapleFor(port: number, servername: string): Promise<Buffer | null> {
  const socket = connect({
    port,
    host: '127.0.0.1',
    servername,
    rejectUnauthorized: false,
    requestOCSP: true,
  });
  let staple: Buffer | null = null;
  socket.on('OCSPResponse', (response: Buffer | null) => (staple = response));
  await once(socket, 'secureConnect');
  socket.end().resume();
  await once(socket, 'close');
  return staple;
}

async function withChain(pair: Pair, authority: Pair): Promise<Pair> {
  await writeFile(pair.cert, `${await readFile(pair.cert, 'utf8')}${await readFile(authority.cert, 'utf8')}`);
  return pair;
}

test('what certificates say of OCSP is fetched ahead, stapled, and no handshake waits for it', async () => {
  await using folder = await tempDir();
  await using responder = await startResponder();
  const authority = await makeAuthority(folder.path, 'ca');
  const place = `authorityInfoAccess=OCSP;URI:http://127.0.0.1:${responder.port}/ocsp`;
  const demand = 'tlsfeature=status_request';
  const named = async (name: string, extensions: readonly string[]): Promise<Pair> =>
    await withChain(await issue(folder.path, authority, name, `DNS:${name}.test`, { extensions }), authority);
  const must = await named('must', [place, demand]);
  const may = await named('may', [place]);
  const gone = await named('gone', [place, demand]);
  const marks = new Map<string, 'V' | 'R'>([
    [await serialOf(must), 'V'],
    [await serialOf(may), 'V'],
    [await serialOf(gone), 'R'],
  ]);
  const says = opensslSays(folder.path, authority, marks);
  const settings = { proxy_listen: `127.0.0.1:${await freePort()} ssl` };
  const trust = trustOf({
    'must.test': await entityOf(must),
    'may.test': await entityOf(may),
    'gone.test': await entityOf(gone),
  });
  await using plane = await startPlane(1, { settings, trust });

  const { promise, resolve } = Promise.withResolvers<void>();
  responder.answer = async (request) => {
    await promise;
    return await says(request);
  };
  assert.equal(await stapleFor(plane.port, 'must.test'), null);
  resolve();
  const staple = await waitFor(() => stapleFor(plane.port, 'must.test'), { what: 'the staple' });
  await writeFile(join(folder.path, 'staple.der'), staple);
  const chain = ['-issuer', authority.cert, '-cert', must.cert, '-CAfile', authority.cert];
  const judged = await run('openssl', ['ocsp', '-respin', join(folder.path, 'staple.der'), ...chain]);
  assert.match(`${judged.stdout}${judged.stderr}`, /must-ec\.crt: good/);

  assert.equal(await stapleFor(plane.port, 'may.test'), null);
  assert.equal(await stapleFor(plane.port, 'gone.test'), null);
  await waitFor(() => responder.answered === 2, { what: 'the state of the revoked one' });
  assert.equal(await stapleFor(plane.port, 'gone.test'), null);
  assert.deepEqual(responder.asked.length, 2);
});

test('ssl_stapling asks for the default certificate before anybody connects', async () => {
  await using folder = await tempDir();
  await using responder = await startResponder();
  const authority = await makeAuthority(folder.path, 'ca');
  const extensions = [`authorityInfoAccess=OCSP;URI:http://127.0.0.1:${responder.port}`];
  const pair = await withChain(
    await issue(folder.path, authority, 'own', 'DNS:own.test', { extensions }),
    authority,
  );
  const marks = new Map<string, 'V' | 'R'>([[await serialOf(pair), 'V']]);
  responder.answer = opensslSays(folder.path, authority, marks);
  const settings = {
    proxy_listen: `127.0.0.1:${await freePort()} ssl`,
    nginx_http_ssl_stapling: 'on',
    ssl_cert: pair.cert,
    ssl_cert_key: pair.key,
  };
  await using plane = await startPlane(1, { settings });
  await waitFor(() => responder.asked.length === 1, { what: 'the responder to be asked' });
  assert.ok(await waitFor(() => stapleFor(plane.port, 'any.test'), { what: 'the staple' }));
});
