/** openid-connect: how the gateway proves itself to a real provider, and whom tokens are for. */
import assert from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { TLSSocket } from 'node:tls';
import { test } from 'node:test';
import { importJWK, type JWK as JoseKey, SignJWT } from 'jose';
import type { Certificate } from '../../../src/entities/certificate.ts';
import { Trust } from '../../../src/snapshot/trust.ts';
import { issue, makeAuthority } from '../../support/authority.ts';
import { Browser } from '../../support/browser.ts';
import { pluginEntity, pluginProblems } from '../../support/plugins.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { echoOf, logIn, SECRET, type Stage, startStage } from './support.ts';

const CERTIFICATE = '00000000-0000-4000-8000-0000000000d1';

function keyPair(alg: 'RS256' | 'PS256' | 'ES256' | 'EdDSA'): { own: object; theirs: object } {
  const { privateKey, publicKey } =
    alg === 'ES256'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : alg === 'EdDSA'
        ? generateKeyPairSync('ed25519')
        : generateKeyPairSync('rsa', { modulusLength: 2048 });
  const named = { kid: `key-${alg}`, alg, use: 'sig' };
  return {
    own: { ...privateKey.export({ format: 'jwk' }), ...named },
    theirs: { ...publicKey.export({ format: 'jwk' }), ...named },
  };
}

test('secrets and keys: the provider takes what is right, and nothing else', async () => {
  const secret = { client_secret: [SECRET] };
  for (const way of ['client_secret_basic', 'client_secret_post', 'client_secret_jwt'] as const) {
    for (const [client_secret, status] of [
      [SECRET, 200],
      ['another-secret-that-is-long-enough-too', 401],
    ] as const) {
      await using stage = await startStage({
        config: { ...secret, client_auth: [way], client_secret: [client_secret] },
        client: { token_endpoint_auth_method: way },
      });
      assert.equal((await logIn(new Browser(), `${stage.origin}/`)).status, status, way);
    }
  }
  for (const alg of ['RS256', 'PS256', 'ES256', 'EdDSA'] as const) {
    const { own, theirs } = keyPair(alg);
    const other = keyPair(alg).own;
    for (const [key, status] of [
      [own, 200],
      [other, 401],
    ] as const) {
      await using stage = await startStage({
        config: {
          client_auth: ['private_key_jwt'],
          client_jwk: [key],
          client_secret: null,
          session_secret: 's',
        },
        client: {
          token_endpoint_auth_method: 'private_key_jwt',
          token_endpoint_auth_signing_alg: alg,
          client_secret: undefined,
          jwks: { keys: [theirs] },
        },
      });
      assert.equal((await logIn(new Browser(), `${stage.origin}/`)).status, status, alg);
    }
  }
});

test('a certificate is shown to the endpoints that want one, and another is refused', async () => {
  await using folder = await tempDir();
  const authority = await makeAuthority(folder.path, 'root');
  const server = await issue(folder.path, authority, 'server', 'DNS:localhost');
  const tls = { cert: await readFile(server.cert, 'utf8'), key: await readFile(server.key, 'utf8') };
  for (const [way, name, status] of [
    ['tls_client_auth', 'gateway', 200],
    ['tls_client_auth', 'stranger', 401],
    ['self_signed_tls_client_auth', 'gateway', 200],
    ['self_signed_tls_client_auth', 'stranger', 401],
  ] as const) {
    const known = await issue(folder.path, authority, 'gateway', 'DNS:gateway');
    const shown = name === 'gateway' ? known : await issue(folder.path, authority, name, 'DNS:x');
    const certificate = { id: CERTIFICATE, cert: await readFile(shown.cert, 'utf8') };
    const whole = { ...certificate, key: await readFile(shown.key, 'utf8') } as unknown as Certificate;
    const x509 = new X509Certificate(await readFile(known.cert));
    const jwk = { ...x509.publicKey.export({ format: 'jwk' }), x5c: [x509.raw.toString('base64')] };
    await using stage = await startStage({
      trust: new Trust(new Map([[CERTIFICATE, whole]]), new Map(), new Map()),
      config: {
        client_auth: [way],
        client_secret: null,
        session_secret: 's',
        tls_client_auth_cert_id: CERTIFICATE,
        ssl_verify: false,
      },
      client: {
        token_endpoint_auth_method: way,
        client_secret: undefined,
        ...(way === 'tls_client_auth'
          ? { tls_client_auth_subject_dn: 'CN=gateway' }
          : { jwks: { keys: [jwk] } }),
      },
      provider: { tls, configuration: MUTUAL },
    });
    const browser = new Browser();
    const page = await logIn(browser, `${stage.origin}/`);
    assert.equal(page.status, status, `${way} ${name} ${page.url.href} ${page.body}`);
  }
});

const shownTo = (ctx: { readonly req: { readonly socket: unknown } }): X509Certificate | undefined =>
  (ctx.req.socket as TLSSocket).getPeerX509Certificate();

const MUTUAL = {
  clientAuthMethods: ['client_secret_basic', 'tls_client_auth', 'self_signed_tls_client_auth'],
  features: {
    clientCredentials: { enabled: true },
    mTLS: {
      enabled: true,
      tlsClientAuth: true,
      selfSignedTlsClientAuth: true,
      getCertificate: (ctx: never) => shownTo(ctx),
      certificateAuthorized: (ctx: never) => shownTo(ctx) !== undefined,
      certificateSubjectMatches: (ctx: never, _: string, expected: string) =>
        shownTo(ctx)?.subject === expected,
    },
  },
} as never;

test('what a way to prove oneself needs, and keys that are none', async () => {
  const config = { issuer: 'https://a.test', client_id: ['a'], session_secret: 's' };
  for (const [more, problem] of [
    [{ client_auth: ['private_key_jwt'] }, /'private_key_jwt' needs 'client_jwk'/],
    [{ client_auth: ['client_secret_jwt'] }, /'client_secret_jwt' needs 'client_secret'/],
    [{ client_auth: ['tls_client_auth'] }, /'tls_client_auth' needs 'tls_client_auth_cert_id'/],
    [{ client_jwk: [{ kty: 'oct' }] }, /kty/],
  ] as const) {
    assert.match(pluginProblems({ name: 'openid-connect', config: { ...config, ...more } }), problem);
  }
  await using stage = await startStage();
  const broken = { ...config, client_jwk: [{ kty: 'RSA', n: 'AQ', e: 'AQAB', d: 'AQ' }] };
  const made = await stage.plane.plane.createPlugin(pluginEntity({ name: 'openid-connect', config: broken }));
  assert.match(String(made.broken), /JWK|key/i);
});

async function signed(stage: Stage, claims: object): Promise<string> {
  const { issuer, key } = stage.provider;
  const now = Math.floor(Date.now() / 1000);
  const rsa = await importJWK(key as JoseKey, 'RS256');
  return new SignJWT({ iss: issuer, sub: 'anna', iat: now, exp: now + 60, ...claims })
    .setProtectedHeader({ alg: 'RS256', kid: String(key.kid) })
    .sign(rsa);
}

test('whom a bearer token is for, and ID tokens of others', async () => {
  const table: ReadonlyArray<readonly [config: object, claims: object, status: number]> = [
    [{}, { aud: 'anything' }, 200],
    [{}, {}, 200],
    [{}, { aud: 'gateway', at_hash: 'x' }, 200],
    [{}, { aud: 'another', at_hash: 'x' }, 401],
    [{}, { aud: ['another'], c_hash: 'x' }, 401],
    [{}, { aud: 'another', typ: 'ID' }, 401],
    [{}, { at_hash: 'x' }, 401],
    [{ audience: ['urn:api'] }, { aud: 'urn:api' }, 200],
    [{ audience: ['urn:api'] }, { aud: ['x', 'urn:api'] }, 200],
    [{ audience: ['urn:api'] }, { aud: 'urn:other' }, 403],
    [{ audience: ['urn:api'] }, {}, 200],
    [{ audience: ['urn:api'], audience_required: ['urn:own'] }, { aud: 'urn:api' }, 403],
    [{ audience: ['urn:api'], audience_required: ['urn:own'] }, {}, 403],
  ];
  for (const [config, claims, status] of table) {
    await using stage = await startStage({ config: { auth_methods: ['bearer'], ...config } });
    const authorization = `Bearer ${await signed(stage, claims)}`;
    const page = await new Browser().visit(`${stage.origin}/`, { headers: { authorization }, redirects: 0 });
    assert.equal(page.status, status, JSON.stringify([config, claims]));
    if (status === 200) echoOf(page);
  }
});
