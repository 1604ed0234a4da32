/**
 * Secrets as Kong hashes them: PBKDF2 (RFC 8018), `$pbkdf2-sha512$i=10000,l=32$salt$hash`. They come with what was taken over
 * from a Kong; new ones are argon2id. A hash takes some 10 ms in a thread of libuv's: two at a time, and few that wait.
 */
import { pbkdf2, timingSafeEqual } from 'node:crypto';

const FORM =
  /^\$pbkdf2-(sha1|sha256|sha512)\$i=(\d{1,6}),l=(\d{1,2})\$([A-Za-z0-9+/]{1,128})\$([A-Za-z0-9+/]{16,128})$/;
const RUNNING = 2;
const WAITING = 128;

let running = 0;
const waiting: Array<() => void> = [];

export function isKongHash(text: string): boolean {
  return FORM.test(text);
}

/** @throws Error (rejection) when too many wait */
export async function verifyKongHash(secret: string, text: string): Promise<boolean> {
  const [, digest = '', rounds, length, salt = '', hash = ''] = FORM.exec(text) ?? [];
  const wanted = Buffer.from(hash, 'base64');
  if (digest === '' || wanted.length !== Number(length) || Number(rounds) < 1) return false;
  await turn();
  try {
    const found = await new Promise<Buffer>((resolve, reject) => {
      const done = (error: Error | null, key: Buffer): void =>
        error === null ? resolve(key) : reject(error);
      pbkdf2(secret, Buffer.from(salt, 'base64'), Number(rounds), wanted.length, digest, done);
    });
    return timingSafeEqual(found, wanted);
  } finally {
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
  if (waiting.length >= WAITING) return Promise.reject(new Error('too many secrets wait to be verified'));
  const { promise, resolve } = Promise.withResolvers<void>();
  waiting.push(resolve);
  return promise;
}
