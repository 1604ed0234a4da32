/** Certificates with their SNIs, CA certificates. Facts: Kong 3.9's Admin API tests of them, its DAOs. */
import { EC_CA_CERT, EC_KEY, OTHER_EC_KEY, RSA_CERT, RSA_KEY } from '../../src/entities/pem.fixture.ts';
import {
  type Case,
  compare,
  having,
  id,
  NOT_FOUND,
  notUnique,
  page,
  seconds,
  violation,
  wrong,
  wrongEntity,
} from './support/cases.ts';

const GONE = '00000000-0000-0000-0000-00000000dead';
const PAIR = { cert: RSA_CERT, key: RSA_KEY };
const MISSING = 'required field missing';
const whole = {
  id,
  created_at: seconds,
  updated_at: seconds,
  ...PAIR,
  cert_alt: null,
  key_alt: null,
  tags: null,
  snis: [],
};
const post = (json: unknown, status: number, body: unknown): Case => ({
  ask: 'POST /certificates',
  json,
  status,
  body,
});
const SNI_NOT_FOUND = { message: 'SNI not found' };

const creation: readonly Case[] = [
  {
    ask: 'POST /certificates',
    json: { ...PAIR, snis: ['b.test', 'a.test'] },
    status: 201,
    body: { ...whole, snis: ['a.test', 'b.test'] },
    keep: 'c',
  },
  post(PAIR, 201, whole),
  {
    ask: 'POST /certificates',
    form: `cert=${encodeURIComponent(RSA_CERT)}&key=${encodeURIComponent(RSA_KEY)}&snis=f1.test&snis=f2.test`,
    status: 201,
    body: having({ snis: ['f1.test', 'f2.test'] }),
  },
  {
    ask: 'POST /certificates',
    multipart: { ...PAIR, 'snis[1]': 'm1.test', 'snis[2]': 'm2.test' },
    status: 201,
  },
  { ask: 'GET /certificates', status: 200, body: having({ next: null }) },
  post(
    { ...PAIR, cert_alt: EC_CA_CERT, key_alt: EC_KEY },
    201,
    having({ cert_alt: EC_CA_CERT, key_alt: EC_KEY }),
  ),
  post({ cert: '{vault://env/cert}', key: '{vault://env/key}' }, 201, having({ cert: '{vault://env/cert}' })),
];

const refused: readonly Case[] = [
  post({ ...PAIR, snis: ['x.test', 'y.test', 'x.test'] }, 400, wrong('snis', 'x.test is duplicated')),
  post(
    { ...PAIR, snis: ['a.test', 'z.test'] },
    400,
    wrong('snis', "a.test already associated with existing certificate '{c}'"),
  ),
  { ask: 'GET /certificates/z.test', status: 404, body: SNI_NOT_FOUND },
  {
    ask: `PUT /certificates/${GONE}`,
    json: {},
    status: 400,
    body: violation(
      { cert: MISSING, key: MISSING },
      `2 schema violations (cert: ${MISSING}; key: ${MISSING})`,
    ),
  },
  post(
    { ...PAIR, cert_alt: EC_CA_CERT },
    400,
    wrongEntity("all or none of these fields must be set: 'cert_alt', 'key_alt'"),
  ),
  post({ cert: RSA_CERT, key: OTHER_EC_KEY }, 400, wrongEntity('certificate does not match key')),
  post(
    { ...PAIR, cert_alt: EC_CA_CERT, key_alt: OTHER_EC_KEY },
    400,
    wrongEntity('alternative certificate does not match key'),
  ),
  post(
    { ...PAIR, cert_alt: RSA_CERT, key_alt: RSA_KEY },
    400,
    wrongEntity(
      'certificate and alternative certificate need to have different type (e.g. RSA and ECDSA), the provided certificates were both of the same type',
    ),
  ),
  post({ ...PAIR, cert: 'x' }, 400, having({ fields: { cert: /^invalid certificate: / } })),
  post({ ...PAIR, key: 'x' }, 400, having({ fields: { key: /^invalid key: / } })),
  post(
    { ...PAIR, snis: ['*.x.*'] },
    400,
    having({ fields: { snis: ['only one wildcard must be specified'] } }),
  ),
  post({ ...PAIR, snis: ['1.2.3.4'] }, 400, having({ fields: { snis: ['must not be an IP'] } })),
];

const one: readonly Case[] = [
  { ask: 'GET /certificates/{c}', status: 200, body: having({ id: '{c}', snis: ['a.test', 'b.test'] }) },
  { ask: 'GET /certificates/b.test', status: 200, body: having({ id: '{c}' }) },
  {
    ask: `GET /certificates/${GONE}`,
    status: 404,
    body: {
      code: 6,
      name: 'not found',
      message: `could not find the entity with primary key '{id="${GONE}"}'`,
      fields: { id: GONE },
    },
  },
  { ask: 'PATCH /certificates/nobody.test', json: {}, status: 404, body: SNI_NOT_FOUND },
  { ask: 'DELETE /certificates/nobody.test', status: 404, body: SNI_NOT_FOUND },
  { ask: `PATCH /certificates/${GONE}`, json: PAIR, status: 404, body: having({ code: 6 }) },
  {
    ask: 'PATCH /certificates/{c}',
    json: { snis: ['d.test', 'd.test'] },
    status: 400,
    body: wrong('snis', 'd.test is duplicated'),
  },
  {
    ask: 'PATCH /certificates/{c}',
    json: { snis: ['f1.test'] },
    status: 400,
    body: having({ fields: { snis: /^f1\.test already associated with existing certificate '/ } }),
  },
  {
    ask: 'PATCH /certificates/a.test',
    json: { tags: ['x'] },
    status: 200,
    body: having({ id: '{c}', tags: ['x'], snis: ['a.test', 'b.test'] }),
  },
  {
    ask: 'PATCH /certificates/{c}',
    json: { snis: ['b.test', 'c.test'] },
    status: 200,
    body: having({ snis: ['b.test', 'c.test'] }),
  },
  { ask: 'GET /certificates/a.test', status: 404, body: SNI_NOT_FOUND },
  { ask: 'PATCH /certificates/{c}', json: { snis: null }, status: 200, body: having({ snis: [] }) },
  {
    ask: 'PUT /certificates/new.test',
    json: { ...PAIR, snis: ['other.test'] },
    status: 200,
    body: { ...whole, snis: ['new.test', 'other.test'] },
    keep: 'n',
  },
  {
    ask: 'PUT /certificates/new.test',
    json: { ...PAIR, snis: ['new.test', 'third.test'] },
    status: 200,
    body: having({ id: '{n}', snis: ['new.test', 'third.test'] }),
  },
  {
    ask: 'PUT /certificates/{n}',
    json: { cert: EC_CA_CERT, key: EC_KEY },
    status: 200,
    body: having({ id: '{n}', cert: EC_CA_CERT, snis: [] }),
  },
  {
    ask: `PUT /certificates/${GONE}`,
    json: { ...PAIR, snis: ['put.test'] },
    status: 200,
    body: having({ id: GONE, snis: ['put.test'] }),
  },
];

const snis: readonly Case[] = [
  { ask: `POST /certificates/${GONE}0/snis`, json: { name: 's.test' }, status: 404 },
  {
    ask: `POST /certificates/585e4c16-c656-11e6-8db9-5f512d8a12cd/snis`,
    json: { name: 's.test' },
    status: 404,
    body: NOT_FOUND,
  },
  {
    ask: `POST /certificates/${GONE}/snis`,
    json: { name: 's.test' },
    status: 201,
    body: {
      id,
      created_at: seconds,
      updated_at: seconds,
      name: 's.test',
      certificate: { id: GONE },
      tags: null,
    },
    keep: 's',
  },
  {
    ask: 'POST /certificates/put.test/snis',
    json: { name: 't.test' },
    status: 201,
    body: having({ certificate: { id: GONE } }),
  },
  {
    ask: `POST /certificates/${GONE}/snis`,
    json: { name: 's.test' },
    status: 409,
    body: notUnique('name', 's.test'),
  },
  { ask: 'GET /certificates/s.test/snis', status: 200, body: having({ next: null }) },
  {
    ask: `POST /snis`,
    json: { name: '*.w.test', certificate: { id: GONE } },
    status: 201,
    body: having({ name: '*.w.test' }),
  },
  { ask: `POST /snis`, json: { name: 'w.*', certificate: { id: GONE } }, status: 201 },
  {
    ask: `POST /snis`,
    json: { name: '*.w.*', certificate: { id: GONE } },
    status: 400,
    body: wrong('name', 'only one wildcard must be specified'),
  },
  { ask: `POST /snis`, json: { name: 'n.test' }, status: 400, body: wrong('certificate', MISSING) },
  {
    ask: 'POST /snis',
    json: { name: 'n.test', certificate: { id: '585e4c16-c656-11e6-8db9-5f512d8a12cd' } },
    status: 400,
    body: having({ code: 4, fields: { certificate: { id: '585e4c16-c656-11e6-8db9-5f512d8a12cd' } } }),
  },
  { ask: 'GET /snis/%2A.w.test', status: 200, body: having({ name: '*.w.test' }) },
  { ask: 'GET /snis/s.test', status: 200, body: having({ id: '{s}' }) },
  { ask: 'GET /snis/s.test/certificate', status: 404, body: NOT_FOUND },
  {
    ask: 'PUT /snis/585e4c16-c656-11e6-8db9-5f512d8a12cd',
    json: {},
    status: 400,
    body: violation(
      { certificate: MISSING, name: MISSING },
      `2 schema violations (certificate: ${MISSING}; name: ${MISSING})`,
    ),
  },
  {
    ask: 'PATCH /snis/s.test',
    json: { certificate: { id: '{n}' } },
    status: 200,
    body: having({ certificate: { id: '{n}' } }),
  },
  { ask: 'DELETE /snis/s.test', status: 204 },
  // A certificate takes its SNIs with it.
  { ask: 'DELETE /certificates/put.test', status: 204 },
  { ask: 'GET /snis/t.test', status: 404, body: NOT_FOUND },
];

const NO_CA = 'certificate does not appear to be a CA because it is missing the "CA" basic constraint';
const authorities: readonly Case[] = [
  { ask: 'GET /ca_certificates', status: 200, body: page() },
  {
    ask: 'POST /ca_certificates',
    json: { cert: EC_CA_CERT },
    status: 201,
    body: {
      id,
      created_at: seconds,
      updated_at: seconds,
      cert: EC_CA_CERT,
      cert_digest: /^[0-9a-f]{64}$/,
      tags: null,
    },
    keep: 'ca',
  },
  {
    ask: 'POST /ca_certificates',
    json: { cert: EC_CA_CERT },
    status: 409,
    body: having({ code: 5, fields: { cert_digest: /^[0-9a-f]{64}$/ } }),
  },
  { ask: 'POST /ca_certificates', json: {}, status: 400, body: wrong('cert', MISSING) },
  { ask: 'POST /ca_certificates', json: { cert: RSA_CERT }, status: 400, body: wrongEntity(NO_CA) },
  {
    ask: 'POST /ca_certificates',
    json: { cert: `${EC_CA_CERT}\n${EC_CA_CERT}` },
    status: 400,
    body: wrongEntity('please submit only one certificate at a time'),
  },
  { ask: 'PATCH /ca_certificates/{ca}', json: { cert: RSA_CERT }, status: 400, body: wrongEntity(NO_CA) },
  {
    ask: 'PATCH /ca_certificates/{ca}',
    json: { tags: ['x'] },
    status: 200,
    body: having({ tags: ['x'], cert_digest: /./ }),
  },
  { ask: 'PUT /ca_certificates/{ca}', json: {}, status: 400, body: wrong('cert', MISSING) },
  { ask: 'GET /ca_certificates/name', status: 400, body: having({ code: 1, name: 'invalid primary key' }) },
  { ask: 'DELETE /ca_certificates/name', status: 400, body: having({ code: 1 }) },
  { ask: 'DELETE /ca_certificates/{ca}', status: 204 },
];

compare({ creation, refused, one, snis, authorities });
