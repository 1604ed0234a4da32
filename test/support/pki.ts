/**
 * Chains of certificates for tests, made by `openssl ca`: authorities below authorities, servers and clients, with any
 * time of validity. (`authority.ts` is enough for one authority and what it signs for two days.)
 */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Issued {
  /** PEM texts. */
  readonly cert: string;
  readonly key: string;
  /** Paths of the same. */
  readonly certFile: string;
  readonly keyFile: string;
  readonly name: string;
}

export interface Wanted {
  /** Common name, and the name of the files. */
  readonly name: string;
  /** Null: it signs itself. */
  readonly by: Issued | null;
  /** May sign others. */
  readonly authority?: boolean;
  /** `DNS:a.test,IP:127.0.0.1`. */
  readonly names?: string;
  /** As `YYYYMMDDHHMMSSZ`. */
  readonly from?: string;
  readonly until?: string;
  /** Of `openssl genpkey`. */
  readonly kind?: readonly string[];
}

const P256 = ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'];
export const RSA = ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'];

const CONFIGURATION = `[ca]
default_ca = own
[own]
%OWN%
policy = any
default_md = sha256
unique_subject = no
rand_serial = yes
copy_extensions = none
[any]
commonName = supplied
[ext]
`;

let files = 0;

export async function issueIn(folder: string, wanted: Wanted): Promise<Issued> {
  const { name, by, authority = false, names, from = '20200101000000Z', until = '20990101000000Z' } = wanted;
  const stem = join(folder, `${++files}-${name.replaceAll(/\W/g, '_')}`);
  const [certFile, keyFile] = [`${stem}.crt`, `${stem}.key`];
  await run('openssl', ['genpkey', ...(wanted.kind ?? P256), '-out', keyFile]);
  await run('openssl', ['req', '-new', '-key', keyFile, '-subj', `/CN=${name}`, '-out', `${stem}.csr`]);
  const extensions = [
    `basicConstraints = critical,CA:${authority ? 'TRUE' : 'FALSE'}`,
    'subjectKeyIdentifier = hash',
    ...(by === null ? [] : ['authorityKeyIdentifier = keyid']),
    ...(authority ? ['keyUsage = critical,keyCertSign,cRLSign'] : []),
    ...(names === undefined ? [] : [`subjectAltName = ${names}`]),
  ];
  const own = `database = ${stem}.db\n`;
  await writeFile(`${stem}.cnf`, `${CONFIGURATION}${extensions.join('\n')}\n`.replace('%OWN%\n', own));
  await writeFile(`${stem}.db`, '');
  const signer =
    by === null ? ['-selfsign', '-keyfile', keyFile] : ['-cert', by.certFile, '-keyfile', by.keyFile];
  const config = ['-batch', '-notext', '-config', `${stem}.cnf`, '-extensions', 'ext', '-outdir', folder];
  const times = ['-startdate', from, '-enddate', until];
  await run('openssl', ['ca', ...config, ...signer, ...times, '-in', `${stem}.csr`, '-out', certFile]);
  const [cert, key] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')]);
  return { cert, key, certFile, keyFile, name };
}
