/** Hashes of texts and numbers: 32 bits, well mixed, the same on every node. Nothing here resists an attacker. */

/** FNV-1a over the UTF-16 units, then the finalizer of MurmurHash3. @returns 0 … 2^32 − 1. */
export function hash32(text: string, seed = 0): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mix32(hash);
}

/** MurmurHash3's finalizer: a permutation of the 32-bit integers. @returns 0 … 2^32 − 1. */
export function mix32(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
