/**
 * The field names that the gateway asks for on every request: each has a number, so that finding it costs no search and
 * a set of them is an integer.
 */
import { LOWER } from './syntax.ts';

/** Names with a number of their own; at most 31, so that a set of them fits the bits of an integer. */
const KNOWN_NAMES = [
  'host',
  'connection',
  'content-length',
  'transfer-encoding',
  'expect',
  'upgrade',
  'te',
  'trailer',
  'keep-alive',
  'proxy-connection',
  'proxy',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-path',
  'x-forwarded-prefix',
  'x-real-ip',
  'via',
  'server',
  'date',
  'content-type',
  'accept',
  'user-agent',
  'referer',
  'authorization',
  'x-kong-request-id',
  'kong-debug',
  'x-kong-upstream-latency',
  'x-kong-proxy-latency',
  'x-kong-response-latency',
] as const;

/** How many there are; their numbers are 1 to this. */
export const KNOWN_COUNT = KNOWN_NAMES.length;

type KnownName = (typeof KNOWN_NAMES)[number];

/** Number of a known name, 1 and up. */
export const ID = Object.fromEntries(KNOWN_NAMES.map((name, index) => [name, index + 1])) as Record<
  KnownName,
  number
>;

/**
 * By lower-case name and by the usual spelling, so that setting a field makes no string. Other names that are asked for are
 * remembered as well, the first of them: the gateway and its plugins ask for few different ones.
 */
const ID_BY_NAME = new Map<string, number>(
  KNOWN_NAMES.flatMap((name, index) => [
    [name, index + 1],
    [canonical(name), index + 1],
  ]),
);
const MOST_NAMES = 1000;
const LONGEST_NAME = 64;
const NAME_BYTES: readonly Buffer[] = ['', ...KNOWN_NAMES].map((name) => Buffer.from(name, 'latin1'));

/** `x-real-ip` → `X-Real-IP`, as proxies write it. */
function canonical(name: string): string {
  return name.replace(/(^|-)(ip$|te$|[a-z])/g, (part) => part.toUpperCase());
}

/** Start value of the name hash that the parser runs over lower-cased bytes. */
export const HASH_SEED = 5381;

export function hashName(name: string): number {
  let hash = HASH_SEED;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash, 33) ^ name.charCodeAt(i);
  return hash | 0;
}

/** Open-addressed table from a name's hash to its number. */
const TABLE_MASK = 127;
const HASHES = new Int32Array(TABLE_MASK + 1);
const IDS = new Uint8Array(TABLE_MASK + 1);
for (const name of KNOWN_NAMES) {
  const id = ID[name];
  const hash = hashName(name);
  let slot = hash & TABLE_MASK;
  while (IDS[slot] !== 0) slot = (slot + 1) & TABLE_MASK;
  HASHES[slot] = hash;
  IDS[slot] = id;
}

/** Number of a known name, in any case; 0 of any other. */
export function knownId(name: string): number {
  const id = ID_BY_NAME.get(name);
  if (id !== undefined) return id;
  const other = ID_BY_NAME.get(name.toLowerCase()) ?? 0;
  if (ID_BY_NAME.size < MOST_NAMES && name.length <= LONGEST_NAME) ID_BY_NAME.set(name, other);
  return other;
}

/** The same for the bytes `start` to `end`, whose lower-cased hash is `hash`. */
export function knownIdOfBytes(buffer: Buffer, start: number, end: number, hash: number): number {
  let slot = hash & TABLE_MASK;
  for (let id = IDS[slot] ?? 0; id !== 0; id = IDS[slot] ?? 0) {
    // Equal hashes prove nothing: a client may look for a name that collides with `content-length`.
    if (HASHES[slot] === hash && bytesAre(buffer, start, end, NAME_BYTES[id] as Buffer)) return id;
    slot = (slot + 1) & TABLE_MASK;
  }
  return 0;
}

function bytesAre(buffer: Buffer, start: number, end: number, expected: Buffer): boolean {
  if (end - start !== expected.length) return false;
  for (let i = 0; i < expected.length; i++) {
    if (LOWER[buffer[start + i] as number] !== expected[i]) return false;
  }
  return true;
}
