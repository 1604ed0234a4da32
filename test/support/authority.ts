/**
 * Certificates for tests, made by OpenSSL's command: an authority, and what it signs. Our own writer of certificates
 * cannot be its own judge.
 */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
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

export interface IssueOptions {
  /** `ec` unless said. */
  readonly kind?: 'ec' | 'rsa';
  /** As `-not_before` and `-not_after` of OpenSSL's command; today and the day after tomorrow unless said. */
  readonly from?: string;
  readonly until?: string;
  /** Lines of extensions beside the alternative names. */
  readonly extensions?: readonly string[];
}

const RSA_KEY = ['-newkey', 'rsa:2048', '-nodes'];

/** @param alternative as `DNS:localhost,URI:spiffe://x/y`. */
export async function issue(
  folder: string,
  authority: Pair,
  subject: string,
  alternative: string,
  { kind = 'ec', from, until, extensions = [] }: IssueOptions = {},
): Promise<Pair> {
  const stem = join(folder, `${subject.replaceAll(/\W/g, '_')}-${kind}`);
  const pair = { cert: `${stem}.crt`, key: `${stem}.key` };
  const request = ['-keyout', pair.key, '-out', `${stem}.csr`, '-subj', `/CN=${subject}`];
  await run('openssl', ['req', '-new', ...(kind === 'ec' ? NEW_KEY : RSA_KEY), ...request]);
  await writeFile(`${stem}.ext`, [`subjectAltName=${alternative}`, ...extensions, ''].join('\n'));
  // `openssl x509` knows no beginning but now before OpenSSL 3.4: the `ca` command does.
  await writeFile(`${stem}.txt`, '');
  await writeFile(`${stem}.cnf`, caConfig(stem));
  const signer = ['-config', `${stem}.cnf`, '-cert', authority.cert, '-keyfile', authority.key];
  const files = ['-in', `${stem}.csr`, '-out', pair.cert, '-extfile', `${stem}.ext`, '-outdir', folder];
  const dates =
    from === undefined || until === undefined ? ['-days', '2'] : ['-startdate', from, '-enddate', until];
  await run('openssl', [
    'ca',
    '-batch',
    '-notext',
    '-rand_serial',
    '-md',
    'sha256',
    ...signer,
    ...files,
    ...dates,
  ]);
  return pair;
}

function caConfig(stem: string): string {
  return [
    '[ca]',
    'default_ca=here',
    '[here]',
    `database=${stem}.txt`,
    `serial=${stem}.serial`,
    `new_certs_dir=${dirname(stem)}`,
    'policy=any',
    'unique_subject=no',
    'default_crl_days=2',
    '[any]',
    'commonName=supplied',
    '',
  ].join('\n');
}

/** A list of what the authority revoked: all of `revoked`, perhaps nothing. */
export async function revoke(folder: string, authority: Pair, revoked: readonly Pair[]): Promise<string> {
  const stem = join(folder, 'revoked');
  await writeFile(`${stem}.txt`, '');
  await writeFile(`${stem}.cnf`, caConfig(stem));
  const signer = ['-config', `${stem}.cnf`, '-cert', authority.cert, '-keyfile', authority.key];
  for (const { cert } of revoked) await run('openssl', ['ca', ...signer, '-md', 'sha256', '-revoke', cert]);
  const list = `${stem}-${revoked.length}.pem`;
  await run('openssl', ['ca', ...signer, '-md', 'sha256', '-gencrl', '-out', list]);
  return list;
}

/** An authority between `authority` and what it issues. */
export async function issueAuthority(folder: string, authority: Pair, name: string): Promise<Pair> {
  const extensions = ['basicConstraints=critical,CA:true'];
  return await issue(folder, authority, name, `DNS:${name}`, { extensions });
}
