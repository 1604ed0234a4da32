/** Certificates that were revoked, with answers that OpenSSL signs, spoiled in every way that a network can. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import type { CaCertificate } from '../../src/entities/ca-certificate.ts';
import { Trust } from '../../src/snapshot/trust.ts';
import { type PlaneOptions, startPlane, type TestPlane } from '../support/data-plane.ts';
import { freePort } from '../support/ports.ts';
import { rawRequest } from '../support/raw-client.ts';
import { startEcho } from '../support/upstream.ts';
import { request, shake } from '../tls/support.ts';
import {
  type Holder,
  type RevocationStage,
  type Signer,
  type Spoil,
  startRevocation,
} from './support/revocation.ts';

const ROOT = '00000000-0000-4000-8000-0000000000c1';
const ENTITIES = [
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
] as unknown as NonNullable<PlaneOptions['entities']>;

/** header-cert-auth: the same chain without a handshake for each case. */
async function serve(stage: RevocationStage, upstreamPort: number, config: object): Promise<TestPlane> {
  const cert = await readFile(stage.root.cert, 'utf8');
  const authority = { id: ROOT, cert, cert_digest: ROOT } as unknown as CaCertificate;
  return startPlane(upstreamPort, {
    entities: ENTITIES,
    trust: new Trust(new Map(), new Map([[ROOT, authority]]), new Map()),
    plugins: [
      {
        name: 'header-cert-auth',
        config: {
          ca_certificates: [ROOT],
          certificate_header_name: 'X-Cert',
          certificate_header_format: 'url_encoded',
          secure_source: false,
          ...config,
        },
      },
    ],
  });
}

async function show(plane: TestPlane, stage: RevocationStage, holder: Holder): Promise<number> {
  const pem = encodeURIComponent(await readFile(stage.holders[holder].cert, 'utf8'));
  const { responses } = await rawRequest(plane.port, `GET / HTTP/1.1\r\nHost: a\r\nX-Cert: ${pem}\r\n\r\n`);
  return responses[0]?.status ?? 0;
}

interface Case {
  readonly what: string;
  readonly holder: Holder;
  readonly strict: 200 | 401;
  readonly lenient: 200 | 401;
  readonly signer?: Signer;
  readonly ocsp?: Spoil;
  readonly list?: Spoil;
  readonly listBy?: 'stranger';
}

/** One bit, there. */
const flip = (answer: Buffer, at: number): Buffer => {
  const copy = Buffer.from(answer);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
};
/** A second of the time at which it was made. */
const redated: Spoil = (answer) => flip(answer, answer.indexOf(Buffer.from([0x18, 0x0f])) + 15);
const resigned: Spoil = (list) => flip(list, list.length - 5);
const fails: Spoil = () => 500;
const huge: Spoil = (answer) => Buffer.concat([answer, Buffer.alloc(5 * 1024 * 1024)]);
const halved: Spoil = (answer) => answer.subarray(0, answer.length >> 1);

const unsure = { strict: 401, lenient: 200 } as const;
const isIn = { strict: 200, lenient: 200 } as const;
const isOut = { strict: 401, lenient: 401 } as const;

const CASES: readonly Case[] = [
  { what: 'it names nobody', holder: 'bare-good', ...unsure },
  { what: 'the responder says good', holder: 'ocsp-good', ...isIn },
  { what: 'the authority itself signs', holder: 'ocsp-good', signer: 'root', ...isIn },
  { what: 'the responder says revoked', holder: 'ocsp-bad', ...isOut },
  {
    what: 'the responder says revoked, whatever a list would say',
    holder: 'both-bad',
    list: fails,
    ...isOut,
  },
  { what: 'the responder does not know it', holder: 'ocsp-unheard', ...isOut },
  { what: 'the list does not have it', holder: 'list-good', ...isIn },
  { what: 'the list has it', holder: 'list-bad', ...isOut },
  { what: 'the responder fails, the list does not', holder: 'both-good', ocsp: fails, ...isIn },
  { what: 'the responder fails, and the list has it', holder: 'both-bad', ocsp: fails, ...isOut },
  { what: 'both fail', holder: 'both-bad', ocsp: fails, list: fails, ...unsure },
  { what: 'a signer without the purpose', holder: 'ocsp-good', signer: 'plain', ...unsure },
  { what: 'another authority signs', holder: 'ocsp-good', signer: 'stranger', ...unsure },
  { what: "another authority's responder", holder: 'ocsp-good', signer: 'strangers-delegate', ...unsure },
  { what: 'an answer of no octets', holder: 'ocsp-good', ocsp: () => Buffer.alloc(0), ...unsure },
  { what: 'an answer that is cut', holder: 'ocsp-good', ocsp: halved, ...unsure },
  { what: 'an answer that is changed', holder: 'ocsp-good', ocsp: redated, ...unsure },
  { what: 'an answer without end', holder: 'ocsp-good', ocsp: huge, ...unsure },
  { what: 'an answer that is none', holder: 'ocsp-good', ocsp: () => Buffer.from('<html>'), ...unsure },
  { what: 'a redirect', holder: 'ocsp-good', ocsp: () => 302, ...unsure },
  { what: 'a refusal', holder: 'ocsp-good', ocsp: () => Buffer.from('30030a0106', 'hex'), ...unsure },
  { what: 'no answer', holder: 'ocsp-good', ocsp: () => 'hang', ...unsure },
  { what: "another's list", holder: 'list-bad', listBy: 'stranger', ...unsure },
  { what: 'a list that is cut', holder: 'list-bad', list: halved, ...unsure },
  { what: 'a list that is changed', holder: 'list-bad', list: resigned, ...unsure },
  { what: 'a list without end', holder: 'list-bad', list: huge, ...unsure },
  { what: 'a list that is none', holder: 'list-bad', list: () => Buffer.from('x'), ...unsure },
  {
    what: 'a list as text',
    holder: 'list-bad',
    list: (list) =>
      Buffer.from(`-----BEGIN X509 CRL-----\n${list.toString('base64')}\n-----END X509 CRL-----\n`),
    ...isOut,
  },
];

test('who is let in by what a responder and a list say, and by what they do not', async () => {
  await using upstream = await startEcho();
  await using stage = await startRevocation();
  stage.revoked = ['both-bad', 'ocsp-bad', 'list-bad', 'bare-bad'];
  for (const { what, holder, strict, lenient, signer, ocsp, list, listBy } of CASES) {
    stage.signer = signer ?? 'delegate';
    stage.spoilOcsp = ocsp ?? ((answer) => answer);
    stage.spoilList = list ?? ((answer) => answer);
    stage.listBy = listBy ?? 'root';
    for (const [mode, status] of [
      ['STRICT', strict],
      ['IGNORE_CA_ERROR', lenient],
      ['SKIP', 200],
    ] as const) {
      const before = { ...stage.asked };
      // Nobody has to wait for what never comes; everything else has time.
      const http_timeout = what === 'no answer' ? 50 : 30_000;
      const config = { revocation_check_mode: mode, http_timeout };
      await using plane = await serve(stage, upstream.port, config);
      assert.equal(await show(plane, stage, holder), status, `${mode}: ${what}`);
      if (mode === 'SKIP') assert.deepEqual(stage.asked, before);
    }
  }
});

test('mtls-auth asks about what a client shows in its handshake', async () => {
  await using upstream = await startEcho();
  await using stage = await startRevocation();
  stage.revoked = ['both-bad'];
  const cert = await readFile(stage.root.cert, 'utf8');
  const authority = { id: ROOT, cert, cert_digest: ROOT } as unknown as CaCertificate;
  await using plane = await startPlane(upstream.port, {
    entities: ENTITIES,
    trust: new Trust(new Map(), new Map([[ROOT, authority]]), new Map()),
    plugins: [{ name: 'mtls-auth', config: { ca_certificates: [ROOT] } }],
    settings: { proxy_listen: `127.0.0.1:${await freePort()} ssl` },
  });
  for (const [holder, status] of [
    ['both-good', 200],
    ['both-bad', 401],
  ] as const) {
    const pair = stage.holders[holder];
    const shown = { cert: await readFile(pair.cert), key: await readFile(pair.key) };
    const socket = await shake(plane.port, { rejectUnauthorized: false, ...shown });
    assert.equal((await request(socket, 'localhost')).status, status, holder);
  }
  assert.equal(stage.asked.ocsp, 2);
});

test('answers of another certificate, and of another time', async (t) => {
  await using upstream = await startEcho();
  await using stage = await startRevocation();
  stage.revoked = ['ocsp-bad', 'list-bad'];
  const strict = { revocation_check_mode: 'STRICT' };
  let good: Buffer = Buffer.alloc(0);
  let list: Buffer = Buffer.alloc(0);
  stage.spoilOcsp = (answer) => (good = answer);
  stage.spoilList = (answer) => (list = answer);
  await using plane = await serve(stage, upstream.port, strict);
  assert.equal(await show(plane, stage, 'ocsp-good'), 200);
  assert.equal(await show(plane, stage, 'list-good'), 200);
  stage.spoilOcsp = () => good;
  stage.spoilList = () => list;
  assert.equal(await show(plane, stage, 'ocsp-bad'), 401);
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 2 * 3600 * 1000 });
  await using later = await serve(stage, upstream.port, strict);
  assert.equal(await show(later, stage, 'ocsp-good'), 401, 'an answer of yesterday');
  assert.equal(await show(later, stage, 'list-good'), 401, 'a list of yesterday');
  stage.spoilOcsp = (answer) => answer;
  t.mock.timers.setTime(Date.now() - 4 * 3600 * 1000);
  await using sooner = await serve(stage, upstream.port, strict);
  assert.equal(await show(sooner, stage, 'ocsp-good'), 401, 'an answer of tomorrow');
});

test('it is asked once for all who wait, again after its time, and an answer that holds bridges a failure', async (t) => {
  await using upstream = await startEcho();
  await using stage = await startRevocation();
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
  const config = { revocation_check_mode: 'STRICT', cert_cache_ttl: 60_000 };
  await using plane = await serve(stage, upstream.port, config);
  for (const holder of ['ocsp-bad', 'list-bad'] as const) {
    const all = await Promise.all(Array.from({ length: 10 }, () => show(plane, stage, holder)));
    assert.deepEqual(new Set(all), new Set([200]));
  }
  assert.equal(await show(plane, stage, 'list-good'), 200);
  assert.deepEqual(stage.asked, { ocsp: 1, list: 1 });
  stage.spoilOcsp = fails;
  stage.spoilList = fails;
  t.mock.timers.tick(61_000);
  for (const holder of ['ocsp-bad', 'list-bad'] as const) {
    assert.equal(await show(plane, stage, holder), 200, 'what it said holds for an hour');
    assert.equal(await show(plane, stage, holder), 200);
  }
  assert.deepEqual(stage.asked, { ocsp: 2, list: 2 }, 'who fails is not asked by each request');
  stage.spoilOcsp = (answer) => answer;
  stage.spoilList = (answer) => answer;
  stage.revoked = ['ocsp-bad', 'list-bad'];
  t.mock.timers.tick(61_000);
  for (const holder of ['ocsp-bad', 'list-bad'] as const) {
    assert.equal(await show(plane, stage, holder), 401, 'revoked');
  }
  assert.equal(await show(plane, stage, 'list-good'), 200);
});
