/** What revocation goes by in a certificate: serial number, names as they are written, the key, and where to ask. */
import * as der from './der.ts';
import { children, DerError, type Element, expect, readElement, TAG } from './der-read.ts';

const OID = {
  authorityInfo: der.oid('1.3.6.1.5.5.7.1.1').toString('hex'),
  ocsp: der.oid('1.3.6.1.5.5.7.48.1'),
  distributionPoints: der.oid('2.5.29.31').toString('hex'),
} as const;

/** Implicit tags of GeneralName, DistributionPoint and DistributionPointName. */
const URI = 0x86;
const NAME = 0xa0;
const FULL_NAME = 0xa0;
/** URLs of one kind that are looked at. */
const MOST_URLS = 4;

export interface Parts {
  readonly serial: Buffer;
  /** DER of the names. */
  readonly issuer: Buffer;
  readonly subject: Buffer;
  /** Bits of the public key. */
  readonly key: Buffer;
  /** By OID in hexadecimal. */
  readonly extensions: ReadonlyMap<string, Buffer>;
}

/** RFC 5280 §4.1. @throws DerError */
export function partsOf(certificate: Buffer): Parts {
  const [signed] = children(expect(readElement(certificate), TAG.sequence));
  const fields = children(expect(signed, TAG.sequence));
  if (fields[0]?.tag === 0xa0) fields.shift();
  const [serial, , issuer, , subject, key, ...rest] = fields;
  const bits = children(expect(key, TAG.sequence))[1];
  const list = rest.find(({ tag }) => tag === 0xa3);
  const extensions = list === undefined ? [] : children(expect(children(list.content)[0], TAG.sequence));
  return {
    serial: expect(serial, TAG.integer),
    issuer: wholeOf(issuer),
    subject: wholeOf(subject),
    key: expect(bits, TAG.bitString).subarray(1),
    extensions: new Map(
      extensions.map((one): [string, Buffer] => {
        const parts = children(expect(one, TAG.sequence));
        return [wholeOf(parts[0]).toString('hex'), expect(parts.at(-1), TAG.octetString)];
      }),
    ),
  };
}

function wholeOf(element: Element | undefined): Buffer {
  if (element === undefined) throw new DerError('cut short');
  return element.whole;
}

/** Responders that the certificate names (RFC 5280 §4.2.2.1). @throws DerError */
export function ocspUrls({ extensions }: Parts): string[] {
  const info = extensions.get(OID.authorityInfo);
  if (info === undefined) return [];
  const urls = children(expect(readElement(info), TAG.sequence)).flatMap((access) => {
    const [method, location] = children(expect(access, TAG.sequence));
    return method?.whole.equals(OID.ocsp) === true ? [location] : [];
  });
  return urlsOf(urls);
}

/** Where there are lists of what the issuer revoked, for all reasons (RFC 5280 §4.2.1.13). @throws DerError */
export function listUrls({ extensions }: Parts): string[] {
  const points = extensions.get(OID.distributionPoints);
  if (points === undefined) return [];
  const names = children(expect(readElement(points), TAG.sequence)).flatMap((point) => {
    const [name, ...others] = children(expect(point, TAG.sequence));
    // With more it is a list for some reasons only, or somebody else's.
    if (name?.tag !== NAME || others.length > 0) return [];
    const full = children(name.content)[0];
    return full?.tag === FULL_NAME ? children(full.content) : [];
  });
  return urlsOf(names);
}

function urlsOf(names: ReadonlyArray<Element | undefined>): string[] {
  const urls = names.flatMap((name) => (name?.tag === URI ? [name.content.toString('latin1')] : []));
  return urls
    .filter((url) => URL.canParse(url) && /^https?:$/.test(new URL(url).protocol))
    .slice(0, MOST_URLS);
}
