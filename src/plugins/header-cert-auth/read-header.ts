/** Certificates as a proxy in front writes them to a header. */

const ONE = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/g;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

export type HeaderFormat = 'base64_encoded' | 'url_encoded';

/** @returns leaf first, in DER; empty when it is not written so. */
export function readCertificateHeader(value: string, format: HeaderFormat): readonly Buffer[] {
  if (format === 'base64_encoded') return decode(value);
  let text: string;
  try {
    text = decodeURIComponent(value);
  } catch {
    return [];
  }
  return [...text.matchAll(ONE)].flatMap(([, base64 = '']) => decode(base64));
}

function decode(base64: string): Buffer[] {
  const bare = base64.replaceAll(/\s/g, '');
  return BASE64.test(bare) ? [Buffer.from(bare, 'base64')] : [];
}
