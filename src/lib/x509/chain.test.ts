/** Ways from certificates to authorities, both made by OpenSSL. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { issue, type IssueOptions, makeAuthority, type Pair } from '../../../test/support/authority.ts';
import { tempDir } from '../../../test/support/temp-dir.ts';
import { readCertificate } from './certificate-parts.ts';
import { type ChainResult, readLink, verifyClientChain } from './chain.ts';
import { alternativeNames, commonName, distinguishedName } from './subject.ts';

const der = async (pair: Pair): Promise<Buffer> => new X509Certificate(await readFile(pair.cert)).raw;
const CA = 'basicConstraints=critical,CA:true';

interface Setting {
  readonly certificates: Readonly<Record<string, Buffer>>;
}

/** root → middle → deep; and what is wrong in one way each. */
async function setting(folder: string): Promise<Setting> {
  const root = await makeAuthority(folder, 'root');
  const stranger = await makeAuthority(folder, 'stranger');
  // Another key under the same name.
  await mkdir(`${folder}/other`);
  const twin = await makeAuthority(`${folder}/other`, 'root');
  const by = (authority: Pair, name: string, options: IssueOptions = {}): Promise<Pair> =>
    issue(folder, authority, name, `DNS:${name}.test`, options);
  const authority = (from: Pair, name: string, ...extensions: string[]): Promise<Pair> =>
    by(from, name, { extensions: extensions.length === 0 ? [CA] : extensions });
  const middle = await authority(root, 'middle');
  const deep = await authority(middle, 'deep');
  const short = await authority(root, 'short', `${CA},pathlen:0`);
  const underShort = await authority(short, 'under-short');
  const noSign = await authority(root, 'no-sign', CA, 'keyUsage=critical,cRLSign');
  const named = await authority(root, 'named', CA, 'nameConstraints=critical,permitted;DNS:test');
  const notCa = await by(root, 'not-ca');
  const serverOnly = await authority(root, 'server-only', CA, 'extendedKeyUsage=serverAuth');
  const oldOne = await by(root, 'old', {
    extensions: [CA],
    from: '20200101000000Z',
    until: '20210101000000Z',
  });
  const pairs: Record<string, Pair> = {
    root,
    stranger,
    twin,
    middle,
    deep,
    short,
    underShort,
    noSign,
    named,
    notCa,
    serverOnly,
    oldOne,
    direct: await by(root, 'direct'),
    client: await by(root, 'client', {
      extensions: ['extendedKeyUsage=clientAuth', 'keyUsage=critical,digitalSignature'],
    }),
    server: await by(root, 'server', { extensions: ['extendedKeyUsage=serverAuth'] }),
    encrypting: await by(root, 'encrypting', { extensions: ['keyUsage=critical,keyEncipherment'] }),
    critical: await by(root, 'critical', { extensions: ['1.2.3.4=critical,DER:0500'] }),
    curious: await by(root, 'curious', { extensions: ['1.2.3.4=DER:0500'] }),
    expired: await by(root, 'expired', { from: '20200101000000Z', until: '20210101000000Z' }),
    early: await by(root, 'early', { from: '20400101000000Z', until: '20410101000000Z' }),
    byMiddle: await by(middle, 'by-middle'),
    byDeep: await by(deep, 'by-deep'),
    byShort: await by(short, 'by-short'),
    byUnderShort: await by(underShort, 'by-under-short'),
    byNoSign: await by(noSign, 'by-no-sign'),
    byNamed: await by(named, 'by-named'),
    byNotCa: await by(notCa, 'by-not-ca'),
    byServerOnly: await by(serverOnly, 'by-server-only'),
    byOld: await by(oldOne, 'by-old'),
    byTwin: await by(twin, 'by-twin'),
    byStranger: await by(stranger, 'by-stranger'),
  };
  const entries = await Promise.all(
    Object.entries(pairs).map(async ([name, pair]) => [name, await der(pair)] as const),
  );
  return { certificates: Object.fromEntries(entries) };
}

const OK = 'ok';
const NO_ISSUER = 'unable to get local issuer certificate';
const PURPOSE = 'unsuitable certificate purpose';

/** What is shown, leaf first; who is trusted. */
const CASES: ReadonlyArray<readonly [shown: string, trusted: string, verdict: string, partial?: true]> = [
  ['', 'root', 'no certificate'],
  ['direct', 'root', OK],
  ['direct', '', NO_ISSUER],
  ['direct', 'stranger', NO_ISSUER],
  ['direct', 'stranger root', OK],
  ['client', 'root', OK],
  ['curious', 'root', OK],
  ['server', 'root', PURPOSE],
  ['encrypting', 'root', PURPOSE],
  ['critical', 'root', 'unhandled critical extension'],
  ['expired', 'root', 'certificate has expired'],
  ['early', 'root', 'certificate is not yet valid'],
  ['byMiddle', 'root', NO_ISSUER],
  ['byMiddle middle', 'root', OK],
  ['byMiddle middle root', 'root', OK],
  ['byMiddle middle stranger', 'stranger', NO_ISSUER],
  ['byMiddle', 'middle', NO_ISSUER],
  ['byMiddle', 'middle', OK, true],
  ['byMiddle', 'middle root', OK],
  ['byDeep deep middle', 'root', OK],
  ['byDeep middle deep', 'root', OK],
  ['byDeep deep', 'root', NO_ISSUER],
  ['byDeep deep', 'middle', OK, true],
  ['byShort short', 'root', OK],
  ['byUnderShort underShort short', 'root', 'path length constraint exceeded'],
  ['byNamed named', 'root', 'unhandled critical extension'],
  ['byNotCa notCa', 'root', 'invalid CA certificate'],
  ['byServerOnly serverOnly', 'root', PURPOSE],
  ['byOld oldOne', 'root', 'certificate has expired'],
  ['byTwin', 'root', NO_ISSUER],
  ['byTwin twin', 'root', NO_ISSUER],
  ['byTwin twin', 'root twin', OK],
  ['byStranger stranger', 'root', NO_ISSUER],
  ['byNoSign noSign', 'root', NO_ISSUER],
  ['root', 'root', NO_ISSUER],
  ['middle', 'root', OK],
  [`byMiddle ${'stranger '.repeat(60)}middle`, 'root', NO_ISSUER],
];

test('who is trusted, and why somebody is not', async () => {
  await using folder = await tempDir();
  const { certificates } = await setting(folder.path);
  const of = (names: string): Buffer[] =>
    names.split(' ').flatMap((name) => (name === '' ? [] : [certificates[name] ?? assert.fail(name)]));
  const results: string[] = [];
  for (const [shown, trusted, , partial] of CASES) {
    const result: ChainResult = verifyClientChain(of(shown), of(trusted).map(readLink), {
      now: Date.now(),
      allowPartial: partial ?? false,
    });
    results.push(`${shown} / ${trusted}: ${result.ok ? OK : result.reason}`);
  }
  assert.deepEqual(
    results,
    CASES.map(([shown, trusted, verdict]) => `${shown} / ${trusted}: ${verdict}`),
  );
  const good = of('direct')[0]!;
  for (const cut of [
    good.subarray(0, 100),
    Buffer.concat([Buffer.from([0x30]), good]),
    Buffer.alloc(0),
    Buffer.from('x'),
  ]) {
    assert.equal(
      verifyClientChain([cut], of('root').map(readLink), { now: Date.now(), allowPartial: false }).ok,
      false,
    );
  }
});

test('names come out as they are in the certificate', async () => {
  await using folder = await tempDir();
  const root = await makeAuthority(folder.path, 'root');
  const names = 'DNS:a.test,email:anna@a.test,URI:spiffe://a/b,IP:10.0.0.1,IP:::1';
  const pair = await issue(folder.path, root, String.raw`Anna, "A" \+ <b>; c`, names);
  const parts = readCertificate(await der(pair));
  assert.equal(commonName(parts), 'Anna, "A" + <b>; c');
  assert.equal(distinguishedName(parts), String.raw`CN=Anna\, \"A\" \+ \<b\>\; c`);
  assert.deepEqual(alternativeNames(parts), [
    'a.test',
    'anna@a.test',
    'spiffe://a/b',
    '10.0.0.1',
    '0:0:0:0:0:0:0:1',
  ]);
});
