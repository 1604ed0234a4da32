/** Sealers by the names of their keys, the first seals. */
import { createHash } from 'node:crypto';
import { loadSealKeys } from '../../../src/store/seal-keys.ts';
import { createSealer, type Sealer } from '../../../src/store/sealing.ts';

export function sealerWith(...names: readonly string[]): Sealer {
  const keys = names.map((name) => createHash('sha256').update(name).digest('hex'));
  return createSealer(loadSealKeys({ secret_key_file: null, secret_keys: keys }));
}
