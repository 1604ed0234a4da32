/**
 * A certificate that signs itself, for a TLS listener that nobody has given one: version 3 (RFC 5280), ECDSA on P-256,
 * for servers only and no authority (without key usages, of which
 * none allows to sign both a handshake and itself). Node makes and signs keys and has nothing that writes certificates; the few
 * elements of DER are less to keep than a library.
 */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { parseIp } from '../ip.ts';
import * as der from './der.ts';

const OID = {
  commonName: '2.5.4.3',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  extKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
} as const;

export interface SelfSigned {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

export interface SelfSignedOptions {
  /** Names and addresses; the first is the common name too. */
  readonly names: readonly string[];
  readonly from: Date;
  readonly until: Date;
}

export function selfSigned({ names, from, until }: SelfSignedOptions): SelfSigned {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = der.sequence(der.oid(OID.ecdsaWithSha256));
  const name = der.sequence(
    der.set(der.sequence(der.oid(OID.commonName), der.utf8String((names[0] ?? 'localhost').slice(0, 64)))),
  );
  const signed = der.sequence(
    der.explicit(0, der.integer(Buffer.from([2]))),
    // Positive and not zero, at most 20 octets.
    der.integer(Buffer.concat([Buffer.from([0x40]), randomBytes(15)])),
    algorithm,
    name,
    der.sequence(der.time(from), der.time(until)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der.explicit(3, der.sequence(...extensions(names))),
  );
  const signature = der.bitString(sign('sha256', signed, privateKey));
  return {
    cert: pem('CERTIFICATE', der.sequence(signed, algorithm, signature)),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
  };
}

function extensions(names: readonly string[]): Buffer[] {
  return [
    extension(OID.basicConstraints, der.sequence(), true),
    extension(OID.extKeyUsage, der.sequence(der.oid(OID.serverAuth)), false),
    extension(OID.subjectAltName, der.sequence(...names.map(generalName)), false),
  ];
}

function extension(id: string, value: Buffer, critical: boolean): Buffer {
  return der.sequence(der.oid(id), ...(critical ? [der.truth(true)] : []), der.octetString(value));
}

/** RFC 5280 §4.2.1.6: dNSName is 2, iPAddress 7. */
function generalName(name: string): Buffer {
  const words = new Uint32Array(4);
  const family = parseIp(name, 0, name.length, words);
  if (family === 0) return der.implicit(2, Buffer.from(name, 'latin1'));
  const octets = Buffer.alloc(family === 4 ? 4 : 16);
  for (let i = 0; i < octets.length; i += 4) octets.writeUInt32BE(words[i / 4] ?? 0, i);
  return der.implicit(7, octets);
}

function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').replaceAll(/.{64}(?=.)/g, '$&\n');
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}
