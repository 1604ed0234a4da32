/** Services and mirrors that plugins choose, on other terms than the route's service: TLS, client certificates, gRPC. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Metadata, status, type UntypedServiceImplementation } from '@grpc/grpc-js';
import type { CaCertificate } from '../../src/entities/ca-certificate.ts';
import type { Certificate } from '../../src/entities/certificate.ts';
import type { Service } from '../../src/entities/service.ts';
import { Trust } from '../../src/snapshot/trust.ts';
import { startPlane, type TestPlane } from '../support/data-plane.ts';
import { GrpcClient, startGrpcServer } from '../support/grpc.ts';
import { grpcPlane } from '../support/grpc-plane.ts';
import { Http2Client, startHttp2Plane } from '../support/http2-plane.ts';
import { servicesOf, upstreamsOf } from '../support/other-services.ts';
import { issueIn } from '../support/pki.ts';
import { tempDir } from '../support/temp-dir.ts';
import { pair, startTlsUpstream, type TlsEcho } from '../support/tls-upstream.ts';
import { startEcho, startHttpUpstream } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';
import { ask, testId } from './support.ts';

const folder = await tempDir();
const root = await issueIn(folder.path, { name: 'root', by: null, authority: true });
const other = await issueIn(folder.path, { name: 'other', by: null, authority: true });
const leaf = await issueIn(folder.path, { name: 'leaf', by: root, names: 'IP:127.0.0.1' });
const client = await issueIn(folder.path, { name: 'client of v2', by: root });
const secure = await startTlsUpstream({
  ...pair(leaf),
  ca: root.cert,
  requestCert: true,
  rejectUnauthorized: false,
});
const own = await startEcho({ name: 'own' });
after(async () => {
  await secure[Symbol.asyncDispose]();
  await own[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

const CLIENT = testId(1);
const ROOT = testId(2);
const OTHER = testId(3);
const TRUST = new Trust(
  new Map([[CLIENT, { id: CLIENT, cert: client.cert, key: client.key } as Certificate]]),
  new Map([
    [ROOT, { id: ROOT, cert: root.cert } as CaCertificate],
    [OTHER, { id: OTHER, cert: other.cert } as CaCertificate],
  ]),
  new Map(),
);

const TERMS: ReadonlyArray<
  readonly [what: string, fields: Partial<Service>, status: number, client: string | null]
> = [
  ['not verified', {}, 200, ''],
  ['verified', { tls_verify: true, ca_certificates: [ROOT] }, 200, ''],
  ['not trusted', { tls_verify: true, ca_certificates: [OTHER] }, 502, null],
  ['with a certificate', { client_certificate: { id: CLIENT } }, 200, 'client of v2'],
];

const serviceOf = (fields: Partial<Service>) =>
  servicesOf({ v2: { protocol: 'https', port: secure.port, ...fields } });

test('another service is spoken to on its own terms', async () => {
  for (const [what, fields, wanted, name] of TERMS) {
    await using plane = await startPlane(own.port, {
      trust: TRUST,
      services: serviceOf(fields),
      plugins: [{ name: 'canary', config: { percentage: 100, service: 'v2' } }],
    });
    const answer = await ask(plane.port);
    assert.equal(answer.status, wanted, what);
    if (name !== null) assert.equal((answer.response.json() as TlsEcho).client, name, what);
  }
});

function counts({ plane }: TestPlane): Record<string, number> {
  const all: Record<string, number> = {};
  for (const { name, type, series } of plane.services.metrics.report.families) {
    const [, kind] = /^sluice_plugin_traffic_mirror_(.*)_total$/.exec(name) ?? [];
    if (kind === undefined || type !== 'counter') continue;
    for (const { values, value } of series) all[`${kind} ${values[2]}`] = value;
  }
  return all;
}

test('so are mirrors', async () => {
  const url = `https://127.0.0.1:${secure.port}`;
  const MIRRORS: ReadonlyArray<readonly [config: object, fields: Partial<Service>, counted: RegExp]> = [
    ...TERMS.map(
      ([, fields, wanted]) =>
        [{ service: 'v2' }, fields, wanted === 200 ? /^sent 2xx$/ : /^failed /] as const,
    ),
    [{ url }, {}, /^failed /],
    [{ url, tls_verify: false }, {}, /^sent 2xx$/],
  ];
  for (const [config, fields, counted] of MIRRORS) {
    await using plane = await startPlane(own.port, {
      trust: TRUST,
      services: serviceOf(fields),
      plugins: [{ name: 'traffic-mirror', config }],
    });
    assert.equal((await ask(plane.port)).status, 200);
    await waitFor(() => Object.keys(counts(plane)).length > 0, { what: JSON.stringify(config) });
    const [only] = Object.keys(counts(plane));
    assert.match(only ?? '', counted, JSON.stringify([config, fields]));
  }
});

const answering = (name: string): UntypedServiceImplementation => ({
  unary: (_: unknown, answer: (error: null, message: Buffer) => void) => answer(null, Buffer.from(name)),
});

test('calls of gRPC go to the canary, too', async () => {
  for (const config of [{ service: 'v2' }, { upstream_host: 'v2.up' }]) {
    await using stable = await startGrpcServer(answering('stable'));
    await using next = await startGrpcServer(answering('next'));
    await using plane = await grpcPlane(stable.port, {
      services: servicesOf({ v2: { protocol: 'grpc', port: next.port } }),
      upstreams: upstreamsOf({ 'v2.up': { ports: [next.port] } }),
      plugins: [
        {
          name: 'canary',
          config: {
            percentage: 0,
            canary_by_header_name: 'x-canary',
            version_header: 'x-version',
            ...config,
          },
        },
      ],
    });
    await using caller = new GrpcClient(plane.port);
    for (const [wish, name, version] of [
      ['never', 'stable', 'stable'],
      ['always', 'next', 'canary'],
    ] as const) {
      const metadata = new Metadata();
      metadata.set('x-canary', wish);
      const { code, messages, head } = await caller.call('unary', [Buffer.from('x')], { metadata });
      assert.deepEqual([code, messages.map(String), head?.get('x-version')], [status.OK, [name], [version]]);
    }
  }
});

test('a request over HTTP/2 is copied with its body', async () => {
  const bodies: string[] = [];
  await using mirror = await startHttpUpstream(async (request, response) => {
    let body = '';
    for await (const chunk of request as AsyncIterable<Buffer>) body += chunk.toString('latin1');
    bodies.push(`${request.method} ${request.url} ${body.length}`);
    response.end();
  });
  await using plane = await startHttp2Plane(own.port, {
    plugins: [{ name: 'traffic-mirror', config: { url: `http://127.0.0.1:${mirror.port}` } }],
  });
  await using caller = new Http2Client(plane.port);
  for (const length of [0, 10, 100_000]) {
    const { status: got } = await caller.ask(
      { ':method': 'POST', ':path': `/${length}`, ':authority': 'a.test' },
      'x'.repeat(length),
    );
    assert.equal(got, 200);
  }
  await waitFor(() => counts(plane)['sent 2xx'] === 3, { what: 'three copies' });
  assert.deepEqual(new Set(bodies), new Set(['POST /0 0', 'POST /10 10', 'POST /100000 100000']));
});
