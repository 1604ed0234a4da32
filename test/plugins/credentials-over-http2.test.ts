/** Certificates, tokens, sessions and policies over HTTP/2: with what lets in, and without it. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { CaCertificate } from '../../src/entities/ca-certificate.ts';
import { Trust } from '../../src/snapshot/trust.ts';
import { issue, makeAuthority } from '../support/authority.ts';
import type { Http2Answer } from '../support/http2-plane.ts';
import { MemoryRecords } from '../support/memory-records.ts';
import { tempDir } from '../support/temp-dir.ts';
import { testId } from './support.ts';
import { ANNAS, type Case, KEY, testScene } from './support/http2-scene.ts';

const ROOT = testId(4);
const POLICY = readFileSync(new URL('./opa/policy.wasm.gz', import.meta.url)).toString('base64');
const form = { ':method': 'POST', 'content-type': 'application/x-www-form-urlencoded' };

async function certificates(use: AsyncDisposableStack): Promise<{ trust: Trust; cert: string; key: string }> {
  const folder = use.use(await tempDir());
  const root = await makeAuthority(folder.path, 'root');
  const pair = await issue(folder.path, root, 'anna', 'DNS:anna');
  const text = (path: string): string => readFileSync(path, 'utf8');
  const entity = { id: ROOT, cert: text(root.cert), cert_digest: ROOT } as unknown as CaCertificate;
  const trust = new Trust(new Map(), new Map([[ROOT, entity]]), new Map());
  return { trust, cert: text(pair.cert), key: text(pair.key) };
}

const CASES: readonly Case[] = [
  {
    name: 'key-auth-enc',
    scene: () => ({
      plane: { plugins: [{ name: 'key-auth-enc' }] },
      good: { apikey: 'k-1' },
      bad: { apikey: 'k-2' },
      refused: 401,
      told: { ...ANNAS, 'x-credential-identifier': KEY },
    }),
  },
  {
    name: 'oauth2: a token for client credentials, and its use',
    scene: () => ({
      plane: {
        records: new MemoryRecords(),
        settings: { database: 'sqlite' },
        service: { entity: { id: testId(9) } as never },
        plugins: [{ name: 'oauth2', config: { enable_client_credentials: true, scopes: ['mail'] } }],
      },
      certificate: null,
      async good(client) {
        const wanted = { grant_type: 'client_credentials', client_id: 'app', scope: 'mail' };
        const ask = (client_secret: string): Promise<Http2Answer> =>
          client.ask(
            { ':path': '/oauth2/token', ...form },
            new URLSearchParams({ ...wanted, client_secret }).toString(),
          );
        assert.equal((await ask('other')).status, 400);
        const { status, body } = await ask('app-secret');
        assert.equal(status, 200, body.toString());
        const { access_token } = JSON.parse(body.toString()) as { access_token: string };
        return { authorization: `bearer ${access_token}` };
      },
      bad: { authorization: 'bearer other' },
      refused: 401,
      told: { ...ANNAS, 'x-credential-identifier': 'app', 'x-authenticated-scope': 'mail' },
    }),
  },
  {
    name: 'session',
    scene: () => ({
      plane: {
        plugins: [
          { name: 'key-auth', config: { anonymous: 'nobody' } },
          { name: 'session', config: { storage: 'cookie' } },
          { name: 'acl', config: { allow: ['staff'] } },
        ],
      },
      certificate: null,
      async good(client) {
        const { headers } = await client.ask({ ':path': '/', apikey: 'k-1' });
        const [line = ''] = headers['set-cookie'] as string[];
        return { cookie: ['a=b', line.split(';', 1)[0] ?? ''] };
      },
      bad: { cookie: ['a=b', 'session=1abc'] },
      refused: 401,
      told: { ...ANNAS, 'x-credential-identifier': KEY },
    }),
  },
  {
    name: 'mtls-auth',
    async scene(use) {
      const { trust, ...certificate } = await certificates(use);
      const config = { ca_certificates: [ROOT] };
      return {
        plane: { trust, plugins: [{ name: 'mtls-auth', config }] },
        certificate,
        good: {},
        bad: {},
        refused: 401,
        told: ANNAS,
      };
    },
  },
  {
    name: 'header-cert-auth',
    async scene(use) {
      const { trust, cert } = await certificates(use);
      const config = {
        ca_certificates: [ROOT],
        certificate_header_name: 'X-Cert',
        certificate_header_format: 'base64_encoded',
      };
      return {
        plane: {
          trust,
          plugins: [{ name: 'header-cert-auth', config }],
          settings: { trusted_ips: '127.0.0.1' },
        },
        good: { 'x-cert': new X509Certificate(cert).raw.toString('base64') },
        bad: { 'x-cert': 'AAAA' },
        refused: 401,
        told: ANNAS,
      };
    },
  },
  {
    name: 'opa that is told the consumer',
    scene: () => ({
      plane: {
        plugins: [
          { name: 'key-auth', config: { anonymous: 'nobody' } },
          { name: 'opa', config: { policy_wasm: POLICY, include_consumer_in_opa_input: true } },
        ],
      },
      good: { ':method': 'POST', apikey: 'k-1' },
      bad: { ':method': 'POST', apikey: 'k-2' },
      refused: 403,
      told: { ...ANNAS, 'x-credential-identifier': KEY },
    }),
  },
];

for (const each of CASES) testScene(each);
