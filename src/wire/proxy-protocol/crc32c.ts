/** CRC-32C (Castagnoli, RFC 3720 §12.1), which `node:zlib` does not have: a header is short, and few have one. */

const REFLECTED = 0x82f63b78;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = (value & 1) === 1 ? (value >>> 1) ^ REFLECTED : value >>> 1;
  return value;
});

/** Of all `bytes`, with those of `[zeroFrom, zeroTo)` taken as zero: where the sum itself will stand. */
export function crc32c(bytes: Uint8Array, zeroFrom = 0, zeroTo = 0): number {
  let sum = 0xffff_ffff;
  for (let i = 0; i < bytes.length; i++) {
    const byte = i >= zeroFrom && i < zeroTo ? 0 : (bytes[i] ?? 0);
    sum = (sum >>> 8) ^ (TABLE[(sum ^ byte) & 255] ?? 0);
  }
  return (sum ^ 0xffff_ffff) >>> 0;
}
