/** Probes over TLS and of gRPC: who is verified, what is shown, which answers count. */
import assert from 'node:assert/strict';
import type { ServerHttp2Stream } from 'node:http2';
import { after, test } from 'node:test';
import { startGateway } from '../support/gateway.ts';
import { startHttp2Upstream } from '../support/http2-upstream.ts';
import { issueIn } from '../support/pki.ts';
import { tempDir } from '../support/temp-dir.ts';
import { startTlsUpstream } from '../support/tls-upstream.ts';
import { waitFor } from '../support/wait.ts';
import { configOf, healthOf, tell } from './support/health.ts';

const folder = await tempDir();
const ca = await issueIn(folder.path, { name: 'ca', by: null, authority: true });
const other = await issueIn(folder.path, { name: 'other', by: null, authority: true });
const [leaf, strange, client] = await Promise.all([
  issueIn(folder.path, { name: 'good', by: ca, names: 'DNS:good.test' }),
  issueIn(folder.path, { name: 'strange', by: other, names: 'DNS:good.test' }),
  issueIn(folder.path, { name: 'client', by: ca }),
]);
const [secure, foreign, mutual] = await Promise.all([
  startTlsUpstream({ cert: leaf.cert, key: leaf.key }),
  startTlsUpstream({ cert: strange.cert, key: strange.key }),
  startTlsUpstream({
    cert: leaf.cert,
    key: leaf.key,
    requestCert: true,
    rejectUnauthorized: true,
    ca: ca.cert,
  }),
]);

type Serving = 'serving' | 'not serving' | 'unimplemented';
let serving: Serving = 'serving';
const paths = new Set<string>();
const authorities = new Set<string>();
const grpc = await startHttp2Upstream((stream: ServerHttp2Stream, headers) => {
  paths.add(String(headers[':path']));
  authorities.add(String(headers[':authority']));
  const trailers = { 'grpc-status': serving === 'unimplemented' ? '12' : '0' };
  stream.resume();
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  if (serving === 'unimplemented') stream.end();
  else stream.end(Buffer.from([0, 0, 0, 0, 2, 8, serving === 'serving' ? 1 : 2]));
});

const CERTIFICATE = '11111111-2222-4333-8444-555555555555';
const active = (more: object) => ({
  active: {
    timeout: 30,
    healthy: { interval: 0.05, successes: 1 },
    unhealthy: { interval: 0.05, tcp_failures: 1, http_failures: 1, timeouts: 1 },
    ...more,
  },
});
const https = { type: 'https', https_sni: 'good.test' };
const at = ({ port }: { readonly port: number }): string => `127.0.0.1:${port}`;
const gateway = await startGateway({
  config: {
    ...configOf([
      { name: 'verified', targets: [at(secure)], healthchecks: active(https) },
      // Of a name with the dot of the root the server is told, and verified as, the name without it.
      { name: 'dotted', targets: [at(secure)], healthchecks: active({ ...https, https_sni: 'good.test.' }) },
      { name: 'misnamed', targets: [at(secure)], healthchecks: active({ ...https, https_sni: 'bad.test' }) },
      { name: 'foreign', targets: [at(foreign)], healthchecks: active(https) },
      {
        name: 'unverified',
        targets: [at(foreign)],
        healthchecks: active({ ...https, https_verify_certificate: false }),
      },
      {
        name: 'mutual',
        targets: [at(mutual)],
        healthchecks: active(https),
        upstream: { client_certificate: { id: CERTIFICATE } },
      },
      { name: 'anonymous', targets: [at(mutual)], healthchecks: active(https) },
      { name: 'grpc', targets: [at(grpc)], healthchecks: active({ type: 'grpc' }) },
      {
        name: 'numbered',
        targets: [at(grpc)],
        healthchecks: active({ type: 'grpc' }),
        upstream: { host_header: 'shard.1' },
      },
    ]),
    certificates: [{ id: CERTIFICATE, cert: client.cert, key: client.key }],
  },
  settings: { lua_ssl_trusted_certificate: ca.certFile },
});
after(async () => {
  for (const each of [gateway, secure, foreign, mutual, grpc, folder]) await each[Symbol.asyncDispose]();
});

/** It is told the contrary first, and a probe corrects that. */
async function probed(upstream: string, target: string, wanted: 'HEALTHY' | 'UNHEALTHY'): Promise<void> {
  const contrary = wanted === 'HEALTHY' ? 'unhealthy' : 'healthy';
  assert.equal(await tell(gateway, upstream, `${target}/${contrary}`), 204);
  await waitFor(async () => (await healthOf(gateway, upstream))[target] === wanted, {
    what: `${upstream} ${wanted}`,
  });
}

const CASES: ReadonlyArray<
  readonly [name: string, upstream: { readonly port: number }, wanted: 'HEALTHY' | 'UNHEALTHY']
> = [
  ['verified', secure, 'HEALTHY'],
  ['dotted', secure, 'HEALTHY'],
  ['misnamed', secure, 'UNHEALTHY'],
  ['foreign', foreign, 'UNHEALTHY'],
  ['unverified', foreign, 'HEALTHY'],
  ['mutual', mutual, 'HEALTHY'],
  ['anonymous', mutual, 'UNHEALTHY'],
];
for (const [name, upstream, wanted] of CASES) {
  test(`https, ${name}: ${wanted}`, async () => {
    await probed(`${name}.up`, at(upstream), wanted);
  });
}

test('the log says why', async () => {
  await waitFor(async () =>
    /misnamed\.up: target .* is unhealthy after a probe: certificate does not match 'bad\.test'/.test(
      await gateway.logFile('error.log'),
    ),
  );
});

// A name that ends in a number is no host of a URL.
test('grpc, by a host_header that is no host of a URL', async () => {
  serving = 'serving';
  await probed('numbered.up', at(grpc), 'HEALTHY');
  assert.ok(authorities.has('shard.1'));
});

const ANSWERS: ReadonlyArray<readonly [Serving, 'HEALTHY' | 'UNHEALTHY']> = [
  ['serving', 'HEALTHY'],
  ['not serving', 'UNHEALTHY'],
  ['serving', 'HEALTHY'],
  ['unimplemented', 'UNHEALTHY'],
];
for (const [answer, wanted] of ANSWERS) {
  test(`grpc, ${answer}: ${wanted}`, async () => {
    serving = answer;
    await probed('grpc.up', at(grpc), wanted);
    assert.deepEqual([...paths], ['/grpc.health.v1.Health/Check']);
  });
}
