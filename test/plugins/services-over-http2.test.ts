/** Plugins that ask others who calls, over HTTP/2: with what lets in, and without it. */
import { startHttpUpstream } from '../support/upstream.ts';
import { startProvider } from '../support/oidc-provider.ts';
import { BASE_DN, startSlapd } from '../support/slapd.ts';
import { robotToken, SECRET } from './openid-connect/support.ts';
import { ANNAS, type Case, SPOOFED, testScene } from './support/http2-scene.ts';

const basic = (user: string, password: string): string =>
  Buffer.from(`${user}:${password}`).toString('base64');

const CASES: readonly Case[] = [
  {
    name: 'ldap-auth',
    async scene(use) {
      const slapd = use.use(await startSlapd([{ uid: 'anna', password: 'open' }]));
      const config = { ldap_host: '127.0.0.1', ldap_port: slapd.port, base_dn: BASE_DN, attribute: 'uid' };
      return {
        plane: { plugins: [{ name: 'ldap-auth', config }] },
        good: { authorization: `ldap ${basic('anna', 'open')}` },
        bad: { authorization: `ldap ${basic('anna', 'shut')}` },
        refused: 401,
        told: { 'x-credential-identifier': 'anna' },
      };
    },
  },
  {
    name: 'openid-connect: a bearer token',
    async scene(use) {
      const robot = { client_id: 'anna', client_secret: SECRET, redirect_uris: [] };
      const client = { ...robot, grant_types: ['client_credentials'], response_types: [] };
      const provider = use.use(await startProvider({ clients: [client], jwtAudience: 'urn:api' }));
      const token = await robotToken(provider, 'read', 'anna');
      const config = {
        issuer: provider.issuer,
        client_id: ['gateway'],
        client_secret: [SECRET],
        auth_methods: ['bearer'],
        consumer_claim: ['client_id'],
      };
      return {
        plane: { plugins: [{ name: 'openid-connect', config }] },
        good: { authorization: `Bearer ${token}` },
        bad: { authorization: `Bearer ${token.slice(0, -8)}AAAAAAAA` },
        refused: 401,
        told: { ...ANNAS, 'x-credential-identifier': 'anna' },
      };
    },
  },
  {
    name: 'forward-auth',
    async scene(use) {
      const service = use.use(
        await startHttpUpstream(({ headers }, response) => {
          const lets = headers.authorization === 'yes' && headers['x-forwarded-host'] === 'a.test';
          response.writeHead(lets ? 200 : 403, { 'x-consumer-username': 'anna' });
          response.end('{"message":"no"}');
        }),
      );
      const upstream_headers = Object.keys(SPOOFED);
      return {
        plane: { plugins: [{ name: 'forward-auth', config: { url: service.url, upstream_headers } }] },
        good: { authorization: 'yes' },
        bad: { authorization: 'no' },
        refused: 403,
        told: { 'x-consumer-username': 'anna' },
      };
    },
  },
  {
    name: 'oauth2-introspection',
    async scene(use) {
      const server = use.use(
        await startHttpUpstream(async (request, response) => {
          let body = '';
          for await (const chunk of request as AsyncIterable<Buffer>) body += chunk.toString();
          const active = new URLSearchParams(body).get('token') === 'good';
          response.end(JSON.stringify(active ? { active, username: 'anna' } : { active }));
        }),
      );
      const config = { introspection_url: server.url, authorization_value: 'Basic Z3c6eA==' };
      return {
        plane: { plugins: [{ name: 'oauth2-introspection', config }] },
        good: { authorization: 'Bearer good' },
        bad: { authorization: 'Bearer bad' },
        refused: 401,
        told: { ...ANNAS, 'x-credential-identifier': 'anna' },
      };
    },
  },
];

for (const each of CASES) testScene(each);
