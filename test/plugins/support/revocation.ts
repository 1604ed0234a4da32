/** An authority with a responder and a list, whose answers OpenSSL makes, behind an HTTP server that can spoil them. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { issue, type IssueOptions, makeAuthority, type Pair } from '../../support/authority.ts';
import { tempDir } from '../../support/temp-dir.ts';

const run = promisify(execFile);

/** What the server does with what OpenSSL has made: hands it on changed, answers a status, or nothing at all. */
export type Spoil = (answer: Buffer) => Buffer | number | 'hang';

export interface RevocationStage extends AsyncDisposable {
  readonly root: Pair;
  readonly stranger: Pair;
  /** In the order of `NAMES`. */
  readonly holders: Readonly<Record<Holder, Pair>>;
  /** Who signs OCSP responses. */
  signer: Signer;
  spoilOcsp: Spoil;
  spoilList: Spoil;
  /** Who signs the list. */
  listBy: 'root' | 'stranger';
  /** Names of holders that are revoked. */
  revoked: readonly Holder[];
  /** How often each was asked for. */
  readonly asked: { ocsp: number; list: number };
}

const SIGNERS = ['root', 'delegate', 'plain', 'stranger', 'strangers-delegate'] as const;
export type Signer = (typeof SIGNERS)[number];
const PLACES = { both: 'ocsp list', ocsp: 'ocsp', list: 'list', bare: '' } as const;
type Place = keyof typeof PLACES;
/** A certificate of each kind that is good, one that may be revoked, and one that the responder has never heard of. */
export type Holder = `${Place}-good` | `${Place}-bad` | 'ocsp-unheard';

export async function startRevocation(): Promise<RevocationStage> {
  const folder = await tempDir();
  const root = await makeAuthority(folder.path, 'root');
  const stranger = await makeAuthority(folder.path, 'stranger');
  const ocspSigning = { extensions: ['extendedKeyUsage=OCSPSigning'] };
  const signers: Record<Signer, Pair> = {
    root,
    stranger,
    delegate: await issue(folder.path, root, 'delegate', 'DNS:x', ocspSigning),
    plain: await issue(folder.path, root, 'plain', 'DNS:x'),
    'strangers-delegate': await issue(folder.path, stranger, 'foreign', 'DNS:x', ocspSigning),
  };
  let respond: (path: string, body: Buffer, response: ServerResponse) => Promise<void>;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => void chunks.push(chunk));
    request.on('end', () => void respond(request.url ?? '', Buffer.concat(chunks), response));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const holders = await issueHolders(folder.path, root, origin);
  const stage: Omit<RevocationStage, typeof Symbol.asyncDispose> = {
    root,
    stranger,
    holders,
    signer: 'delegate',
    listBy: 'root',
    spoilOcsp: (answer) => answer,
    spoilList: (answer) => answer,
    revoked: [],
    asked: { ocsp: 0, list: 0 },
  };
  let files = 0;
  respond = async (path, body, response) => {
    const stem = join(folder.path, `answer-${++files}`);
    await writeFile(`${stem}.index`, await indexOf(stage));
    const isList = path === '/list';
    stage.asked[isList ? 'list' : 'ocsp']++;
    const made = isList
      ? await makeList(stem, stage.listBy === 'root' ? root : stranger)
      : await makeAnswer(stem, body, root, signers[stage.signer]);
    const answer = (isList ? stage.spoilList : stage.spoilOcsp)(made);
    if (answer === 'hang') return;
    if (typeof answer === 'number') response.writeHead(answer).end();
    else response.end(answer);
  };
  return Object.assign(stage, {
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await folder[Symbol.asyncDispose]();
    },
  });
}

async function issueHolders(folder: string, root: Pair, origin: string): Promise<Record<Holder, Pair>> {
  const holders: Partial<Record<Holder, Pair>> = {};
  const one = async (name: Holder, places: string): Promise<void> => {
    const extensions = [
      ...(places.includes('ocsp') ? [`authorityInfoAccess=OCSP;URI:${origin}/ocsp`] : []),
      ...(places.includes('list') ? [`crlDistributionPoints=URI:${origin}/list`] : []),
    ];
    holders[name] = await issue(folder, root, name, 'DNS:anna', { extensions } satisfies IssueOptions);
  };
  for (const [place, places] of Object.entries(PLACES) as Array<[Place, string]>) {
    await one(`${place}-good`, places);
    await one(`${place}-bad`, places);
  }
  await one('ocsp-unheard', 'ocsp');
  return holders as Record<Holder, Pair>;
}

/** OpenSSL's text database. */
async function indexOf({ holders, revoked }: Pick<RevocationStage, 'holders' | 'revoked'>): Promise<string> {
  const lines = Object.entries(holders).map(async ([name, { cert }]) => {
    if (name === 'ocsp-unheard') return '';
    const serial = new X509Certificate(await readFile(cert)).serialNumber;
    const isRevoked = revoked.some((one) => one === name);
    const [state, when] = isRevoked ? ['R', '200101000000Z'] : ['V', ''];
    return `${state}\t400101000000Z\t${when}\t${serial}\tunknown\t/CN=${name}\n`;
  });
  return (await Promise.all(lines)).join('');
}

async function makeAnswer(stem: string, request: Buffer, root: Pair, signer: Pair): Promise<Buffer> {
  await writeFile(`${stem}.req`, request);
  const files = ['-index', `${stem}.index`, '-CA', root.cert, '-rsigner', signer.cert, '-rkey', signer.key];
  const way = ['-reqin', `${stem}.req`, '-respout', `${stem}.resp`, '-nmin', '60'];
  await run('openssl', ['ocsp', ...files, ...way]);
  return await readFile(`${stem}.resp`);
}

async function makeList(stem: string, by: Pair): Promise<Buffer> {
  await writeFile(`${stem}.cnf`, `[ca]\ndefault_ca=here\n[here]\ndatabase=${stem}.index\n`);
  const signer = ['-config', `${stem}.cnf`, '-cert', by.cert, '-keyfile', by.key, '-md', 'sha256'];
  await run('openssl', ['ca', ...signer, '-gencrl', '-crlhours', '1', '-out', `${stem}.pem`]);
  await run('openssl', ['crl', '-in', `${stem}.pem`, '-outform', 'DER', '-out', `${stem}.crl`]);
  const list = await readFile(`${stem}.crl`);
  assert.ok(list.length > 100);
  return list;
}
