/** The examples of RFC 7515 appendix A, RFC 7519 §6.1 and RFC 8037 appendix A, as printed there. */
import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { test } from 'node:test';
import {
  ASYMMETRIC_ALGORITHMS,
  fits,
  HMAC_ALGORITHMS,
  isAlgorithm,
  isSigned,
  type SignatureKey,
  signInput,
} from './algorithms.ts';
import { type CompactToken, decodeBase64url, readCompact } from './compact.ts';

const CLAIMS =
  'eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ';

const jwk = (key: Record<string, string>): KeyObject => createPublicKey({ key, format: 'jwk' });

const A1_KEY = Buffer.from(
  'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow',
  'base64url',
);
const A2_KEY = jwk({
  kty: 'RSA',
  n:
    'ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS' +
    '-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2C' +
    'apHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb5' +
    '4h4FRWyuXpoQ',
  e: 'AQAB',
});
const A3_KEY = jwk({
  kty: 'EC',
  crv: 'P-256',
  x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
  y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
});
const A4_KEY = jwk({
  kty: 'EC',
  crv: 'P-521',
  x: 'AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk',
  y: 'ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2',
});
const RFC8037_KEY = jwk({ kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' });

/** Of each vector the signed text with its signature, and the key. */
const VECTORS: ReadonlyArray<readonly [what: string, alg: string, token: string, key: SignatureKey]> = [
  [
    'RFC 7515 A.1, RFC 7519 §3.1',
    'HS256',
    `eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.${CLAIMS}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk`,
    A1_KEY,
  ],
  [
    'RFC 7515 A.2',
    'RS256',
    `eyJhbGciOiJSUzI1NiJ9.${CLAIMS}.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_` +
      'lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07' +
      'Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98' +
      'rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw',
    A2_KEY,
  ],
  [
    'RFC 7515 A.3',
    'ES256',
    `eyJhbGciOiJFUzI1NiJ9.${CLAIMS}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-` +
      'Kg6NU1Q',
    A3_KEY,
  ],
  [
    'RFC 8037 A.4',
    'EdDSA',
    'eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4' +
      'ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg',
    RFC8037_KEY,
  ],
];

function parts(token: string): { input: string; signature: Buffer } {
  const dot = token.lastIndexOf('.');
  return { input: token.slice(0, dot), signature: decodeBase64url(token.slice(dot + 1)) ?? Buffer.alloc(0) };
}

test('signatures of the RFCs are good, and not for one changed octet', () => {
  for (const [what, alg, token, key] of VECTORS) {
    const { input, signature } = parts(token);
    assert.equal(fits(alg, key), true, what);
    assert.equal(isSigned(alg, key, input, signature), true, what);
    assert.equal(isSigned(alg, key, `${input.slice(0, -1)}A`, signature), false, what);
    const changed = Buffer.from(signature);
    changed[5]! ^= 1;
    assert.equal(isSigned(alg, key, input, changed), false, what);
    for (const cut of [signature.subarray(1), Buffer.alloc(0)])
      assert.equal(isSigned(alg, key, input, cut), false, what);
  }
});

test('RFC 7515 A.4: the key of ES512 is read, and fits nothing else', () => {
  assert.deepEqual(
    [...HMAC_ALGORITHMS, ...ASYMMETRIC_ALGORITHMS].filter((alg) => fits(alg, A4_KEY)),
    ['ES512'],
  );
});

const KEYS: ReadonlyArray<
  readonly [algorithms: readonly string[], make: () => { publicKey: SignatureKey; privateKey: SignatureKey }]
> = [
  [
    ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
    () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ],
  [['PS256', 'PS384', 'PS512'], () => generateKeyPairSync('rsa-pss', { modulusLength: 2048 })],
  [['ES256'], () => generateKeyPairSync('ec', { namedCurve: 'P-256' })],
  [['ES384'], () => generateKeyPairSync('ec', { namedCurve: 'P-384' })],
  [['ES512'], () => generateKeyPairSync('ec', { namedCurve: 'P-521' })],
  [[], () => generateKeyPairSync('ec', { namedCurve: 'secp256k1' })],
  [['EdDSA'], () => generateKeyPairSync('ed25519')],
  [['EdDSA'], () => generateKeyPairSync('ed448')],
  [[], () => generateKeyPairSync('x25519')],
  [
    [...HMAC_ALGORITHMS],
    () => {
      const secret = Buffer.from('secret');
      return { publicKey: secret, privateKey: secret };
    },
  ],
];

test('each kind of key signs and verifies its algorithms, and none of the others', async () => {
  for (const [algorithms, make] of KEYS) {
    const { publicKey, privateKey } = make();
    for (const alg of [...HMAC_ALGORITHMS, ...ASYMMETRIC_ALGORITHMS]) {
      const what = `${alg} ${Buffer.isBuffer(publicKey) ? 'secret' : publicKey.asymmetricKeyType}`;
      assert.equal(fits(alg, publicKey), algorithms.includes(alg), what);
      if (!algorithms.includes(alg)) continue;
      const signature = await signInput(alg, privateKey, 'a.b');
      assert.equal(isSigned(alg, publicKey, 'a.b', signature), true, what);
      assert.equal(isSigned(alg, publicKey, 'a.c', signature), false, what);
    }
  }
});

const b64 = (text: string | Buffer): string => Buffer.from(text).toString('base64url');
const HEAD = b64('{"alg":"HS256"}');

const FAULTS: ReadonlyArray<readonly [what: string, token: string, fault: string]> = [
  ['nothing', '', 'invalid JSON'],
  ['no dot', 'abc', 'invalid JSON'],
  ['one dot', `${HEAD}.${b64('{}')}`, 'invalid JSON'],
  ['dots alone', '..', 'invalid JSON'],
  ['a header that is no JSON', `${b64('{')}.${b64('{}')}.AAAA`, 'invalid JSON'],
  ['a header that is a list', `${b64('["HS256"]')}.${b64('{}')}.AAAA`, 'invalid alg'],
  ['a header that is null', `${b64('null')}.${b64('{}')}.AAAA`, 'invalid alg'],
  ['no algorithm', `${b64('{}')}.${b64('{}')}.AAAA`, 'invalid alg'],
  ['the algorithm none', `${b64('{"alg":"none"}')}.${b64('{}')}.`, 'invalid alg'],
  ['the algorithm None', `${b64('{"alg":"None"}')}.${b64('{}')}.`, 'invalid alg'],
  ['an algorithm in lower case', `${b64('{"alg":"hs256"}')}.${b64('{}')}.AAAA`, 'invalid alg'],
  ['an inherited name as algorithm', `${b64('{"alg":"constructor"}')}.${b64('{}')}.AAAA`, 'invalid alg'],
  ['an algorithm that is a list', `${b64('{"alg":["HS256"]}')}.${b64('{}')}.AAAA`, 'invalid alg'],
  ['an algorithm by inheritance', `${b64('{"__proto__":{"alg":"HS256"}}')}.${b64('{}')}.AAAA`, 'invalid alg'],
  ['claims that are a list', `${HEAD}.${b64('[]')}.AAAA`, 'invalid claims'],
  ['claims that are null', `${HEAD}.${b64('null')}.AAAA`, 'invalid claims'],
  ['claims that are a text', `${HEAD}.${b64('"a"')}.AAAA`, 'invalid claims'],
  [
    'claims that are no UTF-8',
    `${HEAD}.${b64(Buffer.from('{"iss":"\xe9"}', 'latin1'))}.AAAA`,
    'invalid JSON',
  ],
  ['claims behind a byte order mark', `${HEAD}.${b64('\ufeff{}')}.AAAA`, 'invalid JSON'],
  ['padding', `${HEAD}=.${b64('{}')}.AAAA`, 'invalid JSON'],
  ['the other alphabet', `${HEAD}.${b64('{}')}.AA+/`, 'invalid signature'],
  ['a padded signature', `${HEAD}.${b64('{}')}.AAA=`, 'invalid signature'],
  ['unused bits that are set', `${HEAD}.${b64('{}')}.AAB`, 'invalid signature'],
  ['a signature of one character', `${HEAD}.${b64('{}')}.A`, 'invalid signature'],
  ['spaces', `${HEAD}.${b64('{}')}. AAAA`, 'invalid signature'],
  ['five parts (JWE)', `${HEAD}.${b64('{}')}.AA.AA.AA`, 'invalid signature'],
  [
    'something critical',
    `${b64('{"alg":"HS256","crit":["b64"],"b64":false}')}.${b64('{}')}.AAAA`,
    'unsupported critical header',
  ],
  [
    'an empty list of critical members',
    `${b64('{"alg":"HS256","crit":[]}')}.${b64('{}')}.AAAA`,
    'unsupported critical header',
  ],
];

test('what is no token is told apart', () => {
  for (const [what, token, fault] of FAULTS) assert.equal(readCompact(token, isAlgorithm), fault, what);
});

test('of members that stand twice the last counts, and a huge token is only long', () => {
  const twice = readCompact(`${HEAD}.${b64('{"iss":"a","iss":"b"}')}.AAAA`, isAlgorithm) as CompactToken;
  assert.equal(twice.claims['iss'], 'b');
  const filler = 'x'.repeat(2_000_000);
  const huge = readCompact(`${HEAD}.${b64(JSON.stringify({ filler }))}.AAAA`, isAlgorithm) as CompactToken;
  assert.equal(huge.claims['filler'], filler);
});
