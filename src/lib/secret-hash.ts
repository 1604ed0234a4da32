/**
 * Slow hashes of secrets that people choose: argon2id (RFC 9106), with the parameters that OWASP names for servers, in
 * the text form that Kong and everybody else has (`$argon2id$v=19$m=…,t=…,p=…$salt$hash`).
 *
 * It is work for libuv's threads, which files and names need too: two at a time, and a bound on those that wait.
 */
import { argon2, randomBytes, timingSafeEqual } from 'node:crypto';

const PARAMETERS = { memory: 19_456, passes: 2, parallelism: 1 } as const;
const SALT = 16;
const LENGTH = 32;
/** At once. */
const RUNNING = 2;
const WAITING = 1024;
/** What a text may ask for: KiB, and rounds of them. */
const MAX_MEMORY = 1 << 18;
const MAX_WORK = 1 << 20;

const FORM =
  /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,4}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,64})\$([A-Za-z0-9+/]{22,86})$/;

interface Parameters {
  readonly memory: number;
  readonly passes: number;
  readonly parallelism: number;
}

let running = 0;
const waiting: Array<() => void> = [];

/** @throws Error (rejection) when too many wait */
export async function hashSecret(secret: string): Promise<string> {
  const salt = randomBytes(SALT);
  const hash = await derive(secret, salt, LENGTH, PARAMETERS);
  const { memory, passes, parallelism } = PARAMETERS;
  return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${base64(salt)}$${base64(hash)}`;
}

/** False also for a text that is no such hash, or one that asks for too much. @throws Error (rejection) when too many wait */
export async function verifySecret(secret: string, text: string): Promise<boolean> {
  const [, memory, passes, parallelism, salt = '', hash = ''] = FORM.exec(text) ?? [];
  const parameters = { memory: Number(memory), passes: Number(passes), parallelism: Number(parallelism) };
  if (hash === '' || !reasonable(parameters)) return false;
  const wanted = Buffer.from(hash, 'base64');
  const found = await derive(secret, Buffer.from(salt, 'base64'), wanted.length, parameters);
  return timingSafeEqual(found, wanted);
}

function reasonable({ memory, passes, parallelism }: Parameters): boolean {
  if (passes < 1 || parallelism < 1 || memory < 8 * parallelism) return false;
  return memory <= MAX_MEMORY && memory * passes <= MAX_WORK;
}

async function derive(
  message: string,
  nonce: Buffer,
  tagLength: number,
  parameters: Parameters,
): Promise<Buffer> {
  await turn();
  try {
    return await new Promise((resolve, reject) => {
      argon2('argon2id', { message, nonce, tagLength, ...parameters }, (error, hash) => {
        if (error === null) resolve(Buffer.from(hash));
        else reject(error);
      });
    });
  } finally {
    // Whoever waits takes the place over.
    const next = waiting.shift();
    if (next === undefined) running--;
    else next();
  }
}

function turn(): Promise<void> {
  if (running < RUNNING) {
    running++;
    return Promise.resolve();
  }
  if (waiting.length >= WAITING) return Promise.reject(new Error('too many secrets wait to be hashed'));
  const { promise, resolve } = Promise.withResolvers<void>();
  waiting.push(resolve);
  return promise;
}

/** Without padding. */
function base64(bytes: Buffer): string {
  return bytes.toString('base64').replaceAll('=', '');
}
