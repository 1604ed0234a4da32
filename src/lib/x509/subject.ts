/** Who a certificate is for: names of its subject, as values and as a text. */
import { createHash } from 'node:crypto';
import { type Attribute, type CertificateParts, OID } from './certificate-parts.ts';
import { children, expect, readElement, TAG } from './der-read.ts';

/** RFC 4514 §3, and what OpenSSL calls e-mail addresses. */
const SHORT: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '2.5.4.6': 'C',
  '2.5.4.9': 'STREET',
  '0.9.2342.19200300.100.1.25': 'DC',
  '0.9.2342.19200300.100.1.1': 'UID',
  '1.2.840.113549.1.9.1': 'emailAddress',
};

/** GeneralName (RFC 5280 §4.2.1.6): `rfc822Name`, `dNSName`, URI, `iPAddress`. */
const MAIL = 0x81;
const DNS = 0x82;
const URI = 0x86;
const IP = 0x87;

/** The last one, which is the most specific; null: there is none. */
export function commonName({ subject }: CertificateParts): string | null {
  return subject.findLast(({ type }) => type === OID.commonName)?.value ?? null;
}

/** RFC 4514: the last attribute first. */
export function distinguishedName({ subject }: CertificateParts): string {
  return subject
    .toReversed()
    .map(({ type, value }: Attribute) => `${SHORT[type] ?? type}=${escaped(value)}`)
    .join(',');
}

/** RFC 4514 §2.4; control characters as pairs of hex digits, so that the text fits in a header. */
function escaped(value: string): string {
  return (
    value
      .replaceAll(/["+,;<>\\]/g, '\\$&')
      .replace(/^[ #]/, '\\$&')
      .replace(/ $/, '\\ ')
      // eslint-disable-next-line no-control-regex
      .replaceAll(/[\u0000-\u001f\u007f]/g, (one) => `\\${one.charCodeAt(0).toString(16).padStart(2, '0')}`)
  );
}

/** Alternative names that are texts or addresses, in the order of the certificate. @throws DerError */
export function alternativeNames({ extensions }: CertificateParts): string[] {
  const extension = extensions.get(OID.subjectAltName);
  if (extension === undefined) return [];
  const names: string[] = [];
  for (const { tag, content } of children(expect(readElement(extension.value), TAG.sequence))) {
    if (tag === DNS || tag === MAIL || tag === URI) names.push(content.toString('latin1'));
    else if (tag === IP) names.push(addressOf(content));
  }
  return names;
}

function addressOf(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, at) => (bytes[at * 2]! << 8) | bytes[at * 2 + 1]!);
  return bytes.length === 16 ? groups.map((group) => group.toString(16)).join(':') : '';
}

/** Of a certificate in DER: what it is known by. */
export function fingerprint(der: Buffer): string {
  return createHash('sha256').update(der).digest('hex');
}
