/**
 * The keys that seal secrets: 32 octets each, from `secret_key_file` or `secret_keys`. The first seals, all open, so a
 * new key is put first, and the old one is taken away when nothing is sealed with it any more.
 *
 * Nothing is done with a key itself: HKDF derives one for AES, one for the marks of unique values, and a short id by
 * which sealed values name their key.
 */
import { hkdfSync } from 'node:crypto';
import { readFileSync, statSync } from '../lib/node-fs.ts';
import type { Settings } from '../settings/settings.ts';

/** What a sealed secret, or a key, is not good for; no message holds either. */
export class SealingError extends Error {}

export interface SealKey {
  /** 8 hexadecimal digits. */
  readonly id: string;
  readonly cipher: Uint8Array;
  readonly mark: Uint8Array;
}

const KEY_BYTES = 32;
const HOW = 'make one with: openssl rand -base64 32';

/** Empty: secrets are kept as they are. @throws SealingError that names the setting. */
export function loadSealKeys(
  settings: Pick<Settings, 'secret_key_file' | 'secret_keys'>,
): readonly SealKey[] {
  const { secret_key_file: file, secret_keys: given } = settings;
  if (file === null) return deriveKeys(given, (index) => `secret_keys: key ${index + 1}`);
  const lines = readKeyFile(file)
    .split('\n')
    .map((line) => line.trim());
  const numbered = lines.map((text, index) => ({ text, line: index + 1 }));
  const used = numbered.filter(({ text }) => text !== '' && !text.startsWith('#'));
  if (used.length === 0) throw new SealingError(`secret_key_file: ${file} has no key in it: ${HOW}`);
  const texts = used.map(({ text }) => text);
  return deriveKeys(texts, (index) => `secret_key_file: line ${used[index]?.line ?? 0} of ${file}`);
}

function readKeyFile(file: string): string {
  try {
    // A group may read it, as mounted secrets are given to one; everybody may not.
    if ((statSync(file).mode & 0o007) !== 0) {
      throw new SealingError(`secret_key_file: everybody may use ${file}: chmod o= ${file}`);
    }
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof SealingError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new SealingError(`secret_key_file: cannot read ${file}: ${reason}`, { cause: error });
  }
}

/** @param where says where the key with this index stands. */
function deriveKeys(texts: readonly string[], where: (index: number) => string): readonly SealKey[] {
  const keys: SealKey[] = [];
  for (const [index, text] of texts.entries()) {
    const octets = decodeKey(text);
    if (octets === null) {
      throw new SealingError(`${where(index)} is not ${KEY_BYTES} octets in base64 or hexadecimal: ${HOW}`);
    }
    const key = derive(octets);
    if (keys.some(({ id }) => id === key.id)) throw new SealingError(`${where(index)} is there twice`);
    keys.push(key);
  }
  return keys;
}

function decodeKey(text: string): Buffer | null {
  if (/^[0-9a-fA-F]{64}$/.test(text)) return Buffer.from(text, 'hex');
  return /^[A-Za-z0-9+/_-]{43}=?$/.test(text) ? Buffer.from(text, 'base64') : null;
}

function derive(octets: Uint8Array): SealKey {
  const part = (purpose: string, length: number): Buffer =>
    Buffer.from(hkdfSync('sha256', octets, '', `sluice secrets 1: ${purpose}`, length));
  return { id: part('id', 4).toString('hex'), cipher: part('cipher', 32), mark: part('unique', 32) };
}
