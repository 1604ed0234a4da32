/**
 * What `X509Certificate` does not tell of a certificate, read from its DER (RFC 5280 §4.1): names as values without anybody's
 * escaping, and extensions with whether they are critical.
 */
import { children, DerError, type Element, expect, readElement, TAG } from './der-read.ts';

export interface Extension {
  readonly critical: boolean;
  /** What is in its octet string. */
  readonly value: Buffer;
}

export interface CertificateParts {
  /** In the order of the certificate. */
  readonly subject: readonly Attribute[];
  /** By object identifier, dotted. */
  readonly extensions: ReadonlyMap<string, Extension>;
}

export interface Attribute {
  /** Dotted. */
  readonly type: string;
  readonly value: string;
}

const BOOLEAN = 0x01;
const SET = 0x31;
/** `[0]` version and `[3]` extensions of TBSCertificate. */
const VERSION = 0xa0;
const EXTENSIONS = 0xa3;
const STRINGS: Readonly<Record<number, BufferEncoding>> = {
  0x0c: 'utf8',
  0x12: 'latin1',
  0x13: 'latin1',
  0x14: 'latin1',
  0x16: 'latin1',
  0x1a: 'latin1',
};
const BMP_STRING = 0x1e;

/** @throws DerError */
export function readCertificate(der: Buffer): CertificateParts {
  const [tbs] = children(expect(readElement(der), TAG.sequence));
  const fields = children(expect(tbs, TAG.sequence));
  const first = fields[0]?.tag === VERSION ? 1 : 0;
  // Serial number, signature algorithm, issuer, validity, subject.
  const subject = readName(fields[first + 4]);
  const wrapped = fields.find(({ tag }) => tag === EXTENSIONS);
  const extensions = new Map<string, Extension>();
  if (wrapped !== undefined) {
    for (const element of children(expect(readElement(wrapped.content), TAG.sequence))) {
      const [id, ...rest] = children(expect(element, TAG.sequence));
      const critical = rest[0]?.tag === BOOLEAN ? rest[0].content[0] !== 0 : false;
      const type = dotted(expect(id, TAG.oid));
      // RFC 5280 §4.2: no more than one of each.
      if (extensions.has(type)) throw new DerError('an extension stands twice');
      extensions.set(type, { critical, value: expect(rest.at(-1), TAG.octetString) });
    }
  }
  return { subject, extensions };
}

function readName(element: Element | undefined): Attribute[] {
  const attributes: Attribute[] = [];
  for (const set of children(expect(element, TAG.sequence))) {
    for (const pair of children(expect(set, SET))) {
      const [type, value] = children(expect(pair, TAG.sequence));
      attributes.push({ type: dotted(expect(type, TAG.oid)), value: readString(value) });
    }
  }
  return attributes;
}

function readString(element: Element | undefined): string {
  if (element === undefined) throw new DerError('no string');
  if (element.tag === BMP_STRING) return Buffer.from(element.content).swap16().toString('utf16le');
  return element.content.toString(STRINGS[element.tag] ?? 'hex');
}

/** An object identifier as numbers with dots (X.690 §8.19). @throws DerError */
function dotted(content: Buffer): string {
  const numbers: number[] = [];
  let number = 0;
  for (const octet of content) {
    number = number * 128 + (octet & 0x7f);
    if (number > Number.MAX_SAFE_INTEGER / 128) throw new DerError('object identifier');
    if ((octet & 0x80) !== 0) continue;
    if (numbers.length === 0) {
      const root = Math.min(2, Math.floor(number / 40));
      numbers.push(root, number - root * 40);
    } else {
      numbers.push(number);
    }
    number = 0;
  }
  return numbers.join('.');
}

export const OID = {
  commonName: '2.5.4.3',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  certificatePolicies: '2.5.29.32',
  extKeyUsage: '2.5.29.37',
  anyExtendedKeyUsage: '2.5.29.37.0',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  ocspSigning: '1.3.6.1.5.5.7.3.9',
} as const;

/** `pathLenConstraint`; null: any length. @throws DerError */
export function pathLength({ extensions }: CertificateParts): number | null {
  const extension = extensions.get(OID.basicConstraints);
  if (extension === undefined) return null;
  const last = children(expect(readElement(extension.value), TAG.sequence)).at(-1);
  if (last?.tag !== TAG.integer) return null;
  if (last.content.length === 0 || last.content.length > 4) throw new DerError('path length');
  return last.content.readUIntBE(0, last.content.length);
}

/** Bits of RFC 5280 §4.2.1.3. */
export const KEY_USAGE = { digitalSignature: 0, keyAgreement: 4, keyCertSign: 5, cRLSign: 6 } as const;

/** Whether the key may be used for one of these; a certificate that says nothing allows all. @throws DerError */
export function mayBeUsedFor({ extensions }: CertificateParts, bits: readonly number[]): boolean {
  const extension = extensions.get(OID.keyUsage);
  if (extension === undefined) return true;
  const content = expect(readElement(extension.value), TAG.bitString);
  return bits.some((bit) => ((content[1 + (bit >> 3)] ?? 0) & (0x80 >> (bit & 7))) !== 0);
}

/** Whether it names that purpose, or any; a certificate that says nothing is for all. @throws DerError */
export function hasPurpose(parts: CertificateParts, purpose: string): boolean {
  if (!parts.extensions.has(OID.extKeyUsage)) return true;
  return purposes(parts).some((type) => type === purpose || type === OID.anyExtendedKeyUsage);
}

/** What it is for, dotted; nothing: it does not say. @throws DerError */
export function purposes({ extensions }: CertificateParts): string[] {
  const extension = extensions.get(OID.extKeyUsage);
  if (extension === undefined) return [];
  return children(expect(readElement(extension.value), TAG.sequence)).map((element) =>
    dotted(expect(element, TAG.oid)),
  );
}
