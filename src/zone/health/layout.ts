/**
 * The health of targets in shared memory: where things lie, and the keys by which they are found.
 *
 *     head       one cache line; its first word counts what the main thread has given out and taken back
 *     buckets    heads of chains: slot + 1, or 0
 *     slots      one cache line each: an address of a target, or the upstream (the group) that it belongs to
 *
 * A slot is found by the hash of its key. The key itself is no text but 128 bits of a hash over one, so that a slot is
 * one cache line and a comparison four words.
 */

/** Addresses and upstreams of a node that can have health. Memory that no slot uses is never touched. */
export const CAPACITY = 65_536;
export const BUCKETS = 65_536;
const HEAD_WORDS = 16;
export const SLOT_WORDS = 16;
export const SLOTS_AT = HEAD_WORDS + BUCKETS;
export const HEALTH_BYTES = (SLOTS_AT + CAPACITY * SLOT_WORDS) * Int32Array.BYTES_PER_ELEMENT;

/** Words of the head. */
export const ALLOCATIONS = 0;

/** Words of a slot. */
export const GENERATION = 0;
/** 0 healthy, 1 unhealthy. */
export const STATE = 1;
/** Four counters of eight bits. */
export const COUNTERS = 2;
/** Of a group: counts what has changed below it. */
export const EPOCH = 3;
/** The slot of the group. */
export const GROUP = 4;
/** The next slot of the chain + 1, or 0. */
export const NEXT = 5;
/** When it became healthy again, in tenths of a second by the clock of all threads; 0: it never was otherwise. */
export const BACK = 6;
/** How often its state has changed. */
export const CHANGES = 7;
/** Four words. */
export const KEY = 8;
/** 1: its target does not have this address any more. */
export const LEFT = 12;

export type HealthKey = readonly [number, number, number, number];

/** Of an upstream, by its id. */
export function groupKey(upstream: string): HealthKey {
  return hashed(upstream);
}

/** Of one address of a target: its name may have several, and SRV records say ports of their own. */
export function addressKey(
  upstream: string,
  target: { readonly host: string; readonly port: number },
  ip: string,
  port: number,
): HealthKey {
  return hashed(`${upstream} ${target.host} ${target.port} ${ip} ${port}`);
}

export function bucketOf(key: HealthKey): number {
  return HEAD_WORDS + (key[0] & (BUCKETS - 1));
}

/** Four lanes that feed each other; no defence against somebody who wants a collision, who could say the target itself. */
function hashed(text: string): HealthKey {
  let a = 0x6a09e667;
  let b = 0xbb67ae85 | 0;
  let c = 0x3c6ef372;
  let d = 0xa54ff53a | 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    a = b ^ Math.imul(a ^ code, 0x238f1cb3);
    b = c ^ Math.imul(b ^ code, 0xb3914eb5);
    c = d ^ Math.imul(c ^ code, 0x3a8f05c5);
    d = a ^ Math.imul(d ^ code, 0xa4cb7fd3);
  }
  return [mixed(a ^ (d >>> 15)), mixed(b ^ (a >>> 13)), mixed(c ^ (b >>> 16)), mixed(d ^ (c >>> 14))];
}

function mixed(word: number): number {
  let x = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16);
}
