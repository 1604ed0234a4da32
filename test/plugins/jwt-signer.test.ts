/** jwt-signer through sockets, with an issuer that publishes its keys and an upstream that verifies what it gets. */
import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { test } from 'node:test';
import { importJWK, jwtVerify } from 'jose';
import type { Key } from '../../src/entities/key.ts';
import { Trust } from '../../src/snapshot/trust.ts';
import { startPlane, type PlaneOptions, type TestPlane } from '../support/data-plane.ts';
import { rawRequest } from '../support/raw-client.ts';
import { rsa, token } from '../support/tokens.ts';
import { type Echo, startEcho, startHttpUpstream } from '../support/upstream.ts';

const issuerKey = generateKeyPairSync('rsa', { modulusLength: 2048 });
const nextKey = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ours = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const oursNext = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const now = Math.floor(Date.now() / 1000);

const publicJwk = (key: KeyObject, kid: string): object => ({
  ...key.export({ format: 'jwk' }),
  kid,
  use: 'sig',
});
const keyRow = (id: string, kid: string, key: KeyObject): Key =>
  ({
    id,
    kid,
    set: { id: 'set' },
    name: null,
    jwk: JSON.stringify({ ...key.export({ format: 'jwk' }), kid }),
    pem: null,
  }) as unknown as Key;

const trustOf = (...keys: readonly Key[]): Trust =>
  new Trust(new Map(), new Map(), new Map(), [], new Map([['ours', keys]]));
const TRUST = trustOf(keyRow('k1', 'our-1', ours.privateKey));

const ENTITIES: NonNullable<PlaneOptions['entities']> = [
  {
    kind: 'consumers',
    entity: {
      id: '00000000-0000-4000-8000-00000000000a',
      username: 'anna',
      custom_id: null,
      tags: null,
      created_at: 1,
      updated_at: 1,
    },
  },
];

const signed = (claims: object, kid = 'i1', key = issuerKey.privateKey): string =>
  token({ alg: 'RS256', kid }, { iss: 'issuer', sub: 'anna', exp: now + 600, ...claims }, rsa('sha256', key));

interface World extends AsyncDisposable {
  readonly plane: TestPlane;
  readonly keys: object[];
  asked(): number;
}

async function world(config: object = {}, more: Partial<PlaneOptions> = {}): Promise<World> {
  const keys = [publicJwk(issuerKey.publicKey, 'i1')];
  const issuer = await startHttpUpstream((_request, response) => {
    response.setHeader('Content-Type', 'application/json').end(JSON.stringify({ keys }));
  });
  const upstream = await startEcho();
  const plane = await startPlane(upstream.port, {
    entities: ENTITIES,
    trust: TRUST,
    ...more,
    plugins: [
      {
        name: 'jwt-signer',
        config: {
          access_token_jwks_uri: `${issuer.url}/jwks`,
          access_token_keyset: 'ours',
          access_token_signing_algorithm: 'ES256',
          ...config,
        },
      },
    ],
  });
  return {
    plane,
    keys,
    asked: () => issuer.requests,
    async [Symbol.asyncDispose]() {
      await plane[Symbol.asyncDispose]();
      await upstream[Symbol.asyncDispose]();
      await issuer[Symbol.asyncDispose]();
    },
  };
}

async function ask(plane: TestPlane, ...headers: readonly string[]): Promise<{ status: number; echo: Echo }> {
  const lines = headers.map((line) => `${line}\r\n`).join('');
  const { responses } = await rawRequest(plane.port, `GET / HTTP/1.1\r\nHost: a.test\r\n${lines}\r\n`);
  const text = responses[0]?.text() ?? '';
  return { status: responses[0]?.status ?? 0, echo: (text.startsWith('{') ? JSON.parse(text) : {}) as Echo };
}

const bearer = (text: string): string => `Authorization: Bearer ${text}`;

test('the upstream gets a token of ours with the claims of the one that came', async () => {
  await using here = await world({
    add_claims: { sub: 'not this', gateway: 'sluice' },
    set_claims: { aud: 'upstream' },
    remove_access_token_claims: ['secret'],
    access_token_issuer: 'gateway',
    access_token_upstream_leeway: -60,
    original_access_token_upstream_header: 'X-Original',
  });
  const came = signed({ secret: 'x', aud: 'gateway' });
  for (let round = 0; round < 2; round++) {
    const { status, echo } = await ask(here.plane, bearer(came), 'X-Original: forged');
    assert.equal(status, 200);
    assert.equal(echo.headers['x-original'], came);
    const given = String(echo.headers['authorization']);
    assert.match(given, /^Bearer /);
    const key = await importJWK(ours.publicKey.export({ format: 'jwk' }), 'ES256');
    const { payload, protectedHeader } = await jwtVerify(given.slice(7), key, {
      issuer: 'gateway',
      audience: 'upstream',
    });
    assert.deepEqual(protectedHeader, { typ: 'JWT', alg: 'ES256', kid: 'our-1' });
    assert.deepEqual(payload, {
      iss: 'gateway',
      original_iss: 'issuer',
      sub: 'anna',
      exp: now + 540,
      aud: 'upstream',
      gateway: 'sluice',
    });
  }
  assert.equal(here.asked(), 1);
});

type Case = readonly [what: string, config: object, headers: readonly string[], status: number];
const forged = signed({}, 'i1', nextKey.privateKey);

const CASES: readonly Case[] = [
  ['no token', {}, [], 401],
  ['no token, and none is needed', { access_token_optional: true }, [], 200],
  ['a bad one, and none is needed', { access_token_optional: true }, [bearer(forged)], 401],
  ['two lines', { access_token_optional: true }, ['Authorization: Basic x', bearer(signed({}))], 401],
  ['no JWT', {}, [bearer('opaque')], 401],
  ['another key', {}, [bearer(forged)], 401],
  ['another key, and nobody asks', { verify_access_token_signature: false }, [bearer(forged)], 200],
  ['alg none', {}, [bearer(token({ alg: 'none' }, { exp: now + 60 }, () => Buffer.alloc(0)))], 401],
  [
    'without a name of its key',
    {},
    [bearer(token({ alg: 'RS256' }, { exp: now + 60 }, rsa('sha256', issuerKey.privateKey)))],
    200,
  ],
  [
    'another algorithm than it says',
    {},
    [bearer(token({ alg: 'RS512', kid: 'i1' }, { exp: now + 60 }, rsa('sha256', issuerKey.privateKey)))],
    401,
  ],
  ['over', {}, [bearer(signed({ exp: now - 5 }))], 401],
  ['over, within the leeway', { access_token_leeway: 60 }, [bearer(signed({ exp: now - 5 }))], 200],
  ['over, and nobody asks', { verify_access_token_expiry: false }, [bearer(signed({ exp: now - 5 }))], 200],
  ['without an end', {}, [bearer(signed({ exp: undefined }))], 401],
  ['an end that is a text', {}, [bearer(signed({ exp: '9999999999' }))], 401],
  ['not yet', {}, [bearer(signed({ nbf: now + 60 }))], 401],
  ['in another header', { access_token_request_header: 'X-Token' }, [`X-Token: ${signed({})}`], 200],
  ['no scope', { access_token_scopes_required: ['read'] }, [bearer(signed({}))], 403],
  ['a scope', { access_token_scopes_required: ['read'] }, [bearer(signed({ scope: 'write read' }))], 200],
  [
    'one of two',
    { access_token_scopes_required: ['read', 'write'] },
    [bearer(signed({ scope: 'write' }))],
    200,
  ],
  [
    'both of two',
    { access_token_scopes_required: ['read write'] },
    [bearer(signed({ scope: 'write' }))],
    403,
  ],
  [
    'a list, deep down',
    { access_token_scopes_required: ['a b'], access_token_scopes_claim: ['x', 'y'] },
    [bearer(signed({ x: { y: ['b', 'a'] } }))],
    200,
  ],
  [
    'no scope, and nobody asks',
    { access_token_scopes_required: ['read'], verify_access_token_scopes: false },
    [bearer(signed({}))],
    200,
  ],
  ['a consumer', { access_token_consumer_claim: ['sub'] }, [bearer(signed({}))], 200],
  ['no such consumer', { access_token_consumer_claim: ['sub'] }, [bearer(signed({ sub: 'nobody' }))], 403],
  ['no such claim', { access_token_consumer_claim: ['constructor', 'name'] }, [bearer(signed({}))], 403],
  ['a set without keys', { access_token_keyset: 'theirs' }, [bearer(signed({}))], 500],
  ['no key for the algorithm', { access_token_signing_algorithm: 'RS256' }, [bearer(signed({}))], 500],
];

test('which tokens are taken', async () => {
  for (const [what, config, headers, status] of CASES) {
    await using here = await world(config);
    const answer = await ask(here.plane, ...headers);
    assert.equal(answer.status, status, what);
    const again = await ask(here.plane, ...headers);
    assert.equal(again.status, status, `${what}, again`);
    if (what === 'a consumer') assert.equal(answer.echo.headers['x-consumer-username'], 'anna');
  }
});

test('without a header for the upstream nothing is signed, and the token goes no further', async () => {
  await using here = await world({ access_token_upstream_header: '', access_token_keyset: 'theirs' });
  const { status, echo } = await ask(here.plane, bearer(signed({})));
  assert.deepEqual([status, echo.headers['authorization']], [200, undefined]);
});

test('no spelling of the headers that hold tokens comes from the client', async () => {
  await using here = await world({
    access_token_upstream_header: 'X-Signed',
    original_access_token_upstream_header: 'X-Original-Token',
    access_token_optional: true,
  });
  const { status, echo } = await ask(here.plane, 'X-Signed: x', 'x-original_token: x', 'X_Original_Token: x');
  assert.equal(status, 200);
  assert.deepEqual(
    Object.keys(echo.headers).filter((name) => /signed|original/.test(name)),
    [],
  );
});

test('who shows no token where none is needed is nobody, whatever the client says', async () => {
  const config = { access_token_optional: true, access_token_consumer_claim: ['sub'] };
  await using here = await world(config);
  const { status, echo } = await ask(here.plane, 'X-Consumer-ID: x', 'X_Consumer_Username: anna');
  assert.equal(status, 200);
  assert.deepEqual(
    Object.keys(echo.headers).filter((name) => /consumer/.test(name)),
    [],
  );
});

test('many tokens of keys that nobody knows ask the issuer once', async () => {
  await using here = await world();
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, i) => ask(here.plane, bearer(signed({}, `invented-${i}`)))),
  );
  assert.deepEqual([new Set(answers.map(({ status }) => status)), here.asked()], [new Set([401]), 1]);
});

test('a key of ours that is replaced signs no more, not even what it has signed', async () => {
  await using here = await world();
  const kid = async (): Promise<unknown> => {
    const { echo } = await ask(here.plane, bearer(signed({ n: 1 })));
    const [head = ''] = String(echo.headers['authorization']).slice(7).split('.');
    return (JSON.parse(Buffer.from(head, 'base64url').toString()) as { kid: unknown }).kid;
  };
  assert.deepEqual([await kid(), await kid()], ['our-1', 'our-1']);
  here.plane.serve(trustOf(keyRow('k2', 'our-2', oursNext.privateKey)));
  assert.deepEqual([await kid(), await kid()], ['our-2', 'our-2']);
  here.plane.serve(trustOf());
  assert.equal((await ask(here.plane, bearer(signed({ n: 1 })))).status, 500);
});
