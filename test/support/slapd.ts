/** A real directory server (OpenLDAP's slapd) on data of the test's own. */
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { makeCertificate, type Certificate } from './certificate.ts';
import { Child } from './child.ts';
import { freePorts } from './ports.ts';
import { tempDir } from './temp-dir.ts';
import { waitFor } from './wait.ts';

const run = promisify(execFile);
/** Debian keeps it off the PATH of users. */
const PATH = `${process.env['PATH']}:/usr/sbin:/sbin`;

export const BASE_DN = 'ou=people,dc=example,dc=test';

export interface Slapd extends AsyncDisposable {
  readonly port: number;
  /** Of `ldaps`. */
  readonly tlsPort: number;
  /** Its own authority: for 127.0.0.1 and localhost. */
  readonly certificate: Certificate;
  /** Ends it, as a crash does. */
  kill(): Promise<void>;
  /** Runs `ldapmodify` as the administrator. */
  modify(ldif: string): Promise<void>;
}

export interface Person {
  readonly uid: string;
  readonly password: string;
}

const ROOT = 'cn=admin,dc=example,dc=test';

function configuration(folder: string, certificate: Certificate, more: string): string {
  return `include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile ${folder}/slapd.pid
TLSCertificateFile ${certificate.cert}
TLSCertificateKeyFile ${certificate.key}
${more}
database mdb
suffix "dc=example,dc=test"
rootdn "${ROOT}"
rootpw secret
directory ${folder}/data
`;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

function entries(people: readonly Person[]): string {
  const units = ['people', 'admins'].map(
    (ou) => `dn: ou=${ou},dc=example,dc=test\nobjectClass: organizationalUnit\nou: ${ou}\n\n`,
  );
  const persons = people.map(({ uid, password }) => {
    const escaped = uid.replaceAll(/[,+"\\<>;=#* ]/g, String.raw`\$&`).replaceAll('\\*', '*');
    return (
      `dn:: ${base64(`uid=${escaped},${BASE_DN}`)}\nobjectClass: inetOrgPerson\nuid:: ${base64(uid)}\n` +
      `cn: x\nsn: x\nuserPassword:: ${base64(password)}\n\n`
    );
  });
  const admin = `dn: uid=boss,ou=admins,dc=example,dc=test\nobjectClass: inetOrgPerson\nuid: boss\ncn: x\nsn: x\nuserPassword: top\n\n`;
  const elsewhere = `dn: uid=moved,${BASE_DN}\nobjectClass: referral\nobjectClass: extensibleObject\nuid: moved\nref: ldap://127.0.0.1:1/uid=moved,${BASE_DN}\n\n`;
  const top = `dn: dc=example,dc=test\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: x\n\n`;
  return top + units.join('') + persons.join('') + admin + elsewhere;
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect({ port, host: '127.0.0.1' });
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** @param more lines of the global part of slapd.conf. */
export async function startSlapd(people: readonly Person[], more = ''): Promise<Slapd> {
  const folder = await tempDir();
  const [port = 0, tlsPort = 0] = await freePorts(2);
  const certificate = makeCertificate(folder.path);
  const conf = join(folder.path, 'slapd.conf');
  const ldif = join(folder.path, 'data.ldif');
  await mkdir(join(folder.path, 'data'));
  await writeFile(conf, configuration(folder.path, certificate, more));
  await writeFile(ldif, entries(people));
  const env = { ...process.env, PATH };
  await run('slapadd', ['-q', '-f', conf, '-l', ldif], { env });
  const urls = `ldap://127.0.0.1:${port}/ ldaps://127.0.0.1:${tlsPort}/`;
  const child = new Child('slapd', ['-d', '0', '-f', conf, '-h', urls], { env });
  const slapd: Slapd = {
    port,
    tlsPort,
    certificate,
    async kill() {
      await child.stop('SIGKILL');
    },
    async modify(changes) {
      const file = join(folder.path, 'changes.ldif');
      await writeFile(file, changes);
      const as = ['-x', '-H', `ldap://127.0.0.1:${port}`, '-D', ROOT, '-w', 'secret'];
      await run('ldapmodify', [...as, '-f', file], { env });
    },
    async [Symbol.asyncDispose]() {
      await child.stop();
      await folder[Symbol.asyncDispose]();
    },
  };
  try {
    await waitFor(async () => (await accepts(port)) && accepts(tlsPort), { what: 'slapd' });
  } catch (error) {
    await slapd[Symbol.asyncDispose]();
    throw new Error(`slapd did not start: ${child.output}`, { cause: error });
  }
  return slapd;
}
