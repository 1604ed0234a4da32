/**
 * Slow hashes of secrets that people choose: argon2id (RFC 9106), with the parameters that OWASP names for servers, in
 * the text form that Kong and everybody else has (`$argon2id$v=19$m=…,t=…,p=…$salt$hash`).
 *
 * Each takes some 20 ms and 19 MiB, in a thread of its own (`hash-queue.ts`).
 */
import { argon2Sync, randomBytes, timingSafeEqual } from 'node:crypto';
import { type HashJob, HashQueue } from './hash-queue.ts';

const PARAMETERS = { memory: 19_456, passes: 2, parallelism: 1 } as const;
const SALT = 16;
const LENGTH = 32;
/** Writes of the Admin API and of files wait for each other; no request of a client is among them. */
const WAITING = 1024;
/** What a text may ask for: KiB, and rounds of them. */
const MAX_MEMORY = 1 << 18;
const MAX_WORK = 1 << 20;

const FORM =
  /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,4}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,64})\$([A-Za-z0-9+/]{22,86})$/;

const queue = new HashQueue({ max: WAITING });

interface Parameters {
  readonly memory: number;
  readonly passes: number;
  readonly parallelism: number;
}

interface StoredHash {
  readonly parameters: Parameters;
  readonly salt: Buffer;
  readonly hash: Buffer;
}

export interface VerifyOptions {
  /** Where it waits; that of all others unless said. */
  readonly queue?: HashQueue;
  /** Whose guess it is: it waits for a share of the places only. */
  readonly client?: string;
}

/** @throws HashQueueFull (rejection) */
export async function hashSecret(secret: string): Promise<string> {
  const salt = randomBytes(SALT);
  return textOf(salt, await queue.run(jobOf(Buffer.from(secret), salt, LENGTH, PARAMETERS)));
}

/** False also for a text that is no such hash, or one that asks for too much. @throws HashQueueFull (rejection) */
export async function verifySecret(
  secret: string | Uint8Array,
  text: string,
  options: VerifyOptions = {},
): Promise<boolean> {
  const stored = readHash(text);
  if (stored === null) return false;
  const job = jobOf(Buffer.from(secret as Uint8Array), stored.salt, stored.hash.length, stored.parameters);
  const found = await (options.queue ?? queue).run(job, options.client);
  return timingSafeEqual(found, stored.hash);
}

/** At once, for programs that do nothing else meanwhile. */
export function verifySecretNow(secret: string, text: string): boolean {
  const stored = readHash(text);
  if (stored === null) return false;
  const found = argon2Sync(
    'argon2id',
    jobOf(Buffer.from(secret), stored.salt, stored.hash.length, stored.parameters),
  );
  return timingSafeEqual(found, stored.hash);
}

/** The text is a hash that can be verified. */
export function isSecretHash(text: string): boolean {
  return readHash(text) !== null;
}

/** A hash of nothing that anybody knows: verifying it costs as much as any other. */
export function unknownSecretHash(): string {
  return textOf(randomBytes(SALT), randomBytes(LENGTH));
}

function readHash(text: string): StoredHash | null {
  const [, memory, passes, parallelism, salt = '', hash = ''] = FORM.exec(text) ?? [];
  const parameters = { memory: Number(memory), passes: Number(passes), parallelism: Number(parallelism) };
  if (hash === '' || !reasonable(parameters)) return null;
  return { parameters, salt: Buffer.from(salt, 'base64'), hash: Buffer.from(hash, 'base64') };
}

function reasonable({ memory, passes, parallelism }: Parameters): boolean {
  if (passes < 1 || parallelism < 1 || memory < 8 * parallelism) return false;
  return memory <= MAX_MEMORY && memory * passes <= MAX_WORK;
}

function jobOf(message: Uint8Array, nonce: Uint8Array, tagLength: number, parameters: Parameters): HashJob {
  // Copies: a view of a shared buffer would take all of that to the thread.
  return { message: Uint8Array.from(message), nonce: Uint8Array.from(nonce), tagLength, ...parameters };
}

function textOf(salt: Buffer, hash: Buffer): string {
  const { memory, passes, parallelism } = PARAMETERS;
  return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${base64(salt)}$${base64(hash)}`;
}

/** Without padding. */
function base64(bytes: Buffer): string {
  return bytes.toString('base64').replaceAll('=', '');
}
