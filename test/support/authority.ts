/**
 * Certificates for tests, made by OpenSSL's command: an authority, and what it signs. Our own writer of certificates
 * cannot be its own judge.
 */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Pair {
  /** Paths of PEM files. */
  readonly cert: string;
  readonly key: string;
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

export async function makeAuthority(folder: string, name: string): Promise<Pair> {
  const pair = { cert: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) };
  const files = ['-keyout', pair.key, '-out', pair.cert];
  await run('openssl', ['req', '-x509', ...NEW_KEY, ...files, '-days', '2', '-subj', `/CN=${name}`]);
  return pair;
}

/** @param alternative as `DNS:localhost,URI:spiffe://x/y`. */
export async function issue(
  folder: string,
  authority: Pair,
  subject: string,
  alternative: string,
): Promise<Pair> {
  const stem = join(folder, subject.replaceAll(/\W/g, '_'));
  const pair = { cert: `${stem}.crt`, key: `${stem}.key` };
  await run('openssl', [
    'req',
    '-new',
    ...NEW_KEY,
    '-keyout',
    pair.key,
    '-out',
    `${stem}.csr`,
    '-subj',
    `/CN=${subject}`,
  ]);
  await writeFile(`${stem}.ext`, `subjectAltName=${alternative}\n`);
  const signer = ['-CA', authority.cert, '-CAkey', authority.key, '-CAcreateserial'];
  const files = ['-in', `${stem}.csr`, '-out', pair.cert, '-extfile', `${stem}.ext`];
  await run('openssl', ['x509', '-req', ...signer, ...files, '-days', '2']);
  return pair;
}
